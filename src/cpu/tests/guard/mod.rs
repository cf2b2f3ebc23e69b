//! Kernels and engines on memory, weights and biases that end where a page ends that nobody may
//! touch, or begin where one begins: a stray access kills the process.
//!
//! So they run in a process of their own, this very test once more, which says what it is about to
//! run before it does.
#![allow(
    unsafe_code,
    clippy::print_stdout,
    reason = "pages without access, memory that kernels share; what runs is said to the parent"
)]

mod kernels;
mod memory;

use std::process::Command;

use self::memory::Edge;
use super::{Backend, Case, Isa, Options, Random, convolutions, expand, networks, plan};
use crate::cpu::Precision;

/// Says to the other process which edge it is to guard.
const VARIABLE: &str = "SENET_TEST_GUARD";

#[test]
fn no_kernel_touches_what_is_not_its_own() {
    let edges = [("start", Edge::Start), ("end", Edge::End)];
    if let Ok(name) = std::env::var(VARIABLE) {
        let (_, edge) = edges.into_iter().find(|(edge, _)| *edge == name).unwrap();
        memory::between_pages(edge);
        kernels::run_all();
        engines();
        return;
    }
    for (name, _) in edges {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "--test-threads", "1"])
            .arg("cpu::tests::guard::no_kernel_touches_what_is_not_its_own")
            .env(VARIABLE, name)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let cases: Vec<&str> = said.lines().filter(|line| line.contains(RUNS)).collect();
        assert!(
            output.status.success(),
            "at the {name} of its memory, {}: {}\n{}",
            cases.last().unwrap_or(&"before the first case"),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        for isa in Isa::available() {
            let of_isa = cases.iter().filter(|case| case.contains(isa.name()));
            assert!(of_isa.count() > 1000, "the cases of {isa} are run");
        }
    }
}

/// Marks the lines that say what is run.
const RUNS: &str = " runs ";

fn say(isa: Isa, case: &str) {
    println!("{isa}{RUNS}{case}");
}

fn engines() {
    let mut random = Random(8);
    let mut cases: Vec<Case> = Vec::new();
    for number in 0..20 {
        cases.push(convolutions::next([5, 15], convolutions::any, &mut random));
        cases.push(convolutions::next(
            [5, 15],
            convolutions::tiled,
            &mut random,
        ));
        cases.push(convolutions::next(
            [5, 15],
            convolutions::small_group,
            &mut random,
        ));
        cases.push(convolutions::next(
            [5, 15],
            convolutions::depthwise,
            &mut random,
        ));
        cases.push(expand::any([9, 15], &mut random));
        cases.push(networks::any(format!("network {number}"), &mut random));
    }
    for case in &cases {
        for isa in Isa::available() {
            for (threads, precision) in [
                (1, Precision::F32),
                (2, Precision::F32),
                (2, Precision::Bf16),
            ] {
                let options = Options {
                    threads: Some(threads),
                    isa: Some(isa),
                    precision,
                    ..Options::default()
                };
                let name = format!("{} in {}", case.name, precision.name());
                say(isa, &format!("{name}, {:?}, {threads} threads", case.shape));
                memory::take_largest();
                Backend::Engine(options).compute(case);
                let needed = plan(case, options).memory;
                assert!(
                    memory::take_largest() >= needed,
                    "the engine's memory is guarded"
                );
            }
        }
    }
}
