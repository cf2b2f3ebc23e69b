//! How to compute, and for what a plan is made.

use super::cores;
use super::isa::Isa;
use super::kernels::WinogradTile;
use crate::error::{Error, Result};
use crate::network::Shape;

/// How an [`Engine`](super::Engine) computes. `threads` changes no bit of the result; `isa` and
/// `winograd` do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads that compute; one for each physical core that this process may use if not given.
    pub threads: Option<usize>,
    /// The instructions to use; [`Isa::detect`] if not given.
    pub isa: Option<Isa>,
    /// The largest of Winograd's tiles that may compute a 3x3 convolution.
    pub winograd: WinogradTile,
}

/// What a plan depends on besides the network and the input's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    pub(super) winograd: WinogradTile,
}

/// More than any machine has cores; starting very many takes minutes.
pub(crate) const MOST_THREADS: usize = 1024;

/// The images that go through an [`Engine`](super::Engine) at once, however many a batch has: more
/// gain nothing, and take more memory.
pub const MICRO_BATCH: usize = 8;

/// The first micro-batch of an input.
pub(crate) fn micro_batch(input: Shape) -> Shape {
    Shape {
        batch: input.batch.min(MICRO_BATCH),
        ..input
    }
}

impl Options {
    /// Decides what they leave open.
    pub(super) fn target(self) -> Result<Target> {
        let threads = self.threads.unwrap_or_else(cores::usable);
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(Error::Usage(format!(
                "expected 1 to {MOST_THREADS} threads, found {threads}"
            )));
        }
        Ok(Target {
            isa: match self.isa {
                Some(isa) => isa.checked()?,
                None => Isa::detect()?,
            },
            threads,
            winograd: self.winograd,
        })
    }
}
