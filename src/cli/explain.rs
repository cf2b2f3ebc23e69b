use std::path::PathBuf;

use clap::Args;

use super::classifier::ClassifierArgs;
use super::pixels::PixelArgs;
use crate::report::{ExplainFormat, InlinePicture};

/// `senet explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Image files, folders (searched recursively), or tar archives (`shard-{000..127}.tar` is 128)
    #[arg(required = true, value_name = "IMAGE")]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub classifier: ClassifierArgs,
    /// The class, by its label, synset or number, that the heat map is of [default: the likeliest of
    /// each image]
    #[arg(long, value_name = "CLASS")]
    pub class: Option<String>,
    /// Cover one part of the image after another, and see how much the answer falls, also where the
    /// class activation map is exact
    #[arg(long)]
    pub occlusion: bool,
    /// The mean gates of each class, and how far classes are apart at each depth: IMAGE is a folder with
    /// a folder for each class, or a CSV or NDJSON file of paths and labels, as `senet eval` has them
    #[arg(long, conflicts_with_all = ["class", "occlusion", "sort", "picture"])]
    pub by_class: bool,
    /// The part of labelled images to take, as `senet eval` does
    #[arg(long, value_name = "NAME", requires = "by_class")]
    pub split: Option<String>,
    /// Draw the gates of each block from the largest to the smallest, not in the order of channels
    #[arg(long)]
    pub sort: bool,
    /// Text for people, a row for each image for programs, with every gate and the map, or a page for
    /// a browser
    #[arg(short, long, value_enum, default_value_t = ExplainFormat::Table)]
    pub format: ExplainFormat,
    /// Draw each image's heat map over it, and below the gates of every block, in the terminal
    #[arg(long, value_enum, value_name = "HOW", default_value_t = InlinePicture::Auto)]
    pub picture: InlinePicture,
    /// Besides, write a file, whose extension says what it is: .png is one image's heat map over it,
    /// and below the gates of every block; .html is the page; .safetensors has the gates of each block
    /// and the heat maps, or the mean gates, as tensors
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[expect(
        missing_docs,
        reason = "clap would show it as the help of the whole group"
    )]
    pub pixels: PixelArgs,
}
