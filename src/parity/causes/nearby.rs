//! What a segment may read in truth, and how much of it fits into memory.

use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::search::Limits;
use crate::error::Result;
use crate::network::Value;
use crate::nn::Leaf;
use crate::parity::isolation::Known;
use crate::parity::segment::Segment;

/// Layers before and after a segment whose values may be what it reads in truth: a block's.
const NEARBY: usize = 16;

/// The same, before and after the layers whose values a segment reads, which a shortcut's may be far
/// from it.
const NEAR_INPUT: usize = 3;

/// How often a segment is computed as a whole, where hypotheses are of its first layers: some of the
/// hundreds that there are on a block.
const OFTEN: u64 = 200;

impl Known<'_> {
    /// Adds values to a segment that it may read in truth: those of the reference of layers nearby,
    /// and what layers between these make of them.
    pub(super) fn add_nearby(
        &self,
        segment: &mut Segment,
        vb: &VarBuilder,
        images: Images,
    ) -> Result<()> {
        let layers = segment.nodes.iter().map(|node| node.layer);
        let (Some(start), Some(end)) = (layers.clone().min(), layers.max()) else {
            return Ok(());
        };
        let list = self.layers.as_slice();
        let nearby = start.saturating_sub(NEARBY)..=end.saturating_add(NEARBY);
        let read: Vec<usize> = segment
            .reads()
            .iter()
            .filter_map(|value| value.layer())
            .collect();
        let is_near = |layer: usize| {
            let made_read = read.iter().any(|read| read.abs_diff(layer) <= NEAR_INPUT);
            nearby.contains(&layer) || made_read
        };
        let mut values = segment.known.clone();
        for (layer, described) in list.iter().enumerate() {
            let value = Value::of_layer(layer);
            let is_apart = segment.node_of(layer).is_none() && is_near(layer);
            if !is_apart || values.contains_key(&value) {
                continue;
            }
            if self.has(value) {
                values.insert(value, images.of(&self.tensor(value)?)?);
                continue;
            }
            let inputs = described.inputs.iter().map(|input| values.get(input));
            if let Some(inputs) = inputs.collect::<Option<Vec<&Tensor>>>()
                && let Ok(made) = Leaf::load(described, vb).and_then(|leaf| leaf.forward(&inputs))
            {
                values.insert(value, made);
            }
        }
        segment.known = values;
        Ok(())
    }

    /// So many images of a batch that a segment's values fit into memory, and that it can be computed
    /// often: all, or one that differs.
    pub(super) fn images_that_fit(
        &self,
        segment: &Segment,
        limits: Limits,
        worst: Option<usize>,
    ) -> Option<Images> {
        let elements = |value: Value| {
            let elements = self.shape(value).and_then(|shape| shape.elements());
            elements.unwrap_or(0) as u64
        };
        let list = self.layers.as_slice();
        let nodes = segment.nodes.iter().map(|node| node.layer);
        let made = nodes.clone().map(|layer| elements(Value::of_layer(layer)));
        let read = segment.reads().into_iter().map(elements);
        let all = made.chain(read).fold(0, u64::saturating_add);
        let work = nodes
            .map(|layer| {
                let shape = self.shape(Value::of_layer(layer));
                let macs = shape.and_then(|shape| list[layer].operation.macs(shape));
                macs.unwrap_or(0)
            })
            .fold(0, u64::saturating_add);
        let batch = self.shape(Value::INPUT)?.batch;
        if all <= limits.elements && work.saturating_mul(OFTEN) <= limits.work {
            Some(Images::All)
        } else if all / (batch as u64).max(1) <= limits.elements {
            Some(Images::One {
                image: worst.unwrap_or(0),
                batch,
            })
        } else {
            None
        }
    }
}

/// Images of a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Images {
    All,
    One { image: usize, batch: usize },
}

impl Images {
    pub(super) fn of(self, tensor: &Tensor) -> Result<Tensor> {
        match self {
            Self::One { image, batch } if tensor.dim(0)? == batch => {
                Ok(tensor.narrow(0, image, 1)?.contiguous()?)
            }
            _ => Ok(tensor.clone()),
        }
    }
}
