use std::io;

use anyhow::anyhow;

use super::Outcome;
use crate::checkpoint::Weights;
use crate::cli::ModelsArgs;
use crate::error::{Error, Result};
use crate::network::{Network, catalog, trace};
use crate::report::{Format, ListFormat, Model, Models};
use crate::text::shown;

pub(super) fn run(arguments: &ModelsArgs) -> anyhow::Result<Outcome> {
    let embedded = Weights::embedded()?.network;
    let models = chosen(arguments.filter.as_deref())?
        .into_iter()
        .map(|network| model(network, embedded.as_deref()))
        .collect::<Result<_>>()?;
    let models = Models { models };
    match arguments.format {
        ListFormat::Table => super::to_stdout(|out| models.write_within(width(), out))?,
        ListFormat::Json => super::print(&models, Format::Json)?,
        ListFormat::Markdown => super::to_stdout(|out| models.write_markdown(out))?,
    }
    Ok(Outcome::Yes)
}

/// The networks whose names have `text` in them, or the one that goes by that name.
fn chosen(text: Option<&str>) -> anyhow::Result<Vec<&'static Network>> {
    let Some(text) = text else {
        return Ok(catalog::networks().collect());
    };
    let lower = text.to_lowercase();
    let named: Vec<_> = catalog::networks()
        .filter(|network| network.name.contains(&lower))
        .collect();
    if !named.is_empty() {
        return Ok(named);
    }
    match catalog::find(text) {
        Ok(network) => Ok(vec![network]),
        Err(Error::UnknownNetwork { hint, .. }) => Err(anyhow!(
            "no network has `{}` in its name\nhint: {hint}",
            shown(text)
        )),
        Err(error) => Err(error.into()),
    }
}

/// Columns that there are for a table: as many as `COLUMNS` says, else as the terminal has; no
/// bound where the output is no terminal.
fn width() -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    let said = said.and_then(|columns| columns.parse().ok());
    let of_terminal = || Some(terminal_size::terminal_size_of(io::stdout())?.0.0.into());
    said.filter(|&columns| columns > 0).or_else(of_terminal)
}

fn model(network: &Network, embedded: Option<&str>) -> Result<Model> {
    let input = network.input;
    let trace = trace::trace(&network.layers(), input.shape(1))?;
    let published = network.published;
    Ok(Model {
        name: network.name.clone(),
        input: [input.channels, input.height, input.width],
        parameters: trace.parameters,
        macs: trace.macs,
        top1: published.top1,
        hub: published
            .tags
            .iter()
            .map(|tag| format!("hf:timm/{}.{tag}", network.name))
            .collect(),
        convention: network.convention.name,
        embedded: embedded == Some(&network.name),
        summary: network.summary.clone(),
    })
}
