//! The CPU's own path: a network's layers fused, planned and computed by kernels of this crate.
//!
//! ```text
//! layers ──> graph ──────> plan ───────────────> run
//!            fuse/         plan/                 engine.rs, team.rs
//!            what folds    for one input shape:  phase by phase,
//!            into what     algorithms, memory    job/ over kernels/
//! ```
//!
//! candle's path, [`crate::nn`], stays the reference. Results depend on the image alone: not on
//! the batch it came in, nor on the number of threads.

mod algorithm;
mod bandwidth;
mod cache;
mod cores;
mod element;
mod engine;
mod epilogue;
mod fuse;
mod isa;
mod job;
mod kernels;
mod options;
mod pack;
mod pages;
mod peak;
mod plan;
mod share;
mod summary;
mod team;
mod tiling;
mod view;

#[cfg(test)]
mod tests;

pub use algorithm::Algorithm;
pub use bandwidth::bandwidth;
pub use engine::Engine;
pub use isa::{Features, Isa, Vectors};
pub use kernels::WinogradTile;
#[cfg(feature = "cli")]
pub(crate) use options::MOST_THREADS;
pub(crate) use options::micro_batch;
pub use options::{MICRO_BATCH, Options, Precision};
pub use peak::peak;
pub use summary::{PlanSummary, StepSummary, memory, plan};
