//! Where weights come from, and what a file calls them.

mod file;
mod keys;
mod recognition;
mod reference;
mod weights;

pub use file::{NonFinite, TensorFile};
pub use keys::Mismatch;
pub use recognition::Recognition;
pub use reference::Reference;
pub use weights::Weights;
