//! Where the rows of a run go, and what is left of them when it is cut short.

mod earlier;
mod interruption;
mod partial;
mod place;
mod record;
mod taken;
mod whole;

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;

use self::earlier::Found;
pub(super) use self::earlier::Tally;
pub(super) use self::interruption::{Interruption, end_by};
use self::partial::Partial;
pub(super) use self::place::{FilePlace, Place};
pub(super) use self::record::{Asked, Record};
pub(super) use self::taken::Taken;
pub(super) use self::whole::WholeFile;
use super::complain;
use crate::error::{Error, Result};
use crate::report::RowFormat;
use crate::text::shown_path;

/// Where rows go: standard output, or a file that appears when it is whole.
///
/// What is written waits here until [`Output::commit`] passes it on, so that no row is torn.
pub(super) struct Output {
    target: Target,
    waiting: Vec<u8>,
}

enum Target {
    Standard(io::Stdout),
    Device(File, PathBuf),
    File {
        partial: Partial,
        place: Box<FilePlace>,
    },
}

/// What becomes of rows that an earlier run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// They are an error.
    Refuse,
    /// They are written over.
    Overwrite,
    /// This run goes on behind them.
    Resume,
}

/// How rows are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) format: RowFormat,
    pub(super) top_k: usize,
    pub(super) existing: Existing,
}

/// What became of an output that was cut short.
pub(super) struct CutShort {
    /// Where its rows are, to be shown.
    pub(super) place: String,
    /// The hint that goes below what ended the run, where there is something to go on with.
    pub(super) hint: &'static str,
}

/// How a run begins.
pub(super) enum Begun {
    /// It goes on behind the rows that are there, which may be none.
    Going(Output, Tally),
    /// All rows are there.
    Whole(Tally),
}

impl Output {
    /// Opens standard output, a device, or `FILE.partial` beside the file asked for; where that is
    /// to be gone on with, what it holds is compared with `record` and the `names` of the inputs
    /// first, of which those that have a row are taken.
    ///
    /// # Errors
    ///
    /// What cannot be written; rows that an earlier run left, unless asked to go on with them or
    /// to write over them; rows of another run. Nothing has been computed then, or changed.
    pub(super) fn begin(
        place: Place,
        written: Written,
        record: impl FnOnce() -> Result<Record>,
        names: &mut dyn Iterator<Item = String>,
    ) -> Result<Begun> {
        let place = match place {
            Place::File(place) => place,
            other => {
                if written.existing == Existing::Resume {
                    return Err(Error::Usage(
                        "`--resume` goes on with a file, and `--output` is none".to_owned(),
                    ));
                }
                let target = match other {
                    Place::Device(file, path) => Target::Device(file, path),
                    _ => Target::Standard(io::stdout()),
                };
                return Ok(Begun::Going(Self::new(target), Tally::default()));
            }
        };
        let earlier = match written.existing {
            Existing::Resume => earlier::find(&place, written)?,
            Existing::Refuse | Existing::Overwrite => Found::Nothing,
        };
        let (partial, tally) = match earlier {
            Found::Whole(earlier) => {
                let tally = earlier.go_through(names)?;
                record::remove(&place.record);
                return Ok(Begun::Whole(tally));
            }
            Found::Some(mut partial, earlier) => {
                if let Some(warning) = record()?.check(&place.record)? {
                    complain("warning", &warning);
                }
                let tally = earlier.go_through(names)?;
                let gone_on = partial.go_on(tally.rows, tally.bytes);
                gone_on.map_err(Error::file("write", &place.partial))?;
                (partial, tally)
            }
            Found::Nothing => {
                let overwrite = written.existing == Existing::Overwrite;
                let partial = Partial::open(place.partial.clone(), written.format, overwrite)?;
                if written.format.is_gone_on_with() {
                    record()?.write(&place.record)?;
                }
                (partial, Tally::default())
            }
        };
        let place = Box::new(place);
        let target = Target::File { partial, place };
        Ok(Begun::Going(Self::new(target), tally))
    }

    fn new(target: Target) -> Self {
        Self {
            target,
            waiting: Vec::new(),
        }
    }

    /// Passes on what was written: so many rows, each whole.
    ///
    /// # Errors
    ///
    /// A write that fails, saying which rows were written before.
    pub(super) fn commit(&mut self, rows: usize) -> anyhow::Result<()> {
        let bytes = std::mem::take(&mut self.waiting);
        match &mut self.target {
            Target::Standard(out) => {
                let written = out.write_all(&bytes).and_then(|()| out.flush());
                written.context("cannot write `standard output`")
            }
            Target::Device(out, path) => {
                let written = out.write_all(&bytes).map_err(Error::file("write", path));
                Ok(written?)
            }
            Target::File { partial, .. } => partial.add(&bytes, rows).map_err(|error| {
                let (path, rows) = (shown_path(partial.path()), partial.rows());
                anyhow::anyhow!(
                    "cannot write `{path}`, which holds {rows} whole rows: {error}{}",
                    partial.how_to_go_on()
                )
            }),
        }
    }

    /// Passes on the end of the output of a run that has not come to its own; a partial file is
    /// left.
    ///
    /// # Errors
    ///
    /// A last write that fails.
    pub(super) fn cut_short(mut self) -> anyhow::Result<CutShort> {
        self.commit(0)?;
        let mut hint = "";
        let place = match &mut self.target {
            Target::File { partial, .. } => {
                partial.keep_end();
                partial.end_early();
                hint = partial.how_to_go_on();
                format!("`{}`", shown_path(partial.path()))
            }
            Target::Device(_, path) => format!("`{}`", shown_path(path)),
            Target::Standard(_) => "`standard output`".to_owned(),
        };
        Ok(CutShort { place, hint })
    }

    /// Passes on the end of the output, and makes the partial file the one asked for.
    ///
    /// # Errors
    ///
    /// A last write or the renaming that fails; the partial file is left.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.commit(0)?;
        if let Target::File { partial, place } = &mut self.target {
            partial.become_file(&place.path).with_context(|| {
                let (path, partial) = (shown_path(&place.path), shown_path(partial.path()));
                format!("cannot write `{path}`, and all rows are in `{partial}`")
            })?;
            record::remove(&place.record);
        }
        Ok(())
    }
}

impl Drop for Output {
    /// A run that failed leaves a whole document of what rows it has.
    fn drop(&mut self) {
        if let Target::File { partial, .. } = &mut self.target {
            partial.end_early();
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.write(bytes)
    }

    /// Does nothing: where a row ends is said by [`Output::commit`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
