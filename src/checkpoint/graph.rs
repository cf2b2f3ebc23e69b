//! A network that a file describes itself, and where its tensors are.

use std::path::Path;

use super::file::TensorFile;
use super::keys::{Mismatch, Sources, TensorSource};
use super::spelling::{Arrangement, is_not_read};
use super::wrapping::Shapes;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::network::graph::MOST_BYTES;
use crate::network::{Graph, Layers};
use crate::text::{shown, shown_path};

/// The key of a file's metadata under which its graph is.
const KEY: &str = "graph";

/// The graph in a file of JSON.
///
/// # Errors
///
/// A file that cannot be read or is too large, or text that [`Graph::parse`] refuses.
pub fn open_graph(path: &Path) -> Result<Graph> {
    let text = files::read_text(path, Pipes::Refused, MOST_BYTES as u64)
        .map_err(Error::file("read", path))?;
    Graph::parse(&text).map_err(|error| Error::Checkpoint {
        file: shown_path(path),
        problem: format!("describes no network: {error}"),
    })
}

/// The graph in a file's metadata, where there is one.
///
/// # Errors
///
/// Text that [`Graph::parse`] refuses.
pub(super) fn of_file(file: &TensorFile) -> Result<Option<Graph>> {
    let graph = file.metadata(KEY).map(Graph::parse).transpose();
    graph.map_err(|error| {
        file.problem(format!(
            "has metadata `{KEY}` that describes no network: {error}"
        ))
    })
}

/// Finds every parameter of `layers`, whose tensors' names a graph has settled, among those of a
/// file, which lie there as they do here.
pub(super) fn resolve(layers: &Layers, shapes: &Shapes) -> Result<Sources, Mismatch> {
    let mut sources = Sources::new();
    let mut mismatch = Mismatch::default();
    for layer in layers.as_slice() {
        for parameter in layer.operation.parameters() {
            let canonical = format!("{}.{}", layer.name, parameter.name);
            let named = layers.tensor_name(&layer.name, parameter.name);
            let name = named.unwrap_or_else(|| canonical.clone());
            let expected = parameter.shape;
            match shapes.get(&name) {
                None => mismatch
                    .missing
                    .push(format!("`{}` of shape {expected:?}", shown(&name))),
                Some(found) if without_pixel(found) != without_pixel(&expected) => {
                    mismatch.add_misshapen(&name, &expected, found);
                }
                Some(found) => {
                    let source = TensorSource {
                        name,
                        arrangement: Arrangement {
                            shape: found.clone(),
                            ..Arrangement::as_ours(&expected)
                        },
                        shape: expected,
                    };
                    sources.insert(canonical, source);
                }
            }
        }
    }
    // What `PyTorch` counts of a batch norm's training no layer reads.
    let is_unknown = |name: &&String| !layers.knows_tensor(name) && !is_not_read(name);
    let unknown = shapes.keys().filter(is_unknown);
    mismatch.unexpected = unknown.map(|name| format!("`{}`", shown(name))).collect();
    mismatch.or(sources)
}

/// The shape of a kernel of one pixel as that of a dense layer, which has the same numbers.
fn without_pixel(shape: &[usize]) -> &[usize] {
    match shape {
        [_, _, 1, 1] => &shape[..2],
        _ => shape,
    }
}
