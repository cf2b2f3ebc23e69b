//! A file that says which value of one dump is which of another.

use std::collections::HashMap;
use std::path::Path;

use crate::checkpoint::TensorFile;
use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::network::Layers;
use crate::text::{shown, shown_path};

/// What values of a reference are called on our side: by a layer's or group's name, or by that in
/// another dump.
///
/// A line a value: our name, then the reference's, with spaces or, where names have some, a tab
/// between. Empty lines and those that begin with `#` say nothing.
#[derive(Debug, Clone, Default)]
pub struct Aliases {
    file: String,
    /// Our name, by the reference's.
    ours: HashMap<String, String>,
}

/// The most bytes of a file of aliases: as many names as a dump may have, each of a thousand.
const MOST_BYTES: u64 = 20 << 20;

impl Aliases {
    /// The aliases in the file at `path`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read or is not text; a line of another form, or a reference's name
    /// that an earlier line has.
    pub fn open(path: &Path) -> Result<Self> {
        let text = files::read_text(path, Pipes::Inherited, MOST_BYTES)
            .map_err(Error::file("read", path))?;
        let mut aliases = Self {
            file: shown_path(path),
            ours: HashMap::new(),
        };
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let number = index + 1;
            let columns: Vec<&str> = if line.contains('\t') {
                line.split('\t').map(str::trim).collect()
            } else {
                line.split_whitespace().collect()
            };
            let &[ours, theirs] = columns.as_slice() else {
                return Err(aliases.problem(&format!(
                    "has {} names in line {number}, expected 2: ours, then the reference's",
                    columns.len()
                )));
            };
            let before = aliases.ours.insert(theirs.to_owned(), ours.to_owned());
            if before.is_some() {
                let name = shown(theirs);
                return Err(aliases.problem(&format!("names `{name}` again in line {number}")));
            }
        }
        Ok(aliases)
    }

    /// Our name for what the reference calls `name`.
    pub(super) fn of(&self, name: &str) -> Option<&str> {
        self.ours.get(name).map(String::as_str)
    }

    /// Refuses an alias of a value that the reference lacks.
    pub(super) fn check_reference(
        &self,
        has: impl Fn(&str) -> bool,
        reference: &TensorFile,
    ) -> Result<()> {
        self.check(self.ours.keys(), has, reference)
    }

    /// Refuses an alias of a value that our dump lacks.
    pub(super) fn check_ours(&self, has: impl Fn(&str) -> bool, ours: &TensorFile) -> Result<()> {
        self.check(self.ours.values(), has, ours)
    }

    fn check<'a>(
        &self,
        names: impl Iterator<Item = &'a String>,
        has: impl Fn(&str) -> bool,
        dump: &TensorFile,
    ) -> Result<()> {
        match names.filter(|name| !has(name)).min() {
            Some(name) => Err(self.problem(&format!(
                "names `{}`, which `{}` does not hold",
                shown(name),
                dump.shown_name()
            ))),
            None => Ok(()),
        }
    }

    /// The position of a layer or group of ours.
    pub(super) fn layer(&self, name: &str, layers: &Layers) -> Result<usize> {
        let position = match name {
            "output" => layers.as_slice().len().checked_sub(1),
            _ => layers.position(name),
        };
        position.ok_or_else(|| {
            self.problem(&format!(
                "names `{}`, which network `{}` lacks\nhint: `senet trace --network {}` lists its \
                 layers and groups",
                shown(name),
                layers.name(),
                layers.name()
            ))
        })
    }

    fn problem(&self, problem: &str) -> Error {
        Error::Checkpoint {
            file: self.file.clone(),
            problem: problem.to_owned(),
        }
    }
}
