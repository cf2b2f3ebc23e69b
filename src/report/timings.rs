use std::io::{self, Write};

use super::table::{self, Align};
use crate::text::counted;

/// Where the time of `senet classify` went, in milliseconds. Images are read, decoded and resized
/// on several threads while the network runs: these times are sums over all threads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Timings {
    /// The number of images.
    pub images: usize,
    /// Threads that prepared images.
    pub threads: usize,
    /// The time to open, check and pack the weights, and to plan.
    pub load_ms: f64,
    /// The time to find the images, or to wait for those of a list.
    pub list_ms: f64,
    /// The time to read files.
    pub read_ms: f64,
    /// The time to decode images.
    pub decode_ms: f64,
    /// The time to resize, crop and normalise images.
    pub resize_ms: f64,
    /// The network waited so long for its first images.
    pub wait_first_ms: f64,
    /// The time that the network waited for later images.
    pub wait_ms: f64,
    /// The time that the network ran.
    pub run_ms: f64,
    /// The time that rows were written.
    pub write_ms: f64,
    /// The time since the first thing that the program did.
    pub total_ms: f64,
}

impl Timings {
    /// Writes it for people.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let header = ["time", "ms", "of total", "ms an image", ""];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        let on_threads = format!(
            "while the network runs, summed over {}",
            counted(self.threads, "thread")
        );
        let on_threads = if self.threads == 1 {
            "in turn with the network"
        } else {
            &on_threads
        };
        for (name, time, what) in [
            (
                "load",
                self.load_ms,
                "weights opened, checked and packed, the run planned",
            ),
            ("list", self.list_ms, "images found, or waited for"),
            ("read", self.read_ms, on_threads),
            ("decode", self.decode_ms, on_threads),
            ("resize", self.resize_ms, on_threads),
            (
                "wait",
                self.wait_first_ms,
                "of the network for its first images",
            ),
            ("wait", self.wait_ms, "of the network for later images"),
            ("run", self.run_ms, "of the network"),
            ("write", self.write_ms, "rows"),
            ("total", self.total_ms, ""),
        ] {
            rows.push(vec![
                name.to_owned(),
                format!("{time:.1}"),
                format!("{:.1} %", time / self.total_ms * 100.),
                format!("{:.2}", time / self.images.max(1) as f64),
                what.to_owned(),
            ]);
        }
        let (left, right) = (Align::Left, Align::Right);
        table::write(out, &[left, right, right, right, left], &rows)
    }
}
