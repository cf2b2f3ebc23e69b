use super::Outcome;
use crate::checkpoint::Weights;
use crate::cli::ModelsArgs;
use crate::error::Result;
use crate::network::{Network, catalog, trace};
use crate::report::{Model, Models};

pub(super) fn run(arguments: &ModelsArgs) -> anyhow::Result<Outcome> {
    let embedded = Weights::embedded()?.network;
    let models = catalog::NETWORKS
        .iter()
        .map(|network| model(network, embedded.as_deref()))
        .collect::<Result<_>>()?;
    super::print(&Models { models }, arguments.format)?;
    Ok(Outcome::Yes)
}

fn model(network: &Network, embedded: Option<&str>) -> Result<Model> {
    let input = network.input;
    let trace = trace::trace(&network.layers(), input.shape(1))?;
    Ok(Model {
        name: network.name,
        input: [input.channels, input.height, input.width],
        parameters: trace.parameters,
        macs: trace.macs,
        convention: network.convention.name,
        embedded: embedded == Some(network.name),
        summary: network.summary,
    })
}
