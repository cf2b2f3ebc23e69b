//! Two dumps compared, without weights: what one program computed against what another did.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use candle_core::Tensor;
use serde::Serialize;

use super::comparison::compare_values;
use super::reference::{has_weights, in_nchw};
use super::spelling::spelt_otherwise;
use super::{Aliases, Comparison, Tolerance};
use crate::checkpoint::{LayerNames, TensorFile};
use crate::error::{Error, Result};
use crate::network::{Layers, Layout};
use crate::text::{shown, shown_list};

/// A dump of activations of which nothing is known but what it says.
#[derive(Debug)]
pub struct Dump {
    file: TensorFile,
    /// What its metadata says.
    layout: Option<Layout>,
    /// Its values, in the order in which they were computed as far as the file tells.
    names: Vec<String>,
}

/// What two dumps have in common, and what only one has.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparedDumps {
    /// Each value that both have, called as in the reference: in the network's order where there is
    /// one, else in the reference's.
    pub values: Vec<Comparison>,
    /// What our dump calls values whose names differ, by the reference's names.
    pub aliases: HashMap<String, String>,
    /// The order of dimensions in our dump and in the reference.
    pub layouts: [Layout; 2],
    /// Values that only our dump has.
    pub only_ours: Vec<String>,
    /// Values that only the reference has.
    pub only_reference: Vec<String>,
}

/// A value that both dumps have: its name in each.
struct Pair<'a> {
    ours: &'a str,
    reference: &'a str,
}

impl<'a> Pair<'a> {
    fn names(&self) -> [&'a str; 2] {
        [self.ours, self.reference]
    }
}

impl Dump {
    /// The dump in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is not safetensors or holds weights; metadata `layout` or `order`
    /// of another form.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TensorFile::open(path)?;
        if has_weights(&file) {
            return Err(file.problem(
                "holds weights, and is no dump of activations\nhint: `--weights` runs them"
                    .to_owned(),
            ));
        }
        let layout = match (file.layout(), file.metadata("layout")) {
            (None, Some(found)) => {
                return Err(file.problem(format!(
                    "has metadata `layout` of `{}`; expected `nhwc` or `nchw`, or none where the \
                     shapes tell",
                    shown(found)
                )));
            }
            (layout, _) => layout,
        };
        let names = order(&file)?;
        Ok(Self {
            file,
            layout,
            names,
        })
    }

    /// Its path, or what to call it.
    #[must_use]
    pub fn shown_name(&self) -> String {
        self.file.shown_name()
    }

    /// The framework that made it, in its own words.
    #[must_use]
    pub fn framework(&self) -> Option<&str> {
        self.file.metadata("framework")
    }

    fn shape(&self, name: &str) -> Vec<usize> {
        let tensors = self.file.tensors();
        tensors
            .get(name)
            .map(|info| info.shape.clone())
            .unwrap_or_default()
    }

    fn tensor(&self, name: &str, layout: Layout) -> Result<Tensor> {
        in_nchw(&self.file.tensor(name)?, layout)
    }
}

/// The values of a dump: as its metadata `order` says, else as they lie in the file, which is how
/// they were written.
fn order(file: &TensorFile) -> Result<Vec<String>> {
    let tensors = file.tensors();
    let mut names: Vec<String> = tensors.keys().cloned().collect();
    names.sort_by_key(|name| (tensors[name].data_offsets, name.clone()));
    let Some(said) = file.json_metadata::<Vec<String>>("order")? else {
        return Ok(names);
    };
    let places: HashMap<&str, usize> = said
        .iter()
        .enumerate()
        .map(|(place, name)| (name.as_str(), place))
        .collect();
    if let Some(lacking) = said.iter().find(|&name| !tensors.contains_key(name)) {
        return Err(file.problem(format!(
            "has metadata `order` with `{}`, which it does not hold",
            shown(lacking)
        )));
    }
    names.sort_by_key(|name| places.get(name.as_str()).copied().unwrap_or(usize::MAX));
    Ok(names)
}

/// Compares every value that both dumps have: those of one name, whatever separates its parts and
/// comes before all names of a dump, those that `aliases` says are one, and, where there is a
/// network, those that mean one of its layers.
///
/// # Errors
///
/// Dumps that have nothing in common but `input`, which nothing computed, an alias of what a dump lacks, a value whose shapes do not
/// fit, or a file that can no longer be read.
pub fn compare_dumps(
    ours: &Dump,
    reference: &Dump,
    aliases: &Aliases,
    layers: Option<&Layers>,
    tolerance: Tolerance,
) -> Result<ComparedDumps> {
    let of_reference: HashSet<&str> = reference.names.iter().map(String::as_str).collect();
    let of_ours: HashSet<&str> = ours.names.iter().map(String::as_str).collect();
    aliases.check_reference(|name| of_reference.contains(name), &reference.file)?;
    aliases.check_ours(|name| of_ours.contains(name), &ours.file)?;
    let positions = layers.map(|layers| {
        let by_name = |names: &[String]| positions(names, layers);
        [by_name(&ours.names), by_name(&reference.names)]
    });
    let pairs = pairs(ours, reference, aliases, positions.as_ref());
    if pairs.iter().all(|pair| pair.names().contains(&INPUT)) {
        return Err(nothing_in_common(ours, reference));
    }
    let layouts = layouts(&pairs, ours, reference)?;
    let mut values = Vec::with_capacity(pairs.len());
    for pair in &pairs {
        let a = ours.tensor(pair.ours, layouts[0])?;
        let b = reference.tensor(pair.reference, layouts[1])?;
        values.push(compare_values(pair.reference, &a, &b, tolerance)?);
    }
    let only = |dump: &Dump, side: usize| {
        let paired: HashSet<&str> = pairs.iter().map(|pair| pair.names()[side]).collect();
        let place = |name: &str| positions.as_ref()?[side].get(name).copied();
        // Another name of a layer that is compared is not left out.
        let layers: HashSet<usize> = paired.iter().filter_map(|name| place(name)).collect();
        let names = dump.names.iter().filter(|name| {
            let is_compared = place(name).is_some_and(|place| layers.contains(&place));
            !paired.contains(name.as_str()) && !is_compared
        });
        names.cloned().collect()
    };
    let renamed = pairs.iter().filter(|pair| pair.ours != pair.reference);
    Ok(ComparedDumps {
        values,
        aliases: renamed
            .map(|pair| (pair.reference.to_owned(), pair.ours.to_owned()))
            .collect(),
        layouts,
        only_ours: only(ours, 0),
        only_reference: only(reference, 1),
    })
}

/// What went into a network, which tells nothing of it.
const INPUT: &str = "input";

/// The positions of the layers that names mean: the input's before all.
fn positions(names: &[String], layers: &Layers) -> HashMap<String, usize> {
    let own = names.iter().map(String::as_str);
    let own: Vec<&str> = own
        .filter(|name| !["input", "output"].contains(name))
        .collect();
    let meanings = LayerNames::of(&own, layers);
    let position = |name: &String| match name.as_str() {
        "input" => Some(0),
        "output" => Some(layers.as_slice().len()),
        name => meanings.find(name).map(|meaning| meaning.position + 1),
    };
    let found = names
        .iter()
        .filter_map(|name| Some((name.clone(), position(name)?)));
    found.collect()
}

/// What both dumps have, in order.
fn pairs<'a>(
    ours: &'a Dump,
    reference: &'a Dump,
    aliases: &'a Aliases,
    positions: Option<&[HashMap<String, usize>; 2]>,
) -> Vec<Pair<'a>> {
    let of_ours: HashSet<&str> = ours.names.iter().map(String::as_str).collect();
    let mut by_position: HashMap<usize, &str> = HashMap::new();
    if let Some([of_ours, _]) = positions {
        for name in &ours.names {
            if let Some(&position) = of_ours.get(name) {
                by_position.entry(position).or_insert(name);
            }
        }
    }
    let spelt = spelt_otherwise(&ours.names, &reference.names);
    let mut pairs: Vec<Pair> = reference
        .names
        .iter()
        .filter_map(|name| {
            let by_name = of_ours.get(name.as_str()).copied();
            let by_layer = || {
                let [_, of_reference] = positions?;
                by_position.get(of_reference.get(name)?).copied()
            };
            let by_spelling = || spelt.get(name.as_str()).copied();
            let ours = aliases.of(name).or(by_name).or_else(by_layer);
            let ours = ours.or_else(by_spelling)?;
            Some(Pair {
                ours,
                reference: name,
            })
        })
        .collect();
    if let Some([_, of_reference]) = positions {
        // A layer before the groups that end with it; what means no layer stays behind.
        pairs.sort_by_key(|pair| {
            let position = of_reference.get(pair.reference).copied();
            let name = usize::MAX - pair.reference.len();
            (
                position.unwrap_or(usize::MAX),
                pair.reference == "output",
                name,
            )
        });
    }
    pairs
}

fn nothing_in_common(ours: &Dump, reference: &Dump) -> Error {
    /// Enough to see whose names they are.
    const SHOWN: usize = 3;
    let list = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => shown_list(names, SHOWN),
    };
    let both = [ours, reference].map(|dump| dump.names.iter().any(|name| name == INPUT));
    let but = if both == [true; 2] {
        " but `input`"
    } else {
        ""
    };
    ours.file.problem(format!(
        "has no value{but} in common with `{}`: one has {}, the other {}\nhint: `--alias` takes a file \
         that says which is which, `--network` a network whose layers both name",
        reference.shown_name(),
        list(&ours.names),
        list(&reference.names),
    ))
}

const LAYOUTS: [Layout; 2] = [Layout::Nchw, Layout::Nhwc];

/// The order of dimensions in each dump: what its metadata says, else that in which the shapes of
/// both fit. Where any does, both have the one that is known, else `nchw`.
fn layouts(pairs: &[Pair], ours: &Dump, reference: &Dump) -> Result<[Layout; 2]> {
    let shapes: Vec<[Vec<usize>; 2]> = pairs
        .iter()
        .map(|pair| [ours.shape(pair.ours), reference.shape(pair.reference)])
        .collect();
    let fit = |layouts: [Layout; 2]| shapes.iter().filter(|shapes| fits(shapes, layouts)).count();
    let known = [ours.layout, reference.layout];
    let usual = known[0].or(known[1]).unwrap_or(Layout::Nchw);
    let is_known = |layouts: &[Layout; 2]| {
        let mut each = known.iter().zip(layouts);
        each.all(|(known, layout)| known.is_none_or(|known| known == *layout))
    };
    let mut all: Vec<[Layout; 2]> = LAYOUTS
        .iter()
        .flat_map(|&a| LAYOUTS.map(|b| [a, b]))
        .collect();
    all.sort_by_key(|[a, b]| usize::from(*a != usual) + usize::from(*b != usual));
    let candidates = all.iter().copied().filter(is_known);
    // The first of those that fit best.
    let best = candidates.rev().max_by_key(|&layouts| fit(layouts));
    let best = best.unwrap_or([usual; 2]);
    if fit(best) == pairs.len() {
        return Ok(best);
    }
    let meant = all.into_iter().find(|&layouts| fit(layouts) == pairs.len());
    let mut misfits = pairs.iter().zip(&shapes);
    let misfit = misfits.find(|(_, shapes)| !fits(shapes, best));
    match misfit {
        Some((pair, shapes)) => Err(misfitting(pair, shapes, [ours, reference], meant)),
        None => Ok(best),
    }
}

/// Whether two shapes are one, each in its layout.
fn fits([a, b]: &[Vec<usize>; 2], [of_a, of_b]: [Layout; 2]) -> bool {
    significant(a, of_a) == significant(b, of_b)
}

/// A shape as NCHW; a vector an image is the same in `[N, C]` and `[N, C, 1, 1]`.
fn significant(shape: &[usize], layout: Layout) -> Vec<usize> {
    let nchw = match (shape, layout) {
        (&[n, h, w, c], Layout::Nhwc) => vec![n, c, h, w],
        _ => shape.to_vec(),
    };
    match nchw[..] {
        [n, c, 1, 1] => vec![n, c],
        _ => nchw,
    }
}

/// Says how the shapes of a value differ, and in which order of axes they would not.
fn misfitting(
    pair: &Pair,
    [a, b]: &[Vec<usize>; 2],
    [ours, reference]: [&Dump; 2],
    meant: Option<[Layout; 2]>,
) -> Error {
    let said = |dump: &Dump| match dump.layout {
        Some(layout) => format!(" of layout `{}`", layout.name()),
        None => String::new(),
    };
    let problem = format!(
        "has `{}` of shape {a:?}{}, and `{}` has `{}` of shape {b:?}{}",
        shown(pair.ours),
        said(ours),
        reference.shown_name(),
        shown(pair.reference),
        said(reference),
    );
    let wrong = meant.and_then(|meant| {
        let dumps = [ours, reference].into_iter().zip(meant);
        let mut wrong =
            dumps.filter(|(dump, layout)| dump.layout.is_some_and(|said| said != *layout));
        wrong.next()
    });
    let hint = match (wrong, axes(a, b)) {
        (Some((dump, layout)), _) => format!(
            "\nhint: all shapes fit where `{}` is `{}`: its metadata `layout` says otherwise",
            dump.shown_name(),
            layout.name()
        ),
        (None, Some(axes)) => {
            format!("\nhint: they fit where the axes of the first are taken in the order {axes:?}")
        }
        (None, None) => String::new(),
    };
    ours.file.problem(problem + &hint)
}

/// The order of axes in which a shape is another, if there is one.
fn axes(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    /// Of more, there are too many orders, and no layer makes such values.
    const MOST: usize = 6;
    if from.len() != to.len() || from.len() > MOST {
        return None;
    }
    let mut axes = Vec::new();
    extend(from, to, &mut axes).then_some(axes)
}

/// Adds to `axes` until they are an order in which `from` is `to`, if there is one.
fn extend(from: &[usize], to: &[usize], axes: &mut Vec<usize>) -> bool {
    let Some(&size) = to.get(axes.len()) else {
        return true;
    };
    for axis in 0..from.len() {
        if from[axis] == size && !axes.contains(&axis) {
            axes.push(axis);
            if extend(from, to, axes) {
                return true;
            }
            axes.pop();
        }
    }
    false
}

/// What was found about a dump, for a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DumpSummary {
    /// Its file.
    pub file: String,
    /// The framework that made it, in its own words.
    pub framework: Option<String>,
    /// The order of its dimensions.
    pub layout: Layout,
    /// Whether its metadata says so; else its shapes do, or nothing contradicts it.
    pub layout_is_said: bool,
}

impl Dump {
    /// A summary, for a report.
    #[must_use]
    pub fn summary(&self, layout: Layout) -> DumpSummary {
        DumpSummary {
            file: self.file.name().to_owned(),
            framework: self.framework().map(str::to_owned),
            layout,
            layout_is_said: self.layout.is_some(),
        }
    }
}
