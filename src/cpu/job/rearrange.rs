//! Elements that are only moved.

use std::ops::Range;

use super::{RunContext, row_of};
use crate::cpu::kernels::BLOCK;
use crate::cpu::view::View;

/// Copies a map's elements to other places.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct RearrangeJob {
    pub(in crate::cpu) source: View,
    pub(in crate::cpu) output: View,
    /// For each block of the output, where its channels come from.
    pub(in crate::cpu) runs: Vec<Vec<Run>>,
    /// For each row of the output, where in a channel of the source its own begins, and for each
    /// column where in that row; zeros where that is nowhere.
    pub(in crate::cpu) rows: Vec<Option<usize>>,
    pub(in crate::cpu) columns: Vec<Option<usize>>,
}

/// Channels of a block that come from where they lie together.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Run {
    /// From an image's first element to that of the first channel; zeros where there is none.
    pub(in crate::cpu) source: Option<usize>,
    pub(in crate::cpu) channels: usize,
}

impl RearrangeJob {
    /// Rows of the output's blocks.
    pub(super) fn run(&self, rows: Range<usize>, context: &RunContext<'_>) {
        let memory = &context.memory;
        for index in rows {
            let [image, block, row] = row_of(&self.output, index);
            let source = self.rows[row].map(|row| self.source.at(image, 0) + row);
            let output = self.output.at(image, block) + row * self.output.row_stride;
            let (from_type, to_type) = (self.source.element_type, self.output.element_type);
            for (pixel, column) in self.columns.iter().enumerate() {
                let mut to = output + pixel * BLOCK;
                let (Some(source), Some(column)) = (source, column) else {
                    memory.zero(to_type, to, BLOCK);
                    continue;
                };
                for run in &self.runs[block] {
                    match run.source {
                        Some(channel) => {
                            let from = (from_type, source + column + channel);
                            memory.copy([from, (to_type, to)], run.channels);
                        }
                        None => memory.zero(to_type, to, run.channels),
                    }
                    to += run.channels;
                }
            }
        }
    }
}
