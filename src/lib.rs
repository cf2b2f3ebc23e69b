//! Run, inspect and check Squeeze-and-Excitation networks.
//!
//! A network is described once, as plain data, and everything else is derived:
//!
//! ```text
//!    image ──> tensor ──────────────> model ────────> report
//!                                       ▲
//! catalogue ──> description ──> layers ─┼──> trace       shapes, parameters, MACs; needs no weights
//!                                       ├──> nn          candle, one leaf a layer: CPU, CUDA, Metal
//!                                       ├──> cpu         the same layers, fused, by kernels of this crate
//!                                       └──> checkpoint  what each layer's tensors are called in a file
//! ```
//!
//! - [`network`]: descriptions, the catalogue, layers, the trace;
//! - [`nn`]: candle modules, the [`nn::SqueezeExcitation`] block first;
//! - [`cpu`]: the same networks by kernels of this crate;
//! - [`model`]: either of the two, ready to run;
//! - [`classifier`]: from images to labels and probabilities;
//! - [`evaluation`]: how good a classifier is, on images whose classes are known;
//! - [`explain`]: what a network saw: the gates of its SE blocks, and a heat map;
//! - [`checkpoint`]: where weights come from;
//! - [`preprocessing`]: what an image goes through on its way to a network, as plain data;
//! - [`picture`]: heat maps and gates as pictures;
//! - [`image`]: from a file to the numbers a network sees;
//! - [`report`]: what the commands answer, as text, JSON or CSV;
//! - [`text`]: how text from outside is shown.

pub mod checkpoint;
pub mod classifier;
pub mod cpu;
pub mod error;
pub mod evaluation;
pub mod explain;
mod files;
pub mod image;
pub mod model;
pub mod network;
pub mod nn;
pub mod parity;
pub mod picture;
pub mod preprocessing;
#[cfg(feature = "cli")]
pub mod report;
pub mod text;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod commands;

pub use error::{Error, Result};
