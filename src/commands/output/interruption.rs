//! Last words of a run that `SIGHUP`, `SIGINT` or `SIGTERM` ends.

#![cfg_attr(
    unix,
    allow(unsafe_code, reason = "the disposition of a signal is asked of libc")
)]

use std::sync::{Arc, Mutex};

use indicatif::ProgressBar;

use super::partial::Partial;
#[cfg(unix)]
use crate::text::counted;

/// Ends the process by the signals that ask for it as if they were not handled, but makes whole
/// what is in `partial` first and says so. A second signal ends it at once.
#[cfg(unix)]
pub(super) fn heed(partial: Arc<Mutex<Partial>>, bar: ProgressBar) {
    use std::sync::atomic::{AtomicBool, Ordering};

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::{flag, low_level};

    let mut heeded = vec![SIGHUP, SIGINT, SIGTERM];
    heeded.retain(|&signal| !is_ignored(signal));
    // The handlers only wake this thread. Where it cannot be started signals do what they do
    // without any of this.
    let wait = move || {
        let Ok(mut signals) = Signals::new(&heeded) else {
            return;
        };
        let is_second = Arc::new(AtomicBool::new(false));
        for &signal in &heeded {
            // Where it fails, a second signal waits until the rows are whole.
            let _ = flag::register_conditional_default(signal, is_second.clone());
        }
        if let Some(signal) = signals.forever().next() {
            is_second.store(true, Ordering::SeqCst);
            // Held until the process has ended, so that nothing is written behind the end.
            let mut partial = super::locked(&partial);
            if partial.end_early() {
                bar.finish_and_clear();
                say(&partial);
            }
            let _ = low_level::emulate_default_handler(signal);
        }
    };
    let thread = std::thread::Builder::new().name("senet-signals".to_owned());
    drop(thread.spawn(wait));
}

/// Elsewhere a signal ends the process without last words.
#[cfg(not(unix))]
pub(super) fn heed(_: Arc<Mutex<Partial>>, _: ProgressBar) {}

#[cfg(unix)]
fn say(partial: &Partial) {
    let path = crate::text::shown_path(partial.path());
    let message = match partial.rows() {
        0 => "interrupted before the first rows".to_owned(),
        rows => format!(
            "interrupted; `{path}` holds {}{}",
            counted(rows, "whole row"),
            partial.how_to_go_on()
        ),
    };
    crate::commands::complain("error", &message);
}

/// Whether this process was started to ignore a signal, as `nohup` and a shell's `&` have it.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action this does no more than to fill in the present one.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: the call has filled it in where it returns 0.
    asked == 0 && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN
}
