//! One budget of memory for all images in hand, whatever their number and the number of threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::text::shown_bytes;

/// What all images in hand may take where nobody says otherwise: 2 GiB, in which the largest
/// photographs of today's cameras fit one at a time, and ordinary ones by the dozen.
pub const DEFAULT_MEMORY: u64 = 2 << 30;

/// Memory that images share while they are read, decoded and resized.
///
/// Whoever takes a share knows from the image's header how large it must be, takes it whole,
/// and waits with nothing in hand until others have given back theirs: nobody waits for ever.
/// Shares are given in the order in which they were asked for, so that a large image is not
/// passed by small ones without end.
#[derive(Debug)]
pub struct Budget {
    total: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// The number that the next to wait draws.
    next: u64,
    /// The number whose turn it is.
    turn: u64,
}

/// A part of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(DEFAULT_MEMORY)
    }
}

impl Budget {
    /// A budget of `total` bytes.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self {
            total,
            state: Mutex::new(State {
                free: total,
                next: 0,
                turn: 0,
            }),
            changed: Condvar::new(),
        }
    }

    /// As many of `wanted` bytes as the system can be relied on to give now: half of what it
    /// gives at most where that is less, since the network and the program live beside the images.
    #[must_use]
    pub fn within_reach(wanted: u64) -> Self {
        let mut given = wanted;
        while given > 0 && !is_given(given) {
            given -= given.div_ceil(4);
        }
        Self::new(if given == wanted { wanted } else { given / 2 })
    }

    /// The bytes of all shares together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes `bytes`, waiting until they are free.
    ///
    /// # Errors
    ///
    /// [`Error::Image`] when there are not so many in all, or when the system refuses them.
    pub fn take(&self, bytes: u64) -> Result<Share<'_>> {
        self.check(bytes)?;
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        while state.turn != number || state.free < bytes {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.turn += 1;
        state.free -= bytes;
        drop(state);
        self.changed.notify_all();
        // Given back by its drop where the system refuses.
        let share = Share {
            budget: self,
            bytes,
        };
        share.check_given().map(|()| share)
    }

    /// Refuses what never fits.
    pub(super) fn check(&self, bytes: u64) -> Result<()> {
        if bytes <= self.total {
            return Ok(());
        }
        Err(Error::Image(format!(
            "image too large: it takes {} of memory; all images together may take {}\n\
             hint: `senet classify --memory` changes that",
            shown_bytes(bytes),
            shown_bytes(self.total)
        )))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can panic between two writes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share<'_> {
    /// The size of the whole budget.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it `bytes` large where that is free at once and nobody else waits. Says whether it
    /// did.
    ///
    /// # Errors
    ///
    /// The errors of [`Budget::take`].
    pub fn grow(&mut self, bytes: u64) -> Result<bool> {
        self.budget.check(bytes)?;
        let more = bytes.saturating_sub(self.bytes);
        if more == 0 {
            return Ok(true);
        }
        let mut state = self.budget.lock();
        if state.free < more || state.turn != state.next {
            return Ok(false);
        }
        state.free -= more;
        self.bytes += more;
        drop(state);
        self.check_given().map(|()| true)
    }

    /// Decoders end the process where memory ends, so it is asked for here first.
    fn check_given(&self) -> Result<()> {
        if is_given(self.bytes) {
            return Ok(());
        }
        Err(Error::Image(format!(
            "image too large: it takes {} of memory, which the system refuses",
            shown_bytes(self.bytes)
        )))
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.lock().free += self.bytes;
        self.budget.changed.notify_all();
    }
}

/// Whether the system gives so much memory at this moment.
fn is_given(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    impl Budget {
        fn is_awaited(&self) -> bool {
            let state = self.lock();
            state.turn != state.next
        }
    }

    #[test]
    fn shares_never_exceed_the_budget() {
        let budget = Budget::new(100);
        let (held, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, held, most) = (&budget, &held, &most);
                scope.spawn(move || {
                    for turn in 0..200 {
                        let bytes = (thread * 37 + turn * 11) % 101;
                        let share = budget.take(bytes).unwrap();
                        let now = held.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        most.fetch_max(now, Ordering::SeqCst);
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(share);
                    }
                });
            }
        });
        assert!((1..=100).contains(&most.load(Ordering::SeqCst)));
        assert_eq!(budget.lock().free, 100);
    }

    #[test]
    fn a_share_grows_by_what_is_free_alone() {
        let budget = Budget::new(100);
        let mut one = budget.take(40).unwrap();
        let two = budget.take(40).unwrap();
        assert!(!one.grow(61).unwrap());
        assert!(one.grow(60).unwrap());
        drop(two);
        assert!(one.grow(100).unwrap());
        assert!(one.grow(101).is_err());
        // Others wait, and are passed by nobody who wants more; who has enough goes on.
        thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.take(1).map(drop));
            while !budget.is_awaited() {
                thread::yield_now();
            }
            assert!(one.grow(100).unwrap());
            drop(one);
            waiting.join().unwrap().unwrap();
        });
        let one = budget.take(100).unwrap();
        drop(one);
        assert_eq!(budget.lock().free, 100);
    }

    #[test]
    fn what_never_fits_is_refused_at_once() {
        let error = Budget::new(1 << 30).take(3 << 30).unwrap_err();
        assert_eq!(
            error.to_string(),
            "image too large: it takes 3.0 GiB of memory; all images together may take 1.0 GiB\n\
             hint: `senet classify --memory` changes that"
        );
    }

    #[test]
    fn what_the_system_refuses_is_an_error_and_given_back() {
        let budget = Budget::new(u64::MAX);
        let error = budget.take(u64::MAX).unwrap_err();
        assert!(
            error.to_string().ends_with("which the system refuses"),
            "{error}"
        );
        assert_eq!(budget.lock().free, u64::MAX);
    }

    #[test]
    fn a_budget_is_no_more_than_the_system_gives() {
        assert_eq!(Budget::within_reach(1 << 20).total(), 1 << 20);
        // No address space is as large.
        let total = Budget::within_reach(u64::MAX).total();
        assert!((1..u64::MAX / 4).contains(&total), "{total}");
    }
}
