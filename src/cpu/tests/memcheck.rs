//! What `.ci/run` has valgrind watch, which slows it down by a factor of about fifty: each kind of
//! layer and of block a few times, on few pixels.

use std::io::Write;

use super::{Backend, Case, Isa, Options, Random, convolutions, expand, gates, networks};
use crate::cpu::Precision;
use crate::network::catalog;

#[test]
fn small_networks_run() {
    // Where nothing names one: what valgrind's processor has, which is never AVX-512.
    let isa = Isa::detect().unwrap();
    // Past the test harness, which would keep it.
    writeln!(std::io::stderr(), "computing with {isa}").unwrap();
    let mut random = Random(11);
    let mut cases = Vec::new();
    for (name, size) in [("seresnet20", [16, 16]), ("se_bottleneck", [9, 7])] {
        let layers = catalog::find(name).unwrap().layers();
        cases.push(Case::new(name, layers, 2, size, &mut random));
    }
    for (channels, width, groups) in gates::BOTTLENECKS {
        cases.push(gates::bottleneck(channels, width, groups, &mut random));
    }
    for number in 0..10 {
        cases.push(convolutions::next([5, 9], convolutions::any, &mut random));
        cases.push(convolutions::next(
            [9, 13],
            convolutions::tiled,
            &mut random,
        ));
        cases.push(convolutions::next(
            [5, 9],
            convolutions::small_group,
            &mut random,
        ));
        cases.push(convolutions::next(
            [5, 9],
            convolutions::depthwise,
            &mut random,
        ));
        cases.push(expand::any([9, 11], &mut random));
        cases.push(networks::any(format!("network {number}"), &mut random));
    }
    for case in &cases {
        for (threads, precision) in [(2, Precision::F32), (1, Precision::Bf16)] {
            let options = Options {
                threads: Some(threads),
                isa: Some(isa),
                precision,
                ..Options::default()
            };
            let output = Backend::Engine(options).compute(case);
            let elements: Vec<f32> = output.flatten_all().unwrap().to_vec1().unwrap();
            assert!(
                elements.iter().all(|element| element.is_finite()),
                "{}",
                case.name
            );
        }
    }
}
