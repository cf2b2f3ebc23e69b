use std::fmt;
use std::str::FromStr;

use crate::text::shown;

/// Weights that are part of the program.
///
/// ```
/// use senet::checkpoint::{Builtin, Weights};
///
/// let weights = Weights::builtin(Builtin::SeResNet20)?;
/// assert_eq!(weights.network.as_deref(), Some("seresnet20"));
/// assert_eq!(Builtin::default(), Builtin::EfficientNetLite0);
/// # Ok::<(), senet::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Builtin {
    /// EfficientNet-Lite0, trained on ImageNet-1k by others: what a photograph is classified with
    /// where no weights are named.
    #[default]
    EfficientNetLite0,
    /// SE-ResNet-20, trained on CIFAR-10 by this project: small, and with a gate in every block.
    SeResNet20,
}

impl Builtin {
    /// Every one there is, the one that `senet classify` uses first.
    pub const ALL: [Self; 2] = [Self::EfficientNetLite0, Self::SeResNet20];

    /// What stands before their names, where one says where weights are.
    pub const PREFIX: &'static str = "builtin:";

    /// The name behind `builtin:`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::EfficientNetLite0 => "efficientnet_lite0",
            Self::SeResNet20 => "seresnet20",
        }
    }

    /// The catalogue's name of the network that they are for.
    #[must_use]
    pub fn network(self) -> &'static str {
        match self {
            Self::EfficientNetLite0 => "tf_efficientnet_lite0",
            Self::SeResNet20 => "seresnet20",
        }
    }

    /// What they were trained on, in a line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::EfficientNetLite0 => {
                "EfficientNet-Lite0, the 1000 classes of ImageNet-1k (Apache-2.0)"
            }
            Self::SeResNet20 => "SE-ResNet-20, the 10 classes of CIFAR-10",
        }
    }

    /// Those for a network of the catalogue.
    #[must_use]
    pub fn of_network(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.network() == name)
    }

    /// Their safetensors file.
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::EfficientNetLite0 => {
                include_bytes!("../../weights/efficientnet_lite0.safetensors")
            }
            Self::SeResNet20 => include_bytes!("../../weights/seresnet20.safetensors"),
        }
    }

    /// All of them, as a message names them.
    #[must_use]
    pub fn names() -> String {
        Self::ALL.map(|each| format!("`{each}`")).join(" and ")
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, self.name())
    }
}

impl FromStr for Builtin {
    type Err = String;

    /// The name behind `builtin:`.
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|each| each.name() == name);
        found.ok_or_else(|| {
            format!(
                "`{}{}` is not inside this program; {} are",
                Self::PREFIX,
                shown(name),
                Self::names()
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Weights;

    #[test]
    fn every_one_fits_the_network_that_it_says() {
        for builtin in Builtin::ALL {
            let weights = Weights::builtin(builtin).unwrap();
            let network = weights.network().unwrap();
            assert_eq!(network.name, builtin.network());
            assert_eq!(weights.mismatch(&network.layers()), None);
            assert_eq!(weights.labels.unwrap().len(), network.layers().outputs());
            assert!(weights.preprocessing.is_some());
            assert_eq!(Builtin::of_network(&network.name), Some(builtin));
            assert_eq!(builtin.name().parse(), Ok(builtin));
        }
    }
}
