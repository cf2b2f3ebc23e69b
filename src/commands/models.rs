use anyhow::anyhow;

use super::Outcome;
use crate::checkpoint::Builtin;
use crate::cli::ModelsArgs;
use crate::error::{Error, Result};
use crate::network::catalog::Named;
use crate::network::{Graph, Network, catalog, trace};
use crate::report::{Format, LeftOut, ListFormat, Model, Models};
use crate::text::{follows, shown};

pub(super) fn run(arguments: &ModelsArgs) -> anyhow::Result<Outcome> {
    let words = (&arguments.network, &arguments.filter);
    if arguments.format == ListFormat::Graph {
        let ((Some(name), _) | (None, Some(name))) = words else {
            return Err(Error::Usage(
                "a graph is of one network, and none is named\nhint: `senet models --network NAME \
                 --format graph`"
                    .to_owned(),
            )
            .into());
        };
        let network = super::named(name, None)?;
        let graph = Graph::of(&network.layers()).to_json();
        super::to_stdout(|out| out.write_all(graph.as_bytes()))?;
        return Ok(Outcome::Yes);
    }
    let (chosen, left_out) = match words {
        (Some(name), _) => only(name)?,
        (None, filter) => chosen(filter.as_deref())?,
    };
    let models = chosen
        .into_iter()
        .map(|(family, network)| model(family, network))
        .collect::<Result<_>>()?;
    let models = Models { models, left_out };
    match arguments.format {
        ListFormat::Table => super::to_stdout(|out| models.write_within(super::width(), out))?,
        ListFormat::Json => super::print(&models, Format::Json)?,
        ListFormat::Markdown => super::to_stdout(|out| models.write_markdown(out))?,
        ListFormat::Graph => {}
    }
    Ok(Outcome::Yes)
}

/// Networks with their family's name, and what is left out.
type Chosen = (Vec<(&'static str, &'static Network)>, Vec<LeftOut>);

/// The network that goes by this name.
fn only(name: &str) -> Result<Chosen> {
    let Named { network, note } = catalog::understand(name)?;
    if let Some(note) = note {
        super::complain("note", &note);
    }
    let families = catalog::FAMILIES.iter();
    let family = families.filter(|family| family.networks.iter().any(|each| each == network));
    Ok((
        family.map(|family| (family.name, network)).collect(),
        Vec::new(),
    ))
}

/// The networks whose names have `text` in them, or follow it as a pattern, or the one that goes
/// by that name.
fn chosen(text: Option<&str>) -> anyhow::Result<Chosen> {
    let networks = || {
        let families = catalog::FAMILIES.iter();
        families.flat_map(|family| family.networks.iter().map(|network| (family.name, network)))
    };
    let left_out = || {
        catalog::LEFT_OUT.iter().flat_map(|each| {
            let reason = each.reason;
            each.names.iter().map(move |name| LeftOut { name, reason })
        })
    };
    let Some(text) = text else {
        return Ok((networks().collect(), left_out().collect()));
    };
    let lower = text.to_lowercase();
    let named: Vec<_> = networks()
        .filter(|(_, network)| is_meant(&lower, &network.name))
        .collect();
    let lacking: Vec<_> = left_out()
        .filter(|each| is_meant(&lower, each.name))
        .collect();
    if !named.is_empty() || !lacking.is_empty() {
        return Ok((named, lacking));
    }
    match catalog::find(text) {
        Ok(found) => {
            let only = networks().filter(|(_, network)| network.name == found.name);
            Ok((only.collect(), Vec::new()))
        }
        Err(Error::UnknownNetwork { hint, .. }) => Err(anyhow!(
            "no network has `{}` in its name\nhint: {hint}",
            shown(text)
        )),
        Err(error) => Err(error.into()),
    }
}

/// Whether `name` has `text` in it; where there is a `*` in the text, whether it is the whole name
/// with anything in each star's place.
fn is_meant(text: &str, name: &str) -> bool {
    if text.contains('*') {
        follows(name, text)
    } else {
        name.contains(text)
    }
}

fn model(family: &'static str, network: &Network) -> Result<Model> {
    let input = network.input;
    let trace = trace::trace(&network.layers(), input.shape(1))?;
    let published = network.published;
    Ok(Model {
        name: network.name.clone(),
        family,
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
        builtin: Builtin::of_network(&network.name).map(|builtin| builtin.to_string()),
        summary: network.summary.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_and_a_text_without_one_for_a_part() {
        let names = ["seresnet50", "seresnet50t", "seresnext50_32x4d", "resnet50"];
        let meant = |text: &str| -> Vec<&str> {
            let all = names.iter().copied();
            all.filter(|name| is_meant(text, name)).collect()
        };
        assert_eq!(meant("resnet50"), ["seresnet50", "seresnet50t", "resnet50"]);
        assert_eq!(meant("resnet50*"), ["resnet50"]);
        assert_eq!(meant("*resnet50"), ["seresnet50", "resnet50"]);
        assert_eq!(meant("*net*"), ["seresnet50", "seresnet50t", "resnet50"]);
        assert_eq!(meant("se*50*"), names[..3]);
        assert_eq!(meant("se*n*t*50"), ["seresnet50"]);
        assert_eq!(meant("*"), names);
        // Nothing of a name is taken twice.
        assert!(!is_meant("seresnet50*50", "seresnet50"));
    }
}
