//! Which instructions the kernels use: found once, carried by the plan.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::text::shown;

/// A set of kernels. All compute the same sums; their roundings differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Isa {
    /// One number at a time, as the formula reads: what the others are tested against.
    Scalar,
    /// Eight numbers at a time in plain Rust, for processors without kernels of their own.
    Portable,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
}

impl Isa {
    /// All, the fastest last.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Portable, Self::Avx2, Self::Avx512];

    /// The environment variable that forces one, for tests and bug reports.
    pub const VARIABLE: &'static str = "SENET_ISA";

    /// `scalar`, `portable`, `avx2` or `avx512`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar | Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => false,
        }
    }

    /// Those that this processor has, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available())
    }

    /// The one that `SENET_ISA` names, else the fastest there is.
    ///
    /// # Errors
    ///
    /// A name in `SENET_ISA` that is none, or that this processor lacks.
    pub fn detect() -> Result<Self> {
        let name = std::env::var_os(Self::VARIABLE);
        // Empty is unset, as for most variables.
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Ok(Self::available().last().unwrap_or(Self::Scalar));
        };
        let name = shown(&name.to_string_lossy());
        let isa = Self::ALL.into_iter().find(|isa| isa.name() == name);
        isa.ok_or_else(|| {
            Error::Device(format!(
                "`{}` is `{name}`; expected scalar, portable, avx2 or avx512",
                Self::VARIABLE
            ))
        })?
        .checked()
        .map_err(|error| {
            Error::Device(format!(
                "{error}\nhint: leave `{}` out, and the fastest it has is taken",
                Self::VARIABLE
            ))
        })
    }

    /// Itself, where this processor has it.
    ///
    /// # Errors
    ///
    /// One that it lacks.
    pub fn checked(self) -> Result<Self> {
        if self.is_available() {
            return Ok(self);
        }
        Err(Error::Device(format!("this processor lacks {self}")))
    }

    /// Pixels that are computed at once at most: as many as the registers hold the sums of.
    pub(super) fn max_mr(self) -> usize {
        match self {
            // With SSE's vectors of 4, 2 pixels by 16 channels take 8 registers of 16.
            Self::Scalar | Self::Portable => 2,
            Self::Avx2 => 6,
            Self::Avx512 => super::kernels::MAX_MR,
        }
    }

    /// Blocks of output channels whose weights lie together. AVX2's are those of a register tile,
    /// so that its weights are read end to end: every other cache line of a panel would have but
    /// every other place of the cache, and half of it would be lost.
    pub(super) fn nr_blocks(self) -> usize {
        match self {
            Self::Avx2 => 1,
            Self::Scalar | Self::Portable | Self::Avx512 => super::kernels::MAX_NR_BLOCKS,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
