//! Flags on what computes, and where.

use clap::{Args, ValueEnum};

use super::values::{DeviceName, threads};

/// Where the network computes, and in which type of number.
#[derive(Debug, Clone, Copy, Args)]
pub struct DeviceArgs {
    /// cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "cpu")]
    pub device: DeviceName,
    /// Type of number that cuda and metal compute in; the CPU computes in f32
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub dtype: Precision,
}

/// What computes the network.
#[derive(Debug, Clone, Copy, Args)]
pub struct EngineArgs {
    /// What computes: `cpu`, kernels of this program, layers fused, on the CPU; `candle`, a layer
    /// at a time, on any device [default: cpu where the device is the CPU; for `trace` candle]
    #[arg(long, value_name = "ENGINE")]
    pub engine: Option<EngineName>,
    /// Have the engine cpu leave out its fastest 3x3 convolutions, which round more
    #[arg(long)]
    pub exact: bool,
    /// Threads that compute [default: one for each core]
    #[arg(short = 'j', long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
}

impl EngineArgs {
    /// Whether any of them says how to run the network.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.engine.is_some() || self.exact || self.threads.is_some()
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
}
