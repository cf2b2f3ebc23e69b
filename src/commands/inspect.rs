use super::Outcome;
use crate::checkpoint::{Recognition, Weights};
use crate::cli::InspectArgs;
use crate::error::Result;
use crate::network::catalog;
use crate::report::{Differences, InspectedTensor, Inspection};

pub(super) fn run(arguments: &InspectArgs) -> anyhow::Result<Outcome> {
    let weights = super::weights(&arguments.weights)?;
    let report = inspect(&weights, arguments.network.as_deref())?;
    super::print(&report, arguments.format)?;
    Ok(if report.is_sound() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn inspect(weights: &Weights, asked: Option<&str>) -> Result<Inspection> {
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
    let stated = asked.map(str::to_owned).or_else(|| weights.network.clone());
    let (networks, differences) = fitting(weights, stated.as_deref())?;
    Ok(Inspection {
        file: file.name().to_owned(),
        bytes: tensors.iter().map(|tensor| tensor.bytes).sum(),
        numbers: tensors.iter().map(numbers).sum(),
        metadata: file.all_metadata().into_iter().collect(),
        origin: weights.origin(),
        stated,
        networks,
        differences,
        tensors,
    })
}

/// The networks that read the tensors, or how they differ from those of the stated or closest.
fn fitting(weights: &Weights, stated: Option<&str>) -> Result<(Vec<String>, Option<Differences>)> {
    let (network, mismatch) = match stated {
        Some(stated) => {
            let network = weights.with_classes(catalog::find(stated)?);
            match weights.mismatch(&network) {
                None => return Ok((vec![network.name.to_owned()], None)),
                Some(mismatch) => (network, mismatch),
            }
        }
        None => match weights.recognise() {
            Recognition::One(network) => return Ok((vec![network.name.to_owned()], None)),
            Recognition::Ambiguous(networks) => {
                let names = networks.iter().map(|network| network.name.to_owned());
                return Ok((names.collect(), None));
            }
            Recognition::Unknown { nearest, mismatch } => (nearest, mismatch),
        },
    };
    let network = network.name.to_owned();
    Ok((Vec::new(), Some(Differences { network, mismatch })))
}
