use std::path::Path;

use super::Outcome;
use crate::checkpoint::{Recognition, Source, Weights};
use crate::cli::InspectArgs;
use crate::error::Result;
use crate::network::{Network, catalog};
use crate::report::{Differences, InspectedTensor, Inspection};

pub(super) fn run(arguments: &InspectArgs) -> anyhow::Result<Outcome> {
    super::threads::start(None)?;
    let (weights, problem) = match (
        super::weights(&arguments.weights, arguments.variant.ema),
        &arguments.weights,
    ) {
        (Ok(weights), _) => (weights, None),
        // What a file says of itself may be wrong: a look at its tensors is still worth something.
        (Err(error), Source::Path(path)) => match undescribed(path, arguments.variant.ema) {
            Ok(weights) => (weights, Some(error.to_string())),
            Err(_) => return Err(error.into()),
        },
        (Err(error), _) => return Err(error.into()),
    };
    let report = inspect(
        &weights,
        (
            arguments.network.as_deref(),
            arguments.variant.head.as_deref(),
        ),
        problem,
    )?;
    super::print(&report, arguments.format)?;
    Ok(if report.is_sound() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

/// The tensors alone; with `ema` those of their running average.
fn undescribed(path: &Path, ema: bool) -> Result<Weights> {
    let weights = Weights::undescribed(path)?;
    if ema { weights.averaged() } else { Ok(weights) }
}

fn inspect(
    weights: &Weights,
    (asked, head): (Option<&str>, Option<&str>),
    problem: Option<String>,
) -> Result<Inspection> {
    let file = weights.file();
    let mut tensors = Vec::new();
    for (name, info) in file.tensors() {
        let flaws = file.nonfinite(&name)?;
        let (start, end) = info.data_offsets;
        tensors.push(InspectedTensor {
            name,
            dtype: info.dtype.to_string(),
            shape: info.shape.clone(),
            bytes: (end - start) as u64,
            nan: flaws.nan,
            infinite: flaws.infinite,
        });
    }
    let numbers = |tensor: &InspectedTensor| tensor.shape.iter().product::<usize>() as u64;
    let asked = asked.map(|name| super::named(name, head)).transpose()?;
    // What a graph describes it is for, whatever else the file says.
    let asked = match (&weights.graph, asked) {
        (Some(graph), None) => Some(super::of_graph(graph, head, |error| {
            weights.file().problem(format!("cannot be run: {error}"))
        })?),
        (_, asked) => asked,
    };
    let stated = asked.as_ref().map(|network| network.name.to_string());
    let stated = stated.or_else(|| weights.network.clone());
    let Fit {
        networks,
        differences,
        problem,
    } = match (&asked, &stated) {
        // Of what was asked for, unlike of what the file says, the user can make sense.
        (Some(asked), _) => compare(weights, &weights.with_classes(asked), problem),
        (None, Some(stated)) => match catalog::find(stated) {
            Ok(network) => compare(weights, &weights.with_classes(network), problem),
            Err(error) => Fit {
                problem: problem.or(Some(error.to_string())),
                ..recognise(weights)
            },
        },
        (None, None) => Fit {
            problem,
            ..recognise(weights)
        },
    };
    Ok(Inspection {
        file: file.name().to_owned(),
        bytes: tensors.iter().map(|tensor| tensor.bytes).sum(),
        numbers: tensors.iter().map(numbers).sum(),
        metadata: file.all_metadata().into_iter().collect(),
        prefix: weights.prefix().map(str::to_owned),
        notes: weights.notes(),
        origin: weights.origin(),
        stated,
        networks,
        differences,
        preprocessing: weights.preprocessing.clone(),
        problem,
        tensors,
    })
}

/// Which networks read the tensors, and what keeps the one in question from it.
struct Fit {
    networks: Vec<String>,
    differences: Option<Differences>,
    problem: Option<String>,
}

/// Whether `network` reads the tensors, and if not, which do.
fn compare(weights: &Weights, network: &Network, problem: Option<String>) -> Fit {
    let layers = network.layers();
    let convention = weights.check_convention(&layers).err();
    let problem = problem.or(convention.map(|error| error.to_string()));
    match weights.mismatch(&layers) {
        None => Fit {
            networks: vec![network.name.to_string()],
            differences: None,
            problem,
        },
        Some(mismatch) => Fit {
            networks: recognise(weights).networks,
            differences: Some(Differences {
                network: network.name.to_string(),
                mismatch,
            }),
            problem,
        },
    }
}

fn recognise(weights: &Weights) -> Fit {
    let (networks, differences) = match weights.recognise() {
        Recognition::One(network) => (vec![network], None),
        Recognition::Ambiguous(networks) => (networks, None),
        Recognition::Unknown { nearest, mismatch } => {
            let network = nearest.name.to_string();
            (Vec::new(), Some(Differences { network, mismatch }))
        }
        Recognition::Foreign => (Vec::new(), None),
    };
    Fit {
        networks: networks
            .iter()
            .map(|network| network.name.to_string())
            .collect(),
        differences,
        problem: None,
    }
}
