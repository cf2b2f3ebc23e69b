//! The networks by name, one file per family, one row per network.

mod blocks;
mod resnet;

pub use blocks::{SE_BLOCK, SE_BOTTLENECK};

use super::Network;
use crate::error::{Error, Result};

/// Every network, in the order that `senet models` lists them.
pub const NETWORKS: &[Network] = &[
    SE_BLOCK,
    SE_BOTTLENECK,
    resnet::SERESNET20,
    resnet::SERESNET32,
    resnet::SERESNET44,
    resnet::SERESNET56,
    resnet::SERESNET110,
    resnet::RESNET20,
    resnet::RESNET32,
    resnet::RESNET44,
    resnet::RESNET56,
    resnet::RESNET110,
    resnet::KERAS_SERESNET50,
    resnet::KERAS_RESNET50,
];

/// The network called `name`.
///
/// # Errors
///
/// An unknown name, with the nearest known one as a hint.
pub fn find(name: &str) -> Result<&'static Network> {
    NETWORKS
        .iter()
        .find(|network| network.name == name)
        .ok_or_else(|| Error::UnknownNetwork {
            name: name.to_owned(),
            hint: nearest(name),
        })
}

fn nearest(name: &str) -> String {
    let distance = |network: &Network| strsim::damerau_levenshtein(name, network.name);
    match NETWORKS.iter().min_by_key(|network| distance(network)) {
        // Further apart than that, two names share little more than their length.
        Some(network) if distance(network) <= network.name.len() / 3 => {
            format!("did you mean `{}`?", network.name)
        }
        _ => "`senet models` lists the networks there are".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest_as_a_hint() {
        let error = find("seresnet21").unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown network `seresnet21`\nhint: did you mean `seresnet20`?"
        );
        let error = find("zzz").unwrap_err().to_string();
        assert!(error.ends_with("`senet models` lists the networks there are"));
    }
}
