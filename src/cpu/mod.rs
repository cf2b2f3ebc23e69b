//! The CPU's own path: a network's layers fused, planned and computed by kernels of this crate.
//!
//! ```text
//! layers ──> graph ──────> plan ───────────────> run
//!            fuse.rs       plan/, place.rs       engine.rs, team.rs
//!            what folds    for one input shape:  phase by phase,
//!            into what     algorithms, memory    job/ over kernels/
//! ```
//!
//! candle's path, [`crate::nn`], stays the reference. Results depend on the image alone: not on
//! the batch it came in, nor on the number of threads.

mod cores;
mod engine;
mod epilogue;
mod fuse;
mod isa;
mod job;
mod kernels;
mod matrix;
mod pack;
mod pages;
mod peak;
mod place;
mod plan;
mod share;
mod summary;
mod team;
mod view;

#[cfg(test)]
mod tests;

#[cfg(feature = "cli")]
pub(crate) use engine::MOST_THREADS;
pub(crate) use engine::portion;
pub use engine::{Engine, Options};
pub use isa::{Features, Isa, Vectors};
pub use kernels::WinogradTile;
pub use peak::peak;
pub use summary::{PlanSummary, StepSummary, memory, plan};
