use super::Outcome;
use crate::checkpoint::Weights;
use crate::cli::ModelsArgs;
use crate::error::Result;
use crate::network::{Network, catalog, trace};
use crate::report::{Format, ListFormat, Model, Models};

pub(super) fn run(arguments: &ModelsArgs) -> anyhow::Result<Outcome> {
    let embedded = Weights::embedded()?.network;
    let models = catalog::networks()
        .map(|network| model(network, embedded.as_deref()))
        .collect::<Result<_>>()?;
    let models = Models { models };
    match arguments.format {
        ListFormat::Table => super::print(&models, Format::Table)?,
        ListFormat::Json => super::print(&models, Format::Json)?,
        ListFormat::Markdown => super::to_stdout(|out| models.write_markdown(out))?,
    }
    Ok(Outcome::Yes)
}

fn model(network: &Network, embedded: Option<&str>) -> Result<Model> {
    let input = network.input;
    let trace = trace::trace(&network.layers(), input.shape(1))?;
    let published = network.published;
    Ok(Model {
        name: network.name,
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
        embedded: embedded == Some(network.name),
        summary: network.summary,
    })
}
