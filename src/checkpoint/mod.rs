//! Where weights come from, and what a file calls them.

mod file;
mod keys;
mod reference;
mod weights;

pub use file::TensorFile;
pub use reference::Reference;
pub use weights::Weights;
