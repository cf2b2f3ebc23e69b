//! What can only be seen before Rust's runtime starts: it opens `/dev/null` in place of a
//! standard descriptor that is closed, so that what is written there later is lost without a
//! word. Where it does so cannot be told from a `/dev/null` that somebody chose.

#![allow(
    unsafe_code,
    reason = "a function that runs before `main`, and asks the system about a descriptor"
)]

use std::sync::atomic::{AtomicBool, Ordering};

static STDOUT_IS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when this process started, as by `>&-`.
pub(crate) fn stdout_is_closed() -> bool {
    STDOUT_IS_CLOSED.load(Ordering::Relaxed)
}

/// The system's loader calls what stands here, as it does constructors of C++.
#[cfg(any(target_os = "linux", target_vendor = "apple"))]
#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(
    target_vendor = "apple",
    unsafe(link_section = "__DATA,__mod_init_func")
)]
static LOOK: extern "C" fn() = look;

#[cfg(any(target_os = "linux", target_vendor = "apple"))]
extern "C" fn look() {
    // SAFETY: asks about a number, whatever it stands for; nothing of Rust's runtime is used.
    let is_closed = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } == -1;
    STDOUT_IS_CLOSED.store(is_closed, Ordering::Relaxed);
}
