//! What the names of a dump mean.

use serde::Serialize;

use crate::checkpoint::How;

/// What becomes of a value of a dump that the network has no layer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Extra {
    /// It is an error.
    Error,
    /// It is left out, and listed.
    Ignore,
}

/// A value of a dump and the layer whose output it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedValue {
    /// What the dump calls it.
    pub name: String,
    /// The layer.
    pub layer: String,
    /// How that follows from the name.
    pub how: How,
    /// The code base that calls the layer or group so, where it is called otherwise here.
    pub code_base: Option<&'static str>,
    /// The layer's index in the network.
    #[serde(skip)]
    pub position: usize,
}

/// The values of a dump that a network has layers for, and the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NamedValues {
    /// In the network's order.
    pub values: Vec<NamedValue>,
    /// Names that mean no layer, sorted.
    pub extra: Vec<String>,
}
