//! Threads that live as long as the engine.
//!
//! A phase is over when all its *chunks* are done, not when all threads have come by: a thread
//! that another process holds up costs at most the chunk it is at. A thread without work spins
//! for a moment, since the next phase mostly follows at once, and then sleeps.
//!
//! Each thread begins with its own share of the chunks, the same in every phase, and then helps
//! with the others': what a core has written it mostly finds in its own cache when the next phase
//! reads it.
//!
//! # Why it is sound
//!
//! 1. *A phase is published by one store.* The caller writes [`Work`], the count of unfinished
//!    chunks and those of the shares, then stores the count of untaken chunks. Whoever takes a
//!    chunk, which is to lower that count, has read that store, or what others have made of it by
//!    taking chunks in turn, and so sees all of them. Nothing else about a phase is read before a
//!    chunk of it is taken. A thread may look at the count in one phase and lower it in a later
//!    one: then it has taken a chunk of the later one.
//! 2. *A phase is over when all have said so.* Each chunk ends with a decrement of `unfinished`,
//!    and [`Team::run`] returns after it has read the last one's zero: everything that chunks have
//!    written is there for it, and none of them reads `Work` or its closure any more. Between
//!    publishing and that read nothing in `run` can unwind: chunks' panics are caught.
//! 3. *Who has taken a chunk finds one, and nobody else that one.* Which chunk it is says the count
//!    of a share, which gives each index once. A share that was used up stays so until the phase
//!    is over; were all of them used up before a thread has found its chunk, all chunks would be
//!    found for other takings, of which there is at least one less.
//! 4. *Nobody sleeps through a call.* The worker counts itself among the sleepers and then looks
//!    at `untaken`; the caller stores `untaken` and then looks at the sleepers. All four are
//!    `SeqCst`, so at least one sees what the other did; and a caller that sees a sleeper takes its
//!    lock first, which the worker gives up only by waiting for the alarm. The caller's own sleep
//!    follows the same pattern, with `caller_sleeps` and `unfinished`; a late wake-up, of a chunk
//!    of the phase before, finds it in a loop that looks again.
//!
//! (`loom` cannot check this: it takes `SeqCst` accesses, on which 4 rests, for mere acquires and
//! releases, and reports a lost wake-up that the language rules out.)
#![allow(
    unsafe_code,
    reason = "threads that outlive a call borrow its closure for its duration; see `Work`"
)]

use std::any::Any;
use std::cell::UnsafeCell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::share::share;

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

/// What a phase computes: a chunk's index to its work.
#[derive(Clone, Copy)]
struct Work {
    chunk: *const (dyn Fn(usize) + Sync),
    chunks: usize,
}

struct Shared {
    /// Written by the caller while no chunk is unfinished, and read by whoever has taken a chunk
    /// that it has not finished.
    work: UnsafeCell<Option<Work>>,
    /// Chunks of the phase that nobody has taken.
    untaken: AtomicUsize,
    /// Chunks of each thread's share that somebody computes or has computed, and the looks that
    /// came too late.
    begun: Vec<AtomicUsize>,
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
    /// A team of so many, the caller included, or of as many as the system grants: what they
    /// compute does not depend on that.
    pub(super) fn new(threads: usize) -> Self {
        let mut team = Self {
            shared: Arc::new(Shared {
                work: UnsafeCell::new(None),
                untaken: AtomicUsize::new(0),
                begun: (0..threads).map(|_| AtomicUsize::new(0)).collect(),
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
        for index in 1..threads {
            let shared = team.shared.clone();
            let builder = thread::Builder::new().name(format!("senet-{index}"));
            let Ok(worker) = builder.spawn(move || shared.serve(index)) else {
                break;
            };
            team.workers.push(worker);
        }
        team
    }

    /// Has every chunk computed once, and returns when all are.
    ///
    /// # Panics
    ///
    /// With the panic of a chunk, when no other thread is at one.
    pub(super) fn run(&mut self, chunks: usize, work: &(dyn Fn(usize) + Sync)) {
        if self.workers.is_empty() || chunks < 2 {
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
        for begun in &shared.begun {
            begun.store(0, Ordering::Relaxed);
        }
        shared.unfinished.store(chunks, Ordering::Relaxed);
        shared.untaken.store(chunks, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(locked(&shared.bed));
            shared.alarm.notify_all();
        }
        while shared.take(0) {}
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
    /// Takes a chunk for the thread of that index and computes it; false if there is none.
    fn take(&self, thread: usize) -> bool {
        let mut left = self.untaken.load(Ordering::Acquire);
        loop {
            if left == 0 {
                return false;
            }
            match self.untaken.compare_exchange_weak(
                left,
                left - 1,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => break,
                Err(current) => left = current,
            }
        }
        // SAFETY: a chunk of this phase is taken and not finished, so `run` neither writes this
        // nor returns.
        if let Some(work) = unsafe { *self.work.get() } {
            let done = catch_unwind(AssertUnwindSafe(|| {
                let Some(chunk) = self.choose(thread, work.chunks) else {
                    unreachable!("a chunk is taken and none is left");
                };
                // SAFETY: as above: the closure is borrowed by a `run` that has not returned.
                unsafe { (*work.chunk)(chunk) }
            }));
            if let Err(panic) = done {
                let mut first = locked(&self.panic);
                if first.is_none() {
                    *first = Some(panic);
                } else {
                    // What a panic carries may panic again where it is dropped.
                    std::mem::forget(panic);
                }
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

    /// The next chunk for a thread that has taken one: of its own share, or of the next thread's
    /// that has any left.
    fn choose(&self, thread: usize, chunks: usize) -> Option<usize> {
        let shares = self.begun.len();
        (thread..thread + shares).find_map(|owner| {
            let owner = owner % shares;
            let mut share = share(chunks, shares, owner);
            let begun = &self.begun[owner];
            // A look alone leaves the cache line in other cores' caches.
            if begun.load(Ordering::Relaxed) >= share.len() {
                return None;
            }
            share.nth(begun.fetch_add(1, Ordering::Relaxed))
        })
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
    fn serve(&self, thread: usize) {
        let stopped = || self.stop.load(Ordering::SeqCst);
        let called = || self.untaken.load(Ordering::SeqCst) > 0 || stopped();
        while !stopped() {
            while self.take(thread) {}
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
mod tests;
