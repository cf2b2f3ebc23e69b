//! Threads that live as long as the engine.
//!
//! A phase is over when all its *chunks* are done, not when all threads have come by: a thread
//! that another process holds up costs at most the chunk it is at. A thread without work spins
//! for a moment, since the next phase mostly follows at once, and then sleeps.
#![allow(
    unsafe_code,
    reason = "threads that outlive a call borrow its closure for its duration; see `Work`"
)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// How long a thread spins before it sleeps: several times what waking it takes, and little
/// enough that an idle engine costs nothing.
const PATIENCE: Duration = Duration::from_micros(100);

/// Looks at the clock only every so often.
const SPINS: usize = 64;

/// The caller of [`Team::run`] and `threads - 1` more.
pub(super) struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

type Panic = Box<dyn Any + Send>;

/// What a phase computes: a chunk's number to its work.
#[derive(Clone, Copy)]
struct Work {
    chunk: *const (dyn Fn(usize) + Sync),
    chunks: usize,
}

struct Shared {
    /// Written by the caller while no chunk is unfinished, and read by whoever has taken a chunk
    /// that it has not finished.
    work: UnsafeCell<Option<Work>>,
    /// The phase's number, and in the lower half how many of its chunks nobody has taken.
    ticket: AtomicU64,
    /// Chunks that are not finished.
    unfinished: AtomicUsize,
    /// The first panic of a chunk.
    panic: Mutex<Option<Panic>>,
    /// The caller, once it waits for others' chunks.
    caller: Mutex<Option<Thread>>,
    caller_sleeps: AtomicBool,
    sleepers: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
    stop: AtomicBool,
}

// SAFETY: `work` is the only part that is not `Sync` on its own, and it is never written while
// another thread may read it, as said there; the closure that it points to is `Sync`.
unsafe impl Sync for Shared {}
// SAFETY: as above; nothing in it belongs to a thread.
unsafe impl Send for Shared {}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-changed under any of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// Threads that this process may use.
    pub(super) fn size() -> usize {
        thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    /// A team of so many, the caller included.
    ///
    /// # Errors
    ///
    /// Threads that the system refuses to start.
    pub(super) fn new(threads: usize) -> Result<Self> {
        let mut team = Self {
            shared: Arc::new(Shared {
                work: UnsafeCell::new(None),
                ticket: AtomicU64::new(0),
                unfinished: AtomicUsize::new(0),
                panic: Mutex::new(None),
                caller: Mutex::new(None),
                caller_sleeps: AtomicBool::new(false),
                sleepers: AtomicUsize::new(0),
                bed: Mutex::new(()),
                alarm: Condvar::new(),
                stop: AtomicBool::new(false),
            }),
            workers: Vec::new(),
        };
        for number in 1..threads {
            let shared = team.shared.clone();
            let worker = thread::Builder::new()
                .name(format!("senet-{number}"))
                .spawn(move || shared.serve())
                .map_err(|error| Error::Device(format!("cannot start a thread: {error}")))?;
            team.workers.push(worker);
        }
        Ok(team)
    }

    /// Has every chunk computed once, and returns when all are.
    ///
    /// # Panics
    ///
    /// With the panic of a chunk, when the others are done.
    pub(super) fn run(&mut self, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || chunks < 2 || u32::try_from(chunks).is_err() {
            for chunk in 0..chunks {
                work(chunk);
            }
            return;
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime is changed. The pointer is used by threads that have taken a
        // chunk and not finished it, and this function does not return before all are finished.
        let chunk = unsafe {
            std::mem::transmute::<&(dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(work)
        };
        // SAFETY: `&mut self`: no other phase runs, and the last one's chunks are all finished.
        unsafe { *shared.work.get() = Some(Work { chunk, chunks }) };
        shared.unfinished.store(chunks, Ordering::Relaxed);
        let phase = shared.ticket.load(Ordering::Relaxed) >> 32;
        let ticket = (phase.wrapping_add(1) << 32) | chunks as u64;
        shared.ticket.store(ticket, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(locked(&shared.bed));
            shared.alarm.notify_all();
        }
        while shared.take() {}
        shared.wait();
        if let Some(panic) = locked(&shared.panic).take() {
            resume_unwind(panic);
        }
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(locked(&self.shared.bed));
        self.shared.alarm.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches what its chunks throw.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Takes a chunk and computes it; false if there is none.
    fn take(&self) -> bool {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        let left = loop {
            let left = ticket & u64::from(u32::MAX);
            if left == 0 {
                return false;
            }
            // Fails where the phase has changed, too: its number is part of the ticket.
            match self.ticket.compare_exchange_weak(
                ticket,
                ticket - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break left,
                Err(current) => ticket = current,
            }
        };
        // SAFETY: a chunk of this phase is taken and not finished, so `run` neither writes this
        // nor returns.
        let work = unsafe { *self.work.get() };
        if let (Some(work), Ok(left)) = (work, usize::try_from(left)) {
            let done = catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: as above: the closure is borrowed by a `run` that has not returned.
                unsafe { (*work.chunk)(work.chunks - left) }
            }));
            if let Err(panic) = done {
                locked(&self.panic).get_or_insert(panic);
            }
        }
        if self.unfinished.fetch_sub(1, Ordering::SeqCst) == 1
            && self.caller_sleeps.load(Ordering::SeqCst)
            && let Some(caller) = &*locked(&self.caller)
        {
            caller.unpark();
        }
        true
    }

    /// Waits until every chunk is finished.
    fn wait(&self) {
        let finished = || self.unfinished.load(Ordering::SeqCst) == 0;
        if spun(finished) {
            return;
        }
        *locked(&self.caller) = Some(thread::current());
        self.caller_sleeps.store(true, Ordering::SeqCst);
        while !finished() {
            thread::park();
        }
        self.caller_sleeps.store(false, Ordering::SeqCst);
    }

    /// A worker's life.
    fn serve(&self) {
        let stopped = || self.stop.load(Ordering::SeqCst);
        let called = || self.ticket.load(Ordering::SeqCst) & u64::from(u32::MAX) > 0 || stopped();
        while !stopped() {
            while self.take() {}
            if spun(called) {
                continue;
            }
            let mut bed = locked(&self.bed);
            self.sleepers.fetch_add(1, Ordering::SeqCst);
            // Whoever calls either sees the sleeper, or has called before this look.
            while !called() {
                bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
            }
            self.sleepers.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Spins until something holds; false if it has not for long.
fn spun(holds: impl Fn() -> bool) -> bool {
    let started = Instant::now();
    loop {
        for _ in 0..SPINS {
            if holds() {
                return true;
            }
            spin_loop();
        }
        if started.elapsed() > PATIENCE {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_is_computed_once() {
        for threads in [1, 2, 3, 7] {
            let mut team = Team::new(threads).unwrap();
            for phase in 0..2000_usize {
                let chunks = phase * 7 % 23;
                let counts: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
                team.run(chunks, &|chunk| {
                    counts[chunk].fetch_add(1, Ordering::Relaxed);
                });
                let once = |count: &AtomicUsize| count.load(Ordering::Relaxed) == 1;
                assert!(counts.iter().all(once), "{threads} threads, phase {phase}");
            }
        }
    }

    #[test]
    fn a_sleeping_team_wakes_and_one_at_rest_is_dropped() {
        for _ in 0..20 {
            let mut team = Team::new(3).unwrap();
            let count = AtomicUsize::new(0);
            for _ in 0..3 {
                thread::sleep(PATIENCE * 3);
                team.run(5, &|_| {
                    thread::sleep(PATIENCE * 2);
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
            assert_eq!(count.into_inner(), 15);
            thread::sleep(PATIENCE * 3);
        }
    }

    #[test]
    fn a_panic_in_a_chunk_reaches_the_caller_and_leaves_the_team_usable() {
        let mut team = Team::new(3).unwrap();
        for bad in 0..8 {
            let count = AtomicUsize::new(0);
            let panic = catch_unwind(AssertUnwindSafe(|| {
                team.run(8, &|chunk| {
                    assert_ne!(chunk, bad, "the bad one");
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }));
            assert!(panic.is_err());
            assert_eq!(count.into_inner(), 7, "the others are computed");
        }
        let count = AtomicUsize::new(0);
        team.run(9, &|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.into_inner(), 9);
    }
}
