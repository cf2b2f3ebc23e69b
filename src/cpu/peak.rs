//! The most that this processor can multiply and add: what kernels reach is a share of it.

use std::thread;
use std::time::Instant;

use super::isa::Isa;
use super::options::Precision;
use super::{cores, kernels};
use crate::error::{Error, Result};

/// Goes of each thread, of which the best counts: others may take the core meanwhile.
const GOES: usize = 20;

/// Turns of a go, which takes a few milliseconds.
const TURNS: u64 = 1 << 20;

/// Multiply-adds in a second that so many threads do on elements in registers, by `isa`'s vectors, and
/// by its instructions for the precision where it has some; not more threads than cores that this process may use. The scalar kernels are measured by the
/// portable ones' vectors.
///
/// # Errors
///
/// Instructions that this processor lacks, or a thread that the system refuses.
pub fn peak(isa: Isa, precision: Precision, threads: usize) -> Result<f64> {
    let isa = isa.checked()?;
    thread::scope(|scope| {
        let threads = (0..threads.min(cores::usable())).map(|_| {
            let thread = thread::Builder::new().spawn_scoped(scope, move || best(isa, precision));
            thread.map_err(|error| Error::Device(format!("cannot start a thread: {error}")))
        });
        // All start before the first is waited for.
        let threads = threads.collect::<Result<Vec<_>>>()?;
        let rates = threads.into_iter().map(thread::ScopedJoinHandle::join);
        // A thread that measures cannot panic.
        Ok(rates.map(Result::unwrap_or_default).sum())
    })
}

/// Of one thread.
fn best(isa: Isa, precision: Precision) -> f64 {
    let goes = (0..GOES).map(|_| {
        let started = Instant::now();
        let done = kernels::multiply_adds(isa, precision, TURNS);
        done as f64 / started.elapsed().as_secs_f64()
    });
    goes.fold(0., f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instruction_set_multiplies_and_adds() {
        for isa in Isa::available() {
            for precision in [Precision::F32, Precision::Bf16] {
                let rate = peak(isa, precision, 2).unwrap();
                // Any processor of this century starts a million in a second.
                assert!(rate > 1e6 && rate.is_finite(), "{isa}: {rate}");
            }
        }
    }
}
