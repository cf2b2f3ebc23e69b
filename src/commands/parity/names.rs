//! `senet parity --names`: what a dump's names mean, without computing anything.

use super::super::{self as commands, Outcome};
use crate::cli::ParityArgs;
use crate::error::Error;
use crate::parity::{Extra, NamedValues};
use crate::report::{DumpNames, PageFormat};

pub(super) fn run(arguments: &ParityArgs) -> anyhow::Result<Outcome> {
    if arguments.format == PageFormat::Html {
        return Err(Error::Usage(
            "`--format html` draws errors, and `--names` compares nothing\nhint: leave one of the \
             two out"
                .to_owned(),
        )
        .into());
    }
    let weights = commands::named_weights(arguments.weights.as_ref(), arguments.variant.ema)?;
    if weights.is_none() && arguments.network.is_none() {
        return Err(Error::Usage(
            "`--names` needs to know the network\nhint: name it with `--network`, or its weights \
             with `--weights`"
                .to_owned(),
        )
        .into());
    }
    let network = commands::network(
        arguments.network.as_deref(),
        weights.as_ref(),
        arguments.widths,
        arguments.variant.head.as_deref(),
    )?;
    let layers = network.layers();
    // Those that mean nothing are what is looked for: they are listed, whatever becomes of them.
    let reference = super::reference(arguments)?.with_extra(Extra::Ignore);
    let NamedValues { values, extra } = reference.named(&layers)?;
    let known = extra.is_empty() || arguments.extra == Extra::Ignore;
    let report = DumpNames {
        network: layers.name().to_owned(),
        framework: reference.framework().map(str::to_owned),
        values,
        extra,
    };
    commands::print_as(&report, arguments.format, |_, _| Ok(()))?;
    Ok(if known { Outcome::Yes } else { Outcome::No })
}
