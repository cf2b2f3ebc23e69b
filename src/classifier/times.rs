use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the time of [`Batches`](super::Batches) was spent on. Images are prepared on several
/// threads while the network runs: the first four are sums over all threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// Finding inputs, and waiting for those that come when they come.
    pub list: Duration,
    /// Reading files.
    pub read: Duration,
    /// Decoding images.
    pub decode: Duration,
    /// Resizing, cropping and normalising images.
    pub resize: Duration,
    /// Waiting of the network for its first images.
    pub wait_first: Duration,
    /// Waiting of the network for later images.
    pub wait: Duration,
    /// Running the network.
    pub run: Duration,
}

/// What time is spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    List,
    Read,
    Decode,
    Resize,
    WaitFirst,
    Wait,
    Run,
}

/// Sums up how long each stage is busy, on all threads together.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    nanoseconds: [AtomicU64; 7],
}

impl Stopwatch {
    /// Does `work` and adds how long that took to `stage`.
    pub(super) fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        let nanoseconds = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds[stage as usize].fetch_add(nanoseconds, Ordering::Relaxed);
        done
    }

    /// What it says now.
    pub(super) fn read(&self) -> Times {
        let of = |stage: Stage| {
            Duration::from_nanos(self.nanoseconds[stage as usize].load(Ordering::Relaxed))
        };
        Times {
            list: of(Stage::List),
            read: of(Stage::Read),
            decode: of(Stage::Decode),
            resize: of(Stage::Resize),
            wait_first: of(Stage::WaitFirst),
            wait: of(Stage::Wait),
            run: of(Stage::Run),
        }
    }
}
