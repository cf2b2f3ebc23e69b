use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use super::Model;
use crate::checkpoint::Weights;
use crate::cpu::{self, Engine, Precision};
use crate::error::Result;
use crate::network::{Layers, Shape};
use crate::nn::SeNet;

/// What computes a network, and where.
#[derive(Debug, Clone)]
pub enum Runtime {
    /// The kernels of this crate, on the CPU.
    Cpu(cpu::Options),
    /// candle, a layer at a time.
    Candle {
        /// The device that candle computes on.
        device: Device,
        /// The type of number that it computes in; a CPU is quick in single precision alone.
        dtype: DType,
    },
}

impl Default for Runtime {
    /// The kernels of this crate, with a thread for each core.
    fn default() -> Self {
        Self::Cpu(cpu::Options::default())
    }
}

impl Runtime {
    /// `cpu` or `candle`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Candle { .. } => "candle",
        }
    }

    /// The device that the network is computed on.
    #[must_use]
    pub fn device(&self) -> &Device {
        match self {
            Self::Cpu(_) => &Device::Cpu,
            Self::Candle { device, .. } => device,
        }
    }

    /// The type of number that values are rounded to.
    #[must_use]
    pub fn dtype(&self) -> DType {
        match self {
            Self::Cpu(options) => match options.precision {
                Precision::F32 => DType::F32,
                Precision::Bf16 => DType::BF16,
            },
            Self::Candle { dtype, .. } => *dtype,
        }
    }

    /// The type of number that weights are to be read in.
    #[must_use]
    pub fn weights_dtype(&self) -> DType {
        match self {
            Self::Cpu(_) => DType::F32,
            Self::Candle { dtype, .. } => *dtype,
        }
    }

    /// Loads `layers` from `weights`, ready for inputs of this shape.
    ///
    /// # Errors
    ///
    /// Weights of another network, or an input that the network cannot take.
    pub fn load(&self, layers: &Layers, weights: &Weights, input: Shape) -> Result<Box<dyn Model>> {
        let vb = weights.var_builder(layers, self.weights_dtype(), self.device())?;
        self.build(layers.clone(), vb, input)
    }

    /// Loads `layers` from wherever `vb` finds their tensors, ready for inputs of this shape.
    ///
    /// # Errors
    ///
    /// Tensors of another network, or an input that the network cannot take.
    pub fn build(
        &self,
        layers: Layers,
        vb: VarBuilder<'static>,
        input: Shape,
    ) -> Result<Box<dyn Model>> {
        Ok(match self {
            Self::Cpu(options) => Box::new(Engine::for_input(layers, input, vb, *options)?),
            Self::Candle { .. } => Box::new(SeNet::new(layers, vb)?),
        })
    }
}
