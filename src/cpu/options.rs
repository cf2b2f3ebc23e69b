//! How to compute, and for what a plan is made.

use serde::{Serialize, Serializer};

use super::cores;
use super::isa::{Isa, Vectors};
use super::kernels::WinogradTile;
use crate::error::{Error, Result};
use crate::network::Shape;

/// How an [`Engine`](super::Engine) computes. `threads` changes no bit of the result; all else
/// does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads that compute; one for each physical core that this process may use if not given.
    pub threads: Option<usize>,
    /// The instructions to use; [`Isa::detect`] if not given.
    pub isa: Option<Isa>,
    /// The largest of Winograd's tiles that may compute a 3x3 convolution.
    pub winograd: WinogradTile,
    /// What maps and weights are rounded to.
    pub precision: Precision,
}

/// What maps, and the weights that they are multiplied by, are rounded to. Sums, what is done to
/// them before they are stored, gates and classifiers are in single precision always.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single precision.
    #[default]
    F32,
    /// bfloat16: half the memory, and on processors with instructions for it
    /// ([`Features::bf16`](super::Features)) twice as many products at a time.
    Bf16,
}

impl Precision {
    /// `f32` or `bf16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl Serialize for Precision {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a plan depends on besides the network and the input's shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) isa: Isa,
    pub(super) threads: usize,
    pub(super) winograd: WinogradTile,
    pub(super) precision: Precision,
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

impl Isa {
    /// Its kernels for that precision: without instructions for bf16, AVX-512 has no vectors for
    /// it but AVX2's, which give the same bits.
    fn computing(self, precision: Precision) -> Self {
        match (precision, self.vectors) {
            (Precision::Bf16, Vectors::Avx512) if !self.features.bf16 => Self {
                vectors: Vectors::Avx2,
                ..self
            },
            _ => self,
        }
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
        let isa = match self.isa {
            Some(isa) => isa.checked()?,
            None => Isa::detect()?,
        };
        Ok(Target {
            isa: isa.computing(self.precision),
            threads,
            precision: self.precision,
            winograd: self.winograd,
        })
    }
}
