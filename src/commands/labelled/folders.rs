//! Folders that are called as the class of the images in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Data, Labelled, Told, Walk, is_split};
use crate::commands::inputs;
use crate::error::{Error, Result};
use crate::image::has_image_extension;
use crate::text::{counted, path_text, shown, shown_list, shown_path};

/// Names that are listed.
const LISTED: usize = 8;

/// The images in the folders of the folder at `path`, or of its folder for the split.
///
/// # Errors
///
/// A folder that cannot be read, without that split, or without folders.
pub(super) fn open(path: &Path, split: Option<&str>) -> Result<Data> {
    let root = match split {
        Some(split) => of_split(path, split)?,
        None => path.to_path_buf(),
    };
    let Content {
        folders,
        hidden,
        images,
    } = Content::of(&root)?;
    if folders.is_empty() {
        let found = match images.len() {
            0 => "no images either".to_owned(),
            count => counted(count, "image"),
        };
        return Err(Error::Usage(format!(
            "`{}` holds no folders called as classes; it holds {found}\nhint: expected \
             `{}/CLASS/image.jpg`, or a CSV or NDJSON file of paths and labels",
            shown_path(&root),
            shown_path(&root)
        )));
    }
    let mut told = Told::default();
    if !images.is_empty() {
        told.found.push(format!(
            "left out, as they lie in no class's folder: {}",
            shown_list(&texts(&images), LISTED)
        ));
    }
    if !hidden.is_empty() {
        told.found.push(format!(
            "left out, as no class is called so: {}",
            shown_list(&texts(&hidden), LISTED)
        ));
    }
    let names: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
    let walk = inputs::Told::default();
    told.walk = Some(Walk {
        data: path_text(&root),
        folders: folders.len(),
        told: walk.clone(),
    });
    let images = folders.into_iter().enumerate();
    let images = images.flat_map(move |(name, folder)| {
        inputs::in_folder(folder, &walk).map(move |input| Labelled {
            path: input.path.clone(),
            input: input.into(),
            name,
        })
    });
    Ok(Data {
        name: path_text(&root),
        names,
        count: None,
        images: Box::new(images),
        told,
    })
}

/// What lies in a folder, in the order of names.
#[derive(Default)]
struct Content {
    folders: Vec<PathBuf>,
    /// Folders that programs make beside those of people.
    hidden: Vec<PathBuf>,
    images: Vec<PathBuf>,
}

impl Content {
    fn of(folder: &Path) -> Result<Self> {
        let read = || -> io::Result<Vec<PathBuf>> {
            let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
            entries.collect()
        };
        let mut paths = read().map_err(Error::file("read", folder))?;
        paths.sort();
        let mut content = Self::default();
        for path in paths {
            if path.is_dir() {
                let name = name(&path);
                if name.starts_with('.') || name == "__MACOSX" {
                    content.hidden.push(path);
                } else {
                    content.folders.push(path);
                }
            } else if has_image_extension(&path) {
                content.images.push(path);
            }
        }
        Ok(content)
    }
}

/// The folder for a split.
fn of_split(path: &Path, split: &str) -> Result<PathBuf> {
    let folders = Content::of(path)?.folders;
    let exact = folders.iter().find(|folder| name(folder) == split);
    let found = exact.or_else(|| folders.iter().find(|folder| is_split(&name(folder), split)));
    found.cloned().ok_or_else(|| {
        let names: Vec<String> = folders.iter().map(|folder| name(folder)).collect();
        let hint = match names.as_slice() {
            [] => "it holds no folders".to_owned(),
            names => format!("its folders are {}", shown_list(names, LISTED)),
        };
        Error::Usage(format!(
            "`{}` has no folder `{}` for `--split`\nhint: {hint}",
            shown_path(path),
            shown(split)
        ))
    })
}

/// The last part of a path.
fn name(path: &Path) -> String {
    path.file_name()
        .map(|name| path_text(Path::new(name)))
        .unwrap_or_default()
}

fn texts(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path_text(path)).collect()
}
