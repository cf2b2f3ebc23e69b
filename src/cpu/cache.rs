//! Plans and packed weights, kept from one run to the next.

use std::collections::HashMap;
use std::sync::Arc;

use super::pack::{PackedBytes, PackedWeight};
use super::plan::Plan;
use crate::network::Shape;

/// Plans that are kept. With one more all others go, and the weights that only they needed.
const PLANS: usize = 16;

/// The plans of the last shapes that were met, and their weights.
#[derive(Default)]
pub(super) struct PlanCache {
    plans: HashMap<Shape, Arc<ReadyPlan>>,
    weights: Vec<(PackedWeight, PackedBytes)>,
}

/// A plan, and its weights in their order.
pub(super) struct ReadyPlan {
    pub(super) plan: Plan,
    pub(super) weights: Vec<PackedBytes>,
}

impl PlanCache {
    pub(super) fn plan(&self, shape: Shape) -> Option<Arc<ReadyPlan>> {
        self.plans.get(&shape).cloned()
    }

    /// All weights that it has.
    pub(super) fn weights(&self) -> Vec<(PackedWeight, PackedBytes)> {
        self.weights.clone()
    }

    /// Keeps a plan and those of `weights` that it did not have. The plan's are among these.
    pub(super) fn keep(
        &mut self,
        shape: Shape,
        plan: Plan,
        weights: &[(PackedWeight, PackedBytes)],
    ) -> Arc<ReadyPlan> {
        let packed = |weight: &PackedWeight| {
            let (_, bytes) = weights.iter().find(|(known, _)| known == weight)?;
            Some(bytes.clone())
        };
        let ready = Arc::new(ReadyPlan {
            weights: plan.weights.iter().filter_map(packed).collect(),
            plan,
        });
        for (weight, bytes) in weights {
            if !self.weights.iter().any(|(known, _)| known == weight) {
                self.weights.push((*weight, bytes.clone()));
            }
        }
        if self.plans.len() >= PLANS {
            self.plans.clear();
            let needed = &ready.plan.weights;
            self.weights.retain(|(weight, _)| needed.contains(weight));
        }
        self.plans.insert(shape, ready.clone());
        ready
    }
}
