//! The gates of SE blocks, read from the values of layers.

use std::collections::HashMap;

use super::Kept;
use crate::error::{Error, Result};
use crate::network::layers::SEPARATORS;
use crate::network::squeeze_excitation;
use crate::network::{Layer, Layers};

/// What an SE block multiplied each channel by.
#[derive(Debug, Clone, PartialEq)]
pub struct Gates {
    /// The block.
    pub block: String,
    /// A number for each channel, mostly between 0 and 1.
    pub values: Vec<f32>,
}

impl Gates {
    /// The mean of the numbers.
    #[must_use]
    pub fn mean(&self) -> f32 {
        let sum: f64 = self.values.iter().map(|&value| f64::from(value)).sum();
        #[expect(clippy::cast_possible_truncation, reason = "a mean of f32")]
        let mean = (sum / self.values.len().max(1) as f64) as f32;
        mean
    }

    /// The numbers from the largest to the smallest.
    #[must_use]
    pub fn sorted(&self) -> Vec<f32> {
        let mut values = self.values.clone();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    /// The least and the largest of the numbers.
    #[must_use]
    pub fn range(&self) -> [f32; 2] {
        let least = self.values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = self
            .values
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        [least, most]
    }
}

/// Where the gates of a block are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GateLayer {
    pub(super) block: String,
    /// The layer whose values they are.
    pub(super) layer: String,
}

/// The gates of every SE block among `layers`, in the order of computation. A block is called as the
/// group that it is, or where that holds several as the layer that its gates come from.
pub(super) fn find(layers: &Layers) -> Vec<GateLayer> {
    let list = layers.as_slice();
    let blocks = squeeze_excitation::find(layers);
    let gates = blocks.iter().filter_map(|block| {
        let gate = list.get(block.excitation.last()?.last())?;
        let ends = [list.get(block.squeeze)?, list.get(block.scale)?, gate];
        Some(GateLayer {
            block: group(ends).unwrap_or(&gate.name).to_owned(),
            layer: gate.name.clone(),
        })
    });
    let mut gates: Vec<GateLayer> = gates.collect();
    // In a graph one group may hold several blocks.
    let mut counts: HashMap<String, usize> = HashMap::new();
    for gate in &gates {
        *counts.entry(gate.block.clone()).or_default() += 1;
    }
    for gate in &mut gates {
        if counts.get(&gate.block).is_some_and(|&count| count > 1) {
            gate.block.clone_from(&gate.layer);
        }
    }
    gates
}

/// The smallest group that all of these layers are in.
fn group(layers: [&Layer; 3]) -> Option<&str> {
    let [first, others @ ..] = layers;
    let ends = first.name.rmatch_indices(SEPARATORS).map(|(end, _)| end);
    let is_shared = |end: &usize| {
        let group = &first.name[..=*end];
        others.iter().all(|layer| layer.name.starts_with(group))
    };
    ends.into_iter()
        .find(is_shared)
        .map(|end| &first.name[..end])
}

impl GateLayer {
    /// The gates among the values that were kept.
    pub(super) fn read(&self, kept: &Kept) -> Result<Gates> {
        let value = kept.get(&self.layer);
        let value =
            value.ok_or_else(|| Error::Geometry(format!("no value of `{}`", self.layer)))?;
        Ok(Gates {
            block: self.block.clone(),
            values: value.flatten_all()?.to_vec1()?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;
    use crate::network::catalog;

    #[test]
    fn a_block_is_called_by_its_group_and_its_gate_is_the_last_activation() {
        for (network, block, layer, count) in [
            ("seresnet20", "layer1.0.se", "layer1.0.se.sigmoid", 9),
            ("se_block", "sigmoid", "sigmoid", 1),
        ] {
            let gates = find(&catalog::find(network).unwrap().layers());
            let found = (
                gates[0].block.as_str(),
                gates[0].layer.as_str(),
                gates.len(),
            );
            assert_eq!(found, (block, layer, count));
        }
    }

    #[test]
    fn blocks_that_share_a_group_are_called_by_their_gates() {
        let network = catalog::find("seresnet20").unwrap();
        let mut list = network.layers().as_slice().to_vec();
        for layer in &mut list {
            layer.name = format!("all.{}", layer.name.replace('.', "_"));
        }
        let gates = find(&Layers::new("test", network.input, list).unwrap());
        assert_eq!(gates.len(), 9);
        assert!(gates.iter().all(|gate| gate.block == gate.layer));
    }

    #[test]
    fn no_two_blocks_of_the_catalogue_have_one_name() {
        for network in catalog::networks() {
            let gates = find(&network.layers());
            let mut names: Vec<&str> = gates.iter().map(|gate| gate.block.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), gates.len(), "{}", network.name);
        }
    }
}
