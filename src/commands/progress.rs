//! Bars that show how far something is, on a terminal alone.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{complain, is_quiet};
use crate::checkpoint::Download;

/// A bar of so many steps; one that is never drawn where nobody sees it or wants to.
pub(super) fn bar(steps: Option<u64>, template: &str) -> ProgressBar {
    if is_quiet() || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The bars of files that are downloaded one after another.
#[derive(Default)]
pub(super) struct Downloads {
    current: Option<(String, ProgressBar)>,
}

impl Downloads {
    pub(super) fn show(&mut self, download: Download) {
        if download.is_awaited {
            self.clear();
            let file = download.file;
            let message = format!("another program is downloading `{file}`; waiting for it");
            complain("note", &message);
            return;
        }
        let is_current = |current: &(String, ProgressBar)| current.0 == download.file;
        if !self.current.as_ref().is_some_and(is_current) {
            self.clear();
            let template = "{msg} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
            let bar = bar(download.total, template).with_message(download.file.to_owned());
            self.current = Some((download.file.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.current {
            bar.set_position(download.received);
        }
    }

    pub(super) fn clear(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}
