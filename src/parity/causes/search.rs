//! Which hypothesis explains a value, if any.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::explanation::{Element, Explanation, Found, Hypothesis};
use super::nearby::Images;
use super::precision::Precision;
use super::subject::{Attempt, Subject};
use super::{Cause, OF_LAYERS, OF_SEGMENTS};
use crate::error::Result;
use crate::parity::Tolerance;
use crate::parity::comparison::unravel;
use crate::parity::difference::{Difference, apart, elements, significant};
use crate::parity::isolation::{Isolated, Isolation};
use crate::parity::segment::{Edit, Edited, Segment, shape_of};

/// An error that falls to less than this share of what it was, and to the tolerance, is explained.
/// Less would let a wrong hypothesis pass that brings an error of twice the tolerance below it.
const FALL: f64 = 0.1;

/// Explanations whose errors differ by less than this factor explain a difference equally: what
/// remains is rounding.
const EQUAL: f64 = 10.;

/// What remains where double precision computes the same sums in another order, relative to the
/// largest magnitude.
const ROUNDING: f64 = 1e-12;

/// Elements that are shown where nothing explains a difference.
const MOST_SHOWN: usize = 3;

/// How much the hypotheses on one value may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Multiplications and additions: with these, some 15 s on a core.
    pub(super) work: u64,
    /// Elements of a segment's values that are in memory at one time: 8 bytes each.
    pub(super) elements: u64,
}

impl Limits {
    pub(super) const USUAL: Self = Self {
        work: 60_000_000_000,
        elements: 100_000_000,
    };
}

/// Tries to explain the first `most` of the values in `isolated`, which are those of `isolation`,
/// that are not within the tolerance.
///
/// # Errors
///
/// A reference that cannot be read, or tensors that are missing.
pub fn explain(
    isolation: &Isolation,
    isolated: &[Isolated],
    most: usize,
) -> Result<Vec<Explanation>> {
    explain_within(isolation, isolated, most, Limits::USUAL)
}

pub(super) fn explain_within(
    isolation: &Isolation,
    isolated: &[Isolated],
    most: usize,
    limits: Limits,
) -> Result<Vec<Explanation>> {
    let mut explained: Vec<usize> = Vec::new();
    let mut explanations = Vec::new();
    for ((_, position), isolated) in isolation.named.iter().zip(isolated) {
        // Names of one value need one explanation.
        if isolated.passed || explained.contains(position) {
            continue;
        }
        if explanations.len() == most {
            break;
        }
        explained.push(*position);
        explanations.push(explain_value(isolation, *position, isolated, limits)?);
    }
    Ok(explanations)
}

fn explain_value(
    isolation: &Isolation,
    position: usize,
    isolated: &Isolated,
    limits: Limits,
) -> Result<Explanation> {
    let (known, vb) = (&isolation.known, &isolation.vb);
    let mut segment = known.segment(position)?;
    let worst_image = isolated
        .worst
        .as_ref()
        .and_then(|worst| worst.first().copied());
    let Some(images) = known.images_that_fit(&segment, limits, worst_image) else {
        return Ok(Explanation::untried(isolated));
    };
    segment.load(vb)?;
    for tensor in segment.known.values_mut() {
        *tensor = images.of(tensor)?;
    }
    known.add_nearby(&mut segment, vb, images)?;
    let theirs = images.of(&known.reference.tensor(&isolated.name)?)?;
    let search = Search::new(&segment, &theirs, images, isolation.tolerance, limits)?;
    search.explanation(isolated)
}

struct Search<'a> {
    segment: &'a Segment<'a>,
    /// The values of its nodes, as far as they can be computed.
    values: Vec<Option<Tensor>>,
    theirs: Vec<f64>,
    /// Of the reference's value, as far as they tell shapes apart.
    dims: Vec<usize>,
    tolerance: Tolerance,
    /// Which of the batch are looked at.
    images: Images,
    limits: Limits,
    /// What the reference has computed in, where that shows.
    precision: Option<Precision>,
    before: Difference,
}

/// An attempt that was tried.
struct Tried {
    attempt: Attempt,
    difference: Difference,
}

impl<'a> Search<'a> {
    fn new(
        segment: &'a Segment,
        theirs: &Tensor,
        images: Images,
        tolerance: Tolerance,
        limits: Limits,
    ) -> Result<Self> {
        let values = segment.possible_values();
        let dims = significant(theirs.dims()).to_vec();
        let theirs = elements(theirs)?;
        let mut search = Self {
            segment,
            values: Vec::new(),
            precision: Precision::of_all(&theirs),
            theirs,
            dims,
            tolerance,
            images,
            limits,
            before: Difference::OF_SHAPES,
        };
        if let Some(Some(ours)) = values.last() {
            search.before = search.difference(ours);
        }
        search.values = values;
        Ok(search)
    }

    fn difference(&self, ours: &Tensor) -> Difference {
        if significant(ours.dims()) != self.dims {
            return Difference::OF_SHAPES;
        }
        elements(ours).map_or(Difference::OF_SHAPES, |ours| {
            Difference::between(&ours, &self.theirs)
        })
    }

    /// What there is to try: that which changes all layers of a kind first, since a convention is
    /// usually the same everywhere, then single layers.
    fn attempts(&self) -> Vec<Attempt> {
        let subject = Subject {
            segment: self.segment,
            values: &self.values,
            node: 0,
        };
        let mut single: Vec<Attempt> = Vec::new();
        let mut together: BTreeMap<(usize, String), Vec<Attempt>> = BTreeMap::new();
        for (place, rule) in OF_LAYERS.iter().enumerate() {
            for node in 0..self.segment.nodes.len() {
                for attempt in rule(&subject.at(node)) {
                    let kind = (place, attempt.explained_by.clone());
                    together.entry(kind).or_default().push(attempt.clone());
                    single.push(attempt);
                }
            }
        }
        let together = together.into_values().filter(|kind| kind.len() > 1);
        let mut attempts: Vec<Attempt> = together
            .map(|kind| Attempt {
                edits: kind
                    .iter()
                    .flat_map(|attempt| attempt.edits.clone())
                    .collect(),
                ..kind[0].clone()
            })
            .collect();
        attempts.extend(OF_SEGMENTS.iter().flat_map(|rule| rule(&subject)));
        attempts.append(&mut single);
        attempts
    }

    /// Multiplications that computing these nodes takes, and an addition or two for each element.
    fn work(&self, edited: &Edited) -> u64 {
        let of_node = |&node: &usize| {
            let layer = &self.segment.layers.as_slice()[self.segment.nodes[node].layer];
            let shape = self.values[node].as_ref().and_then(shape_of);
            let macs = shape.and_then(|shape| layer.operation.macs(shape));
            let elements = shape.and_then(|shape| shape.elements()).unwrap_or(0) as u64;
            macs.unwrap_or(0).saturating_add(elements.saturating_mul(8))
        };
        edited
            .order
            .iter()
            .map(of_node)
            .fold(0, u64::saturating_add)
    }

    fn explanation(&self, isolated: &Isolated) -> Result<Explanation> {
        let mut tried = Vec::new();
        let (mut work, mut not_tried) = (0_u64, 0);
        for attempt in self.attempts() {
            let Some(edited) = self.segment.edited(&attempt.edits, &self.values) else {
                continue;
            };
            let needed = self.work(&edited);
            // What one image does not show is not tried either.
            let is_of_batch = attempt.cause == Cause::NormBatchStatistics;
            let lacks_images = is_of_batch && self.images != Images::All;
            if lacks_images || work.saturating_add(needed) > self.limits.work {
                not_tried += 1;
                continue;
            }
            work += needed;
            // What does not fit, such as another stride before an addition, explains nothing.
            let difference = edited
                .value(self.segment, &self.values)
                .map_or(Difference::OF_SHAPES, |value| self.difference(&value));
            tried.push(Tried {
                attempt,
                difference,
            });
        }
        let count = tried.len();
        let explaining = self.explaining(&tried);
        let nearest = match explaining[..] {
            [] => self.nearest(&tried),
            _ => None,
        };
        let mut explaining = explaining.into_iter();
        let found = match explaining.next() {
            None => Found {
                nearest,
                ..Found::NOTHING
            },
            Some(first) => Found {
                cause: Some(first.cause),
                explained_by: Some(first.explained_by),
                layers: first.layers,
                after: Some(first.after),
                nearest: None,
            },
        };
        Ok(Explanation {
            name: isolated.name.clone(),
            before: self.before.max_abs,
            worst: match found.cause {
                None => self.worst()?,
                Some(_) => Vec::new(),
            },
            found,
            also: explaining.collect(),
            tried: count,
            not_tried,
        })
    }

    /// What explains the difference, the preferred first: of those that leave no more than rounding
    /// the simplest cause, then that which changes the fewest layers.
    fn explaining(&self, tried: &[Tried]) -> Vec<Hypothesis> {
        let mut explaining: Vec<&Tried> =
            tried.iter().filter(|tried| self.explains(tried)).collect();
        let errors = explaining.iter().map(|tried| tried.difference.max_abs);
        let least = errors.fold(f64::INFINITY, f64::min);
        let largest = self.before.largest.max(
            self.theirs
                .iter()
                .filter(|x| x.is_finite())
                .fold(0., |largest, x| x.abs().max(largest)),
        );
        let equal = (least * EQUAL).max(ROUNDING * largest);
        explaining.retain(|tried| tried.difference.max_abs <= equal);
        explaining.sort_by_key(|tried| (tried.attempt.cause, tried.attempt.edits.len()));
        let mut hypotheses: Vec<Hypothesis> = Vec::new();
        for tried in explaining {
            let next = self.hypothesis(tried);
            let is_new = |other: &Hypothesis| {
                (other.cause, &other.explained_by, &other.layers)
                    != (next.cause, &next.explained_by, &next.layers)
            };
            if hypotheses.iter().all(is_new) {
                hypotheses.push(next);
            }
        }
        hypotheses
    }

    fn explains(&self, tried: &Tried) -> bool {
        let Difference {
            max_abs, largest, ..
        } = tried.difference;
        if !max_abs.is_finite() {
            return false;
        }
        let rounds = |precision| match tried.attempt.cause {
            Cause::RoundingF16 => precision == Precision::F16,
            Cause::RoundingBf16 => precision == Precision::Bf16,
            _ => false,
        };
        match self.precision {
            // Each layer's sums may be rounded the other way, by two units.
            Some(precision) if rounds(precision) => {
                let units = 2. * self.segment.nodes.len() as f64;
                max_abs <= units * precision.unit() * largest
            }
            // Any other hypothesis leaves the rounding.
            Some(precision) => {
                let floor = 4. * precision.unit() * largest;
                max_abs <= floor && max_abs <= FALL * self.before.max_abs
            }
            None => {
                let rounds = matches!(
                    tried.attempt.cause,
                    Cause::RoundingF16 | Cause::RoundingBf16
                );
                !rounds
                    && tried.difference.is_within(self.tolerance)
                    && max_abs <= FALL * self.before.max_abs
            }
        }
    }

    /// What explains most of a difference, where that is nearly all.
    fn nearest(&self, tried: &[Tried]) -> Option<Hypothesis> {
        let error = |tried: &&Tried| tried.difference.max_abs;
        let near = tried
            .iter()
            .filter(|tried| error(tried) <= FALL * self.before.max_abs);
        let finite = near.filter(|tried| error(tried).is_finite());
        let nearest = finite.min_by(|one, other| error(one).total_cmp(&error(other)))?;
        Some(self.hypothesis(nearest))
    }

    fn hypothesis(&self, tried: &Tried) -> Hypothesis {
        let mut layers: Vec<String> = Vec::new();
        for edit in &tried.attempt.edits {
            let (Edit::Work(node, _)
            | Edit::Read(node, ..)
            | Edit::Before(node, ..)
            | Edit::After(node, _)) = edit
            else {
                continue;
            };
            let name = self.segment.name(*node);
            if layers.iter().all(|layer| layer != name) {
                layers.push(name.to_owned());
            }
        }
        Hypothesis {
            cause: tried.attempt.cause,
            explained_by: tried.attempt.explained_by.clone(),
            layers,
            after: tried.difference.max_abs,
        }
    }

    fn worst(&self) -> Result<Vec<Element>> {
        let Some(Some(value)) = self.values.last() else {
            return Ok(Vec::new());
        };
        if significant(value.dims()) != self.dims {
            return Ok(Vec::new());
        }
        let ours = elements(value)?;
        let mut places: Vec<usize> = (0..ours.len()).collect();
        let error = |&place: &usize| apart(ours[place], self.theirs[place]);
        let shown = MOST_SHOWN.min(places.len());
        if shown < places.len() {
            places.select_nth_unstable_by(shown, |one, other| error(other).total_cmp(&error(one)));
        }
        places.truncate(shown);
        places.sort_by(|one, other| error(other).total_cmp(&error(one)));
        let element = |place| Element {
            position: unravel(place, value.dims()),
            ours: ours[place],
            theirs: self.theirs[place],
        };
        Ok(places.into_iter().map(element).collect())
    }
}
