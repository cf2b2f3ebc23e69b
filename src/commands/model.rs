//! From flags to a network that is ready to run.

use candle_core::{DType, Device};
use candle_nn::VarBuilder;

use crate::checkpoint::Weights;
use crate::cli::{DeviceArgs, DeviceName, EngineArgs, EngineName};
use crate::cpu::{Engine, Options, WinogradTile};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::network::{Network, Shape};
use crate::nn::SeNet;

/// What is to compute, and where.
#[derive(Debug, Clone)]
pub(super) struct Engines {
    pub(super) name: EngineName,
    pub(super) device: Device,
    pub(super) dtype: DType,
    pub(super) options: Options,
}

impl Engines {
    /// What the flags ask for; `usual` where they leave the engine for a CPU open. Threads of
    /// this process are bounded from here on.
    ///
    /// # Errors
    ///
    /// Flags that do not go together, or a device that is not there.
    pub(super) fn choose(
        arguments: EngineArgs,
        device: DeviceArgs,
        usual: EngineName,
    ) -> Result<Self> {
        let EngineArgs {
            engine,
            winograd,
            exact,
            threads,
        } = arguments;
        let on_cpu = device.device == DeviceName::Cpu;
        let name = engine.unwrap_or(if on_cpu { usual } else { EngineName::Candle });
        if name == EngineName::Cpu && !on_cpu {
            return Err(Error::Usage(format!(
                "the engine cpu computes on the CPU, and `--device {}` was asked for\nhint: \
                 leave `--engine` out",
                device.device
            )));
        }
        let winograd = winograd.or(exact.then_some(WinogradTile::F2x2));
        if exact {
            super::complain(
                "note",
                "`--exact` is now `--winograd 2x2`, and goes with version 1.0",
            );
        }
        if name == EngineName::Candle && winograd.is_some() {
            return Err(Error::Usage(
                "`--winograd` is for `--engine cpu`; candle has no other way".to_owned(),
            ));
        }
        let (device, dtype) = super::device(device)?;
        super::threads::start(threads)?;
        Ok(Self {
            name,
            device,
            dtype,
            options: Options {
                threads,
                winograd: winograd.unwrap_or_default(),
                ..Options::default()
            },
        })
    }

    /// Loads `network` from `weights`, ready for inputs of this shape.
    ///
    /// # Errors
    ///
    /// Weights of another network, or an input that the network cannot take.
    pub(super) fn load(
        &self,
        network: &Network,
        weights: &Weights,
        input: Shape,
    ) -> Result<Box<dyn Model>> {
        let vb = weights.var_builder(network, self.dtype, &self.device)?;
        self.build(network, vb, input)
    }

    /// Loads `network` from wherever `vb` finds its tensors.
    ///
    /// # Errors
    ///
    /// Tensors of another network, or an input that the network cannot take.
    pub(super) fn build(
        &self,
        network: &Network,
        vb: VarBuilder<'static>,
        input: Shape,
    ) -> Result<Box<dyn Model>> {
        Ok(match self.name {
            EngineName::Cpu => Box::new(Engine::for_input(network, input, vb, self.options)?),
            EngineName::Candle => Box::new(SeNet::new(network, vb)?),
        })
    }
}
