//! Which instructions the kernels use: found once, carried by the plan.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::text::shown;

/// The instructions that kernels use. All kernels compute the same sums; with other vectors their
/// roundings differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Isa {
    /// How many elements go at a time, and by whose instructions.
    pub vectors: Vectors,
    /// What the processor can do with those vectors besides.
    pub features: Features,
}

/// Vectors, each with kernels of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Vectors {
    /// One element at a time, as the formula reads: what the others are tested against.
    Scalar,
    /// Eight elements at a time in plain Rust, for processors without kernels of their own.
    Portable,
    /// x86-64 with AVX2 and FMA: eight elements.
    Avx2,
    /// x86-64 with AVX-512F: sixteen elements.
    Avx512,
}

/// Instructions on vectors that not every processor with those vectors has. No kernel in single
/// precision needs any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Features {
    /// Products of bf16 elements, summed up in single precision (`AVX512_BF16`).
    pub bf16: bool,
    /// Products of 8-bit integers, summed up in 32 bits (`AVX512_VNNI`).
    pub vnni: bool,
}

impl Vectors {
    /// All, the fastest last.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Portable, Self::Avx2, Self::Avx512];

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

    /// What this processor can do with them; none where it lacks them. Nothing else asks it.
    fn detected(self) -> Option<Features> {
        match self {
            Self::Scalar | Self::Portable => Some(Features::default()),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"))
                .then(Features::default),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => is_x86_feature_detected!("avx512f").then(|| Features {
                bf16: is_x86_feature_detected!("avx512bf16"),
                vnni: is_x86_feature_detected!("avx512vnni"),
            }),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 | Self::Avx512 => None,
        }
    }
}

impl Isa {
    /// The environment variable that forces vectors, for tests and bug reports.
    pub const VARIABLE: &'static str = "SENET_ISA";

    /// The name of its vectors.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.vectors.name()
    }

    /// Whether this processor has all of it.
    #[must_use]
    pub fn is_available(self) -> bool {
        let Features { bf16, vnni } = self.features;
        let detected = self.vectors.detected();
        detected.is_some_and(|has| (has.bf16 || !bf16) && (has.vnni || !vnni))
    }

    /// The instruction sets that this processor has, with all their features, the fastest last.
    pub fn available() -> impl Iterator<Item = Self> {
        Vectors::ALL.into_iter().filter_map(|vectors| {
            let features = vectors.detected()?;
            Some(Self { vectors, features })
        })
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
            return Ok(Self::available().last().unwrap_or(Self {
                vectors: Vectors::Scalar,
                features: Features::default(),
            }));
        };
        let name = shown(&name.to_string_lossy());
        let vectors = Vectors::ALL.into_iter().find(|each| each.name() == name);
        let vectors = vectors.ok_or_else(|| {
            Error::Device(format!(
                "`{}` is `{name}`; expected scalar, portable, avx2 or avx512",
                Self::VARIABLE
            ))
        })?;
        let isa = Self {
            vectors,
            features: vectors.detected().unwrap_or_default(),
        };
        isa.checked().map_err(|error| {
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
    /// Instructions that this processor lacks.
    pub fn checked(self) -> Result<Self> {
        if self.is_available() {
            return Ok(self);
        }
        Err(Error::Device(format!("this processor lacks {self}")))
    }
}

/// Written as its name.
impl Serialize for Isa {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
