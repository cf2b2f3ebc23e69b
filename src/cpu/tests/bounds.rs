//! Kernels refuse what would take them outside of their memory, before they touch any of it.
#![allow(unsafe_code, reason = "memory that kernels share")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::kernels::{self, BLOCK, Epilogue, Memory, Offsets, Place, Product, Runs, Spot};
use super::Isa;

/// Pixels of the tile.
const ROWS: usize = 2;

/// Places of the source, the residual and the output, in a memory that they fill.
const SOURCE: usize = 0;
const RESIDUAL: usize = ROWS * BLOCK;
const OUTPUT: usize = 2 * ROWS * BLOCK;
const END: usize = 3 * ROWS * BLOCK;

#[derive(Clone, Copy)]
struct Tile {
    rows: usize,
    source: usize,
    /// From there to the spot's.
    of_spot: usize,
    has_residual: bool,
    residual: usize,
    output: usize,
    /// From one block to the next.
    block: usize,
    blocks: usize,
}

const GOOD: Tile = Tile {
    rows: ROWS,
    source: SOURCE,
    of_spot: 0,
    has_residual: true,
    residual: RESIDUAL,
    output: OUTPUT,
    block: 0,
    blocks: 1,
};

/// Whether a product of a tile is computed.
fn computed(isa: Isa, tile: Tile) -> bool {
    let mut numbers = vec![0.; END];
    // SAFETY: one thread.
    let memory = unsafe { Memory::new(&mut numbers) };
    let offsets = Offsets::new((0..ROWS).map(|pixel| pixel * BLOCK));
    let place = |start| Place {
        start,
        block: tile.block,
    };
    let spot = Spot {
        rows: tile.rows,
        source: tile.of_spot,
        output: offsets.clone(),
        residual: tile.has_residual.then_some(offsets),
    };
    let runs = Runs::new(vec![0], BLOCK);
    let product = Product {
        source: tile.source,
        step: BLOCK,
        spots: &[spot],
        runs: &runs,
        weights: &[0.; 2 * BLOCK * BLOCK],
        blocks: tile.blocks,
        ahead: &[],
        epilogue: Epilogue {
            bias: &[0.; 2 * BLOCK],
            gate: None,
            residual: Some(place(tile.residual)),
            relu: true,
            output: place(tile.output),
            sums: None,
        },
    };
    let compute = || kernels::product(isa, &memory, &product);
    catch_unwind(AssertUnwindSafe(compute)).is_ok()
}

#[test]
fn a_tile_that_reaches_outside_is_refused() {
    let wrong = [
        // More pixels than there are offsets.
        Tile {
            rows: ROWS + 1,
            ..GOOD
        },
        Tile {
            source: END - ROWS * BLOCK + 1,
            ..GOOD
        },
        Tile {
            of_spot: END - ROWS * BLOCK + 1,
            ..GOOD
        },
        Tile {
            of_spot: usize::MAX,
            ..GOOD
        },
        Tile {
            has_residual: false,
            ..GOOD
        },
        Tile {
            residual: OUTPUT + 1,
            ..GOOD
        },
        Tile {
            output: OUTPUT + 1,
            ..GOOD
        },
        Tile {
            block: 1,
            blocks: 2,
            ..GOOD
        },
        // What an offset comes to is more than can be counted.
        Tile {
            block: usize::MAX - BLOCK,
            blocks: 2,
            ..GOOD
        },
    ];
    for isa in Isa::available() {
        assert!(computed(isa, GOOD), "{isa}");
        for (index, tile) in wrong.into_iter().enumerate() {
            assert!(!computed(isa, tile), "{isa}, tile {index}");
        }
    }
}
