//! From flags to what computes a network.

use crate::cli::{DeviceName, EngineArgs, EngineName};
use crate::cpu::{Options, WinogradTile};
use crate::error::{Error, Result};
use crate::model::Runtime;

/// What the flags ask for; `usual` where they leave the engine for a CPU open. Threads of this
/// process are bounded from here on.
///
/// # Errors
///
/// Flags that do not go together, or a device that is not there.
pub(super) fn runtime(arguments: EngineArgs, usual: EngineName) -> Result<Runtime> {
    let EngineArgs {
        device,
        dtype,
        engine,
        winograd,
        exact,
        threads,
    } = arguments;
    let on_cpu = device == DeviceName::Cpu;
    let name = engine.unwrap_or(if on_cpu { usual } else { EngineName::Candle });
    if name == EngineName::Cpu && !on_cpu {
        return Err(Error::Usage(format!(
            "the engine cpu computes on the CPU, and `--device {device}` was asked for\nhint: leave \
             `--engine` out"
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
    let (device, dtype) = super::device(device, dtype)?;
    super::threads::start(threads)?;
    Ok(match name {
        EngineName::Cpu => Runtime::Cpu(Options {
            threads,
            winograd: winograd.unwrap_or_default(),
            ..Options::default()
        }),
        EngineName::Candle => Runtime::Candle { device, dtype },
    })
}
