//! Where weights come from, and what a file calls them.

mod backend;
mod builtin;
mod drawn;
mod file;
mod folder;
mod graph;
mod header;
#[cfg(feature = "hub")]
mod hub;
mod imagenet;
mod keys;
mod kind;
mod labels;
mod layer_names;
mod normalization;
mod recognition;
mod source;
mod spelling;
mod timm_config;
mod weights;
mod wrapping;
mod written_header;

pub use builtin::Builtin;
pub use drawn::drawn_weights;
pub use file::{NonFinite, TensorFile};
pub(crate) use folder::MOST_BYTES;
pub use graph::open_graph;
pub use imagenet::{imagenet_labels, imagenet_synsets};
pub use keys::Mismatch;
pub use layer_names::How;
pub(crate) use layer_names::{LayerNames, prefixes_of_all, with_dots};
pub use recognition::Recognition;
pub use source::{Download, Repository, Source};
pub use weights::Weights;
pub use written_header::{
    HeaderBounds, TensorElement, TensorLine, WrittenHeader, bytes_in_list, check_names,
};
