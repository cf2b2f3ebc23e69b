//! What `senet explain --output` writes besides.

use std::io::Write;

use super::super::complain;
use super::super::inputs::may_wait;
use super::super::output::{FilePlace, WholeFile};
use super::drawing;
use super::tensors::ImageTensors;
use crate::cli::ExplainArgs;
use crate::error::{Error, Result};
use crate::explain::{Explainer, Explanation};
use crate::report::{ExplainFormat, Explained};
use crate::text::shown_path;

/// What a file holds, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One image's heat map and gates.
    Picture,
    Page,
    Tensors,
}

impl Kind {
    /// That of the file asked for, if one is.
    ///
    /// # Errors
    ///
    /// An extension that says none of them, or one picture for what may be several images.
    pub(super) fn of(arguments: &ExplainArgs) -> Result<Option<Self>> {
        let Some(path) = &arguments.output else {
            return Ok(None);
        };
        let extension = path.extension().unwrap_or_default();
        let problem = match extension.to_ascii_lowercase().to_str() {
            Some("png") if arguments.by_class => {
                "is a picture of one image\nhint: means by class are drawn as a page, `FILE.html`"
                    .to_owned()
            }
            Some("png") => match arguments.inputs.as_slice() {
                [one] if !one.is_dir() && !may_wait(one) => return Ok(Some(Self::Picture)),
                _ => {
                    format!("is one picture, and there may be several images\nhint: {ONE_PICTURE}")
                }
            },
            Some("html" | "htm") => return Ok(Some(Self::Page)),
            Some("safetensors") => return Ok(Some(Self::Tensors)),
            _ => "ends with none of .png, .html and .safetensors, which say what is written"
                .to_owned(),
        };
        Err(Error::Usage(format!(
            "`--output {}` {problem}",
            shown_path(path)
        )))
    }
}

/// The file, while images come.
pub(super) enum File {
    Picture(Picture),
    Page(WholeFile),
    Tensors(ImageTensors),
}

/// The picture of the only image.
pub(super) struct Picture {
    file: WholeFile,
    sort: bool,
    /// Whether there was an image.
    is_seen: bool,
    is_drawn: bool,
}

impl Picture {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// A second image; what cannot be drawn or written.
    fn add(&mut self, explanation: Option<&Explanation>) -> anyhow::Result<()> {
        if self.is_seen {
            return Err(Error::Usage(format!(
                "`--output` names one picture, and there is a second image\nhint: {ONE_PICTURE}"
            ))
            .into());
        }
        self.is_seen = true;
        let Some(explanation) = explanation else {
            return Ok(());
        };
        let Some(png) = drawing::png(explanation, self.sort)? else {
            let nothing = "there is nothing to draw: the network has neither classes nor SE blocks";
            complain("warning", nothing);
            return Ok(());
        };
        self.is_drawn = true;
        self.file.write(|out| out.write_all(&png))
    }

    fn finish(self) -> anyhow::Result<()> {
        if self.is_drawn {
            self.file.finish()
        } else {
            Ok(())
        }
    }
}

/// What to do of several images.
const ONE_PICTURE: &str = "draw one at a time, or all of them as a page, `FILE.html`";

impl File {
    /// Begins it.
    ///
    /// # Errors
    ///
    /// What cannot be written.
    pub(super) fn begin(
        kind: Kind,
        place: &FilePlace,
        sort: bool,
        explainer: &Explainer,
        weights: &str,
    ) -> anyhow::Result<Self> {
        match kind {
            Kind::Picture => Ok(Self::Picture(Picture {
                file: WholeFile::create(place, None)?,
                sort,
                is_seen: false,
                is_drawn: false,
            })),
            Kind::Page => {
                let mut file = WholeFile::create(place, None)?;
                let network = &explainer.classifier().network().name;
                file.write(|out| ExplainFormat::Html.start(network, weights, out))?;
                Ok(Self::Page(file))
            }
            Kind::Tensors => {
                let tensors = ImageTensors::create(place, explainer, weights)?;
                Ok(Self::Tensors(tensors))
            }
        }
    }

    /// Adds an image, or why there is nothing to say of it.
    ///
    /// # Errors
    ///
    /// What cannot be drawn or written.
    pub(super) fn add(
        &mut self,
        row: &Explained,
        explanation: Option<&Explanation>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Picture(picture) => picture.add(explanation),
            Self::Page(file) => file.write(|out| row.write(ExplainFormat::Html, out)),
            Self::Tensors(tensors) => tensors.add(row, explanation),
        }
    }

    /// Ends it.
    ///
    /// # Errors
    ///
    /// A write that fails.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Picture(picture) => picture.finish(),
            Self::Page(mut file) => {
                file.write(|out| ExplainFormat::Html.end(out))?;
                file.finish()
            }
            Self::Tensors(tensors) => tensors.finish(),
        }
    }
}
