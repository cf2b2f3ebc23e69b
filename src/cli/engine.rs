//! Flags on what computes, and where.

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use super::values::{DeviceName, threads};
use crate::cpu::WinogradTile;

/// What computes the network, where, and in which type of number.
#[derive(Debug, Clone, Copy, Args)]
pub struct EngineArgs {
    /// cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
    /// Type of number to compute in: on the engine cpu f32, bf16, whose sums are in f32, or `auto`,
    /// the faster of the two on this processor; on cuda and metal f32, f16 or bf16
    #[arg(long, value_enum, alias = "dtype", default_value_t = Precision::F32)]
    pub precision: Precision,
    /// What computes: `cpu`, kernels of this program, layers fused, on the CPU; `candle`, a layer
    /// at a time, on any device [default: cpu where the device is the CPU; for `trace` candle]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<EngineName>,
    /// The largest Winograd tile that may compute a 3x3 convolution on the engine cpu: the larger,
    /// the faster, and the more it rounds [default: 4x4]
    #[arg(long, value_enum, value_name = "TILE")]
    pub winograd: Option<WinogradTile>,
    /// What `--winograd 2x2` was called at first; accepted until 1.0
    #[arg(long, hide = true, conflicts_with = "winograd")]
    pub exact: bool,
    /// Threads that compute [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

impl EngineArgs {
    /// Whether any of them says how to run the network, besides where.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.engine.is_some() || self.winograd.is_some() || self.exact || self.threads.is_some()
    }
}

impl ValueEnum for WinogradTile {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::F4x4, Self::F2x2]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// What computes a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// This program's own kernels, for the CPU.
    Cpu,
    /// candle, on any device.
    Candle,
}

impl EngineName {
    /// `cpu` or `candle`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Candle => "candle",
        }
    }
}

/// A type of number to compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Half precision.
    F16,
    /// The upper half of single precision.
    Bf16,
    /// The fastest that there are instructions for.
    Auto,
}
