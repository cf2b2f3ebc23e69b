//! `SIGHUP`, `SIGINT` and `SIGTERM` end a run behind the batch in hand.

#![cfg_attr(
    unix,
    allow(unsafe_code, reason = "the disposition of a signal is asked of libc")
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::classifier::Stop;

/// Whether a run is to end early.
pub(in crate::commands) struct Interruption(Arc<AtomicI32>);

/// In place of a signal's number.
const NONE: i32 = 0;

impl Interruption {
    /// The signal that asks for the end.
    pub(in crate::commands) fn signal(&self) -> Option<i32> {
        Some(self.0.load(Ordering::SeqCst)).filter(|&signal| signal != NONE)
    }

    /// From now on a signal stops the batches. A second one ends the process at once.
    #[cfg(unix)]
    pub(in crate::commands) fn heed(stop: Stop) -> Self {
        use std::sync::atomic::AtomicBool;

        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        use signal_hook::flag;
        use signal_hook::iterator::Signals;

        let mut heeded = vec![SIGHUP, SIGINT, SIGTERM];
        heeded.retain(|&signal| !is_ignored(signal));
        let found = Self(Arc::new(AtomicI32::new(NONE)));
        let ends_at_once = Arc::new(AtomicBool::new(false));
        for &signal in &heeded {
            // Before what wakes the thread, which would make the first signal the second. Where it
            // fails, a second signal waits until the rows are whole.
            let _ = flag::register_conditional_default(signal, ends_at_once.clone());
        }
        // Here and not on the thread, so that no row is written before it is heeded.
        let Ok(mut signals) = Signals::new(&heeded) else {
            ends_at_once.store(true, Ordering::SeqCst);
            return found;
        };
        let (of_thread, is_second) = (found.0.clone(), ends_at_once.clone());
        let wait = move || {
            if let Some(signal) = signals.forever().next() {
                is_second.store(true, Ordering::SeqCst);
                of_thread.store(signal, Ordering::SeqCst);
                stop.ask();
            }
        };
        let thread = std::thread::Builder::new().name("senet-signals".to_owned());
        if thread.spawn(wait).is_err() {
            // Nobody would say that there was a first.
            ends_at_once.store(true, Ordering::SeqCst);
        }
        found
    }

    /// Elsewhere a signal ends the process as it is.
    #[cfg(not(unix))]
    pub(in crate::commands) fn heed(_: Stop) -> Self {
        Self(Arc::new(AtomicI32::new(NONE)))
    }
}

/// Ends the process by a signal as if that were not handled: 130, 143 or 129 in a shell.
#[cfg(unix)]
pub(in crate::commands) fn end_by(signal: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}

#[cfg(not(unix))]
pub(in crate::commands) fn end_by(_: i32) {}

/// Whether this process was started to ignore a signal, as `nohup` and a shell's `&` have it.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action this does no more than to fill in the present one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: the call has filled it in where it returns 0.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
