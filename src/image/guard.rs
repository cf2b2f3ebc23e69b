//! A hostile file that finds a decoder's panic costs its own row alone, and says so once.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};

use crate::error::{Error, Result};

thread_local! {
    /// Whether this thread works on an image whose panic becomes an error.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` on an image; where that panics, the error that `panicked` makes.
pub(super) fn guarded<T>(
    panicked: impl FnOnce() -> Error,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let outer = GUARDED.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(outer);
    done.unwrap_or_else(|_| Err(panicked()))
}

/// Keeps panics that become an image's error off standard error; all others are told as before.
///
/// It changes the panic hook of the whole process, which is the program's to decide: the library
/// never calls it.
pub fn silence_decoders() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !GUARDED.get() {
            tell(panic);
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error() {
        let panicked = || Error::Image("its decoder panicked".to_owned());
        let error = guarded::<()>(panicked, || panic!("as a decoder might")).unwrap_err();
        assert_eq!(error.to_string(), "its decoder panicked");
        assert!(!GUARDED.get());
    }
}
