//! From flags to what computes a network.

use crate::cli::{DeviceName, EngineArgs, EngineName, Precision};
use crate::cpu::{self, Isa, Options, WinogradTile};
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
        precision,
        engine,
        winograd,
        exact,
        threads,
    } = arguments;
    let on_cpu = device == DeviceName::Cpu;
    // Of the two engines one alone computes in anything but f32 on the CPU.
    let usual = match precision {
        Precision::F32 => usual,
        _ => EngineName::Cpu,
    };
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
    if name == EngineName::Cpu {
        let precision = on_cpu_engine(precision)?;
        super::threads::start(threads)?;
        return Ok(Runtime::Cpu(Options {
            threads,
            winograd: winograd.unwrap_or_default(),
            precision,
            isa: None,
        }));
    }
    let (device, dtype) = super::device(device, precision)?;
    super::threads::start(threads)?;
    Ok(Runtime::Candle { device, dtype })
}

/// What the engine cpu computes in.
///
/// # Errors
///
/// What it does not compute in.
fn on_cpu_engine(asked: Precision) -> Result<cpu::Precision> {
    Ok(match asked {
        Precision::F32 => cpu::Precision::F32,
        Precision::Bf16 => cpu::Precision::Bf16,
        Precision::F16 => {
            return Err(Error::Usage(
                "the engine cpu computes in f32 or bf16, and `--precision f16` was asked for\nhint: \
                 f16 is for `--device cuda` and `metal`"
                    .to_owned(),
            ));
        }
        Precision::Auto => {
            let isa = Isa::detect()?;
            let (fastest, note) = if isa.features.bf16 {
                let note = "computes in bf16, which this processor has instructions for";
                (cpu::Precision::Bf16, note)
            } else {
                let note = "computes in f32, since this processor has no instructions for bf16";
                (cpu::Precision::F32, note)
            };
            super::complain("note", note);
            fastest
        }
    })
}
