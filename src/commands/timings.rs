//! Where the time of `senet classify` goes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::report::Timings;

/// What time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Weights are opened, checked and packed, and a run is planned.
    Load,
    /// Folders and lists are searched for images.
    List,
    /// A file is read.
    Read,
    /// Its bytes become pixels.
    Decode,
    /// The pixels become what the network sees.
    Resize,
    /// The network waits for its first images.
    WaitFirst,
    /// It waits for images later on.
    Wait,
    /// It computes.
    Run,
    /// Rows are written.
    Write,
}

/// Sums up how long each stage is busy, on all threads together.
#[derive(Debug)]
pub(super) struct Stopwatch {
    started: Instant,
    nanoseconds: [AtomicU64; 9],
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self {
            started: Instant::now(),
            nanoseconds: [const { AtomicU64::new(0) }; 9],
        }
    }

    /// Does `work` and adds how long that took to `stage`.
    pub(super) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds[stage as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    /// What it says now.
    pub(super) fn read(&self, images: usize) -> Timings {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let of = |stage: Stage| {
            let nanoseconds = self.nanoseconds[stage as usize].load(Ordering::Relaxed);
            milliseconds(Duration::from_nanos(nanoseconds))
        };
        Timings {
            images,
            threads: rayon::current_num_threads(),
            load_ms: of(Stage::Load),
            list_ms: of(Stage::List),
            read_ms: of(Stage::Read),
            decode_ms: of(Stage::Decode),
            resize_ms: of(Stage::Resize),
            wait_first_ms: of(Stage::WaitFirst),
            wait_ms: of(Stage::Wait),
            run_ms: of(Stage::Run),
            write_ms: of(Stage::Write),
            total_ms: milliseconds(self.started.elapsed()),
        }
    }
}
