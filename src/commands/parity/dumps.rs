//! `senet parity --ours`: two dumps compared, and no weights.

use std::path::Path;

use super::super::{self as commands, Outcome};
use crate::cli::ParityArgs;
use crate::error::Error;
use crate::files::are_one;
use crate::parity::{Aliases, ComparedDumps, Dump, Tolerance, compare_dumps};
use crate::report::DumpParity;
use crate::text::shown_path;

pub(super) fn run(arguments: &ParityArgs, ours: &Path) -> anyhow::Result<Outcome> {
    let reference = arguments.reference.as_path();
    if are_one(ours, reference) {
        return Err(Error::Usage(format!(
            "`{}` is given as `--ours` and as `--reference`: a dump is always equal to itself",
            shown_path(ours)
        ))
        .into());
    }
    let (ours, reference) = (Dump::open(ours)?, Dump::open(reference)?);
    let aliases = match &arguments.alias {
        Some(alias) => Aliases::open(alias)?,
        None => Aliases::default(),
    };
    let network = match arguments.network.as_deref() {
        Some(name) => Some(commands::network(
            Some(name),
            None,
            arguments.widths,
            arguments.variant.head.as_deref(),
        )?),
        None => None,
    };
    let layers = network.map(|network| network.layers());
    let tolerance = super::tolerance(arguments, Tolerance::default());
    let ComparedDumps {
        values,
        aliases,
        layouts: [of_ours, of_reference],
        only_ours,
        only_reference,
    } = compare_dumps(&ours, &reference, &aliases, layers.as_ref(), tolerance)?;
    let first = values.iter().find(|value| !value.passed);
    let report = DumpParity {
        passed: first.is_none(),
        ours: ours.summary(of_ours),
        reference: reference.summary(of_reference),
        network: layers.map(|layers| layers.name().to_owned()),
        atol: tolerance.absolute,
        rtol: tolerance.relative,
        aliases,
        only_ours,
        only_reference,
        first_divergence: first.map(|value| value.name.clone()),
        layers: values,
        width: commands::width(),
    };
    commands::print_as(&report, arguments.format, DumpParity::write_page)?;
    Ok(if report.passed {
        Outcome::Yes
    } else {
        Outcome::No
    })
}
