//! A network that a file describes itself.

use std::path::Path;

use super::file::TensorFile;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::network::Graph;
use crate::network::graph::MOST_BYTES;
use crate::text::shown_path;

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
