use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::text::{shown, shown_list, shown_path};

/// What is in the folders and is not classified, though somebody might expect it.
#[derive(Default)]
pub(in crate::commands) struct PassedOver {
    /// Images in formats that are not read, by their extensions in lower case.
    images: BTreeMap<String, usize>,
    /// Other names of folders that were searched already.
    folders: Vec<PathBuf>,
    /// Folders without images, where that is no problem.
    empty: Vec<PathBuf>,
}

impl PassedOver {
    /// Counts an image with an extension of those that are not read.
    pub(super) fn image(&mut self, extension: &str) {
        *self.images.entry(extension.to_owned()).or_default() += 1;
    }

    /// Adds another name of a folder that was searched already.
    pub(super) fn folder(&mut self, path: PathBuf) {
        self.folders.push(path);
    }

    /// Adds a folder without images.
    pub(super) fn empty(&mut self, path: PathBuf) {
        self.empty.push(path);
    }

    /// How many folders without images there are, where that is no problem.
    pub(in crate::commands) fn empty_folders(&self) -> usize {
        self.empty.len()
    }

    /// Says so, if there is anything to say.
    pub(in crate::commands) fn warnings(&self) -> Vec<String> {
        /// Folders that are named.
        const NAMED: usize = 3;
        let mut warnings = Vec::new();
        for (what, folders) in [
            (
                "passed over, as they are other names of folders that were searched",
                &self.folders,
            ),
            ("folders without images", &self.empty),
        ] {
            if !folders.is_empty() {
                let names: Vec<String> = folders.iter().map(|path| shown_path(path)).collect();
                warnings.push(format!("{what}: {}", shown_list(&names, NAMED)));
            }
        }
        if !self.images.is_empty() {
            let files: usize = self.images.values().sum();
            let mut kinds: Vec<_> = self.images.iter().collect();
            kinds.sort_by_key(|&(_, &count)| std::cmp::Reverse(count));
            let kinds = kinds.iter();
            let kinds = kinds.map(|(extension, count)| format!("{count} .{}", shown(extension)));
            let (were, are) = match files {
                1 => ("1 file was".to_owned(), "is"),
                _ => (format!("{files} files were"), "are"),
            };
            warnings.push(format!(
                "{were} passed over: {}, which {are} not read",
                kinds.collect::<Vec<_>>().join(", ")
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commonest_of_what_was_passed_over_comes_first() {
        let images = [("avif", 1), ("heic", 2), ("jxl", 1)];
        let passed_over = PassedOver {
            images: images.map(|(name, count)| (name.to_owned(), count)).into(),
            ..PassedOver::default()
        };
        assert_eq!(
            passed_over.warnings(),
            ["4 files were passed over: 2 .heic, 1 .avif, 1 .jxl, which are not read"]
        );
        assert!(PassedOver::default().warnings().is_empty());
    }
}
