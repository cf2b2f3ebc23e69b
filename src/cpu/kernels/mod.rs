//! The inner loops. Nothing else of the engine is unsafe but its team, the line that shares its
//! memory among the team's threads, and the one that borrows gated weights from it.
//!
//! A feature map lies in memory as blocks of 16 channels: `[image][block][row][column][16]`, with
//! a halo of zeros as wide as its readers need. Each kernel has a file with its argument and its
//! checks: offsets and strides count the elements of one [`Memory`], a kernel checks once that all
//! it touches lies inside, and then trusts them. `scalar.rs` reads like the formula; `vector/` is
//! the same on any [`vector::Vector`], of which `avx2.rs`, `avx512.rs` and `portable.rs` each have
//! one.
#![allow(
    unsafe_code,
    reason = "vector instructions, and memory that threads share"
)]

/// Chooses the instruction set's own function for a checked argument, and for elements of the source
/// and of what is stored.
macro_rules! dispatch {
    ($isa:expr, $name:ident::<$Source:ty, $Stored:ty>, $memory:expr, $argument:expr) => {{
        use crate::cpu::isa::Vectors;
        #[cfg(target_arch = "x86_64")]
        use crate::cpu::kernels::{avx2, avx512};
        use crate::cpu::kernels::{portable, scalar};
        match $isa.vectors {
            Vectors::Scalar => scalar::$name::<$Source, $Stored>($memory, $argument),
            // SAFETY: checked above, as the function asks.
            Vectors::Portable => unsafe {
                portable::$name::<$Source, $Stored>($memory.base(), $argument);
            },
            // SAFETY: checked above; an `Isa` that is not available is refused when an engine
            // is made (`Isa::checked`).
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => unsafe {
                avx2::$name::<$Source, $Stored>($memory.base(), $argument);
            },
            // SAFETY: as for AVX2.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => unsafe {
                if const { $crate::cpu::kernels::are_single::<$Source, $Stored>() } {
                    avx512::singles::$name::<$Source, $Stored>($memory.base(), $argument);
                } else if $isa.features.bf16 {
                    avx512::halves::$name::<$Source, $Stored>($memory.base(), $argument);
                } else {
                    // A plan for such a processor has other vectors (`Options::target`).
                    scalar::$name::<$Source, $Stored>($memory, $argument);
                }
            },
            #[cfg(not(target_arch = "x86_64"))]
            Vectors::Avx2 | Vectors::Avx512 => {
                scalar::$name::<$Source, $Stored>($memory, $argument);
            }
        }
    }};
}

mod activation;
mod depthwise;
mod elementwise;
mod gemm;
mod memory;
mod micro_tile;
mod output;
mod peak;
mod pool;
mod portable;
mod scalar;
mod scaled_rows;
mod small_group;
mod vector;
mod winograd;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub(super) use depthwise::{Depthwise, depthwise};
pub(super) use elementwise::{Elementwise, elementwise};
pub(super) use gemm::{Gemm, KOffsets, KRun, gemm};
pub(super) use memory::Memory;
pub(super) use micro_tile::{MicroTile, PixelOffsets};
pub(super) use output::{BlockView, Output};
pub(super) use peak::multiply_adds;
pub(super) use pool::{Pool, Pooling, pool};
pub(super) use scaled_rows::{ScaledRows, scaled_rows};
pub(super) use small_group::{SmallGroup, small_group};
pub(super) use vector::VectorElement;
pub use winograd::WinogradTile;
pub(super) use winograd::{InputTransform, OutputTransform, input_transform, output_transform};

#[cfg(target_arch = "x86_64")]
use super::element::{Element, ElementType};
use super::isa::{Isa, Vectors};

/// Channels that lie together.
pub(super) const BLOCK: usize = 16;

/// The most pixels of a [`MicroTile`], whatever the instruction set.
pub(super) const MAX_MR: usize = 14;

/// The most output channels, in blocks, of a panel.
pub(super) const MAX_NR_BLOCKS: usize = 2;

impl Isa {
    /// MR: the most pixels of a micro-tile, as many as the registers hold the sums of.
    pub(super) fn max_mr(self) -> usize {
        match self.vectors {
            // With SSE's vectors of 4, 2 pixels by 16 channels take 8 registers of 16.
            Vectors::Scalar | Vectors::Portable => 2,
            Vectors::Avx2 => 6,
            Vectors::Avx512 => MAX_MR,
        }
    }

    /// NR: the output channels of a panel, in blocks. AVX2's are those of a micro-tile, so that its
    /// weights are read end to end: every other cache line of a panel would have but every other
    /// place of the cache, and half of it would be lost.
    pub(super) fn nr_blocks(self) -> usize {
        match self.vectors {
            Vectors::Avx2 => 1,
            Vectors::Scalar | Vectors::Portable | Vectors::Avx512 => MAX_NR_BLOCKS,
        }
    }
}

/// Whether all elements are in single precision.
#[cfg(target_arch = "x86_64")]
const fn are_single<Source: Element, Stored: Element>() -> bool {
    matches!(
        [Source::TYPE, Stored::TYPE],
        [ElementType::F32, ElementType::F32]
    )
}

/// Elements from the first of something to its end: so many strides on, and then some more. As
/// large as can be where that cannot be counted, so that no memory has them.
fn reach(count: usize, stride: usize, more: usize) -> usize {
    count.saturating_mul(stride).saturating_add(more)
}
