//! The most that this machine's memory can hand over: what layers of few multiplications wait for.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use super::cores;
use crate::error::{Error, Result};

/// Bytes that are read: several times what caches hold, of most machines.
const BYTES: usize = 256 << 20;

/// Goes of which the best counts: others may use the memory meanwhile.
const GOES: usize = 5;

/// Bytes in a second that so many threads together read from memory that no cache holds; not more
/// threads than cores that this process may use.
///
/// # Errors
///
/// A thread or memory that the system refuses.
pub fn bandwidth(threads: usize) -> Result<f64> {
    let threads = threads.clamp(1, cores::usable());
    let share = BYTES / size_of::<u64>() / threads;
    let mut numbers = Vec::new();
    numbers
        .try_reserve_exact(share * threads)
        .map_err(|_| Error::Device(format!("cannot have {BYTES} bytes to read")))?;
    // Not zeros, which the system would not keep.
    numbers.extend((0..share * threads).map(|number| number as u64));
    let mut best = 0_f64;
    for _ in 0..GOES {
        let started = Instant::now();
        thread::scope(|scope| {
            let threads = numbers.chunks(share).map(|numbers| {
                let thread = thread::Builder::new().spawn_scoped(scope, || black_box(sum(numbers)));
                thread.map_err(|error| Error::Device(format!("cannot start a thread: {error}")))
            });
            // All start before the scope waits for them.
            threads.collect::<Result<Vec<_>>>().map(drop)
        })?;
        let bytes = size_of_val(&numbers[..]) as f64;
        best = best.max(bytes / started.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// As many sums as keep the loads apart, which the compiler makes vectors of.
fn sum(numbers: &[u64]) -> u64 {
    let mut sums = [0_u64; 32];
    let chunks = numbers.chunks_exact(sums.len());
    for chunk in chunks {
        for (sum, number) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*number);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_hands_over_bytes_whatever_the_threads() {
        for threads in [0, 1, 2] {
            let rate = bandwidth(threads).unwrap();
            // Memory of this century hands over more than a hundred megabytes a second, and none
            // ten terabytes.
            assert!((1e8..1e13).contains(&rate), "{rate}");
        }
    }
}
