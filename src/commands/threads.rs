//! The threads that read, decode, check and pack: as many as the system grants.

use std::io;
use std::num::NonZero;
use std::sync::Once;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use super::complain;
use crate::cpu::MOST_THREADS;
use crate::error::{Error, Result};

/// A thread that waits to be told what it is.
type Seat = (Sender<ThreadBuilder>, JoinHandle<()>);

/// Starts rayon's threads for this process: so many, else as rayon itself does, one for each
/// hardware thread or what `RAYON_NUM_THREADS` says.
///
/// Left to itself rayon does so late, and panics where the system refuses a thread, as it does a
/// user with too many processes. Here fewer start then, with a warning, and half of those that
/// could are left for the network's own. A process has one pool: a second call changes nothing.
///
/// # Errors
///
/// A pool that somebody else has started before.
pub(super) fn start(wanted: Option<usize>) -> Result<()> {
    static STARTED: Once = Once::new();
    let mut started = Ok(());
    STARTED.call_once(|| started = build(wanted.unwrap_or_else(usual)));
    started
}

fn build(wanted: usize) -> Result<()> {
    let mut seats = Vec::with_capacity(wanted);
    for number in 0..wanted {
        match seat(number) {
            Ok(seat) => seats.push(seat),
            Err(error) => {
                let granted = seats.len();
                let message =
                    format!("the system grants {granted} of {wanted} threads more: {error}");
                complain("warning", &message);
                release(seats.split_off(granted.div_ceil(2)));
                break;
            }
        }
    }
    let pool = match seats.len() {
        // The thread that calls does all the work.
        0 => ThreadPoolBuilder::new().num_threads(1).use_current_thread(),
        threads => ThreadPoolBuilder::new().num_threads(threads),
    };
    let mut seats = seats.into_iter();
    let built = pool.spawn_handler(|thread| {
        let (seat, _) = seats
            .next()
            .ok_or_else(|| io::Error::other("too few are there"))?;
        seat.send(thread)
            .map_err(|_| io::Error::other("one is gone"))
    });
    built
        .build_global()
        .map_err(|error| Error::Device(format!("cannot start the threads: {error}")))
}

/// How many threads rayon has if nobody says, but for a number that `--threads` does not take.
fn usual() -> usize {
    let set = std::env::var("RAYON_NUM_THREADS").ok();
    let set = set.and_then(|text| text.parse().ok());
    set.filter(|threads| (1..=MOST_THREADS).contains(threads))
        .unwrap_or_else(|| thread::available_parallelism().map_or(1, NonZero::get))
}

fn seat(number: usize) -> io::Result<Seat> {
    let (sender, receiver) = channel::<ThreadBuilder>();
    let work = move || {
        if let Ok(thread) = receiver.recv() {
            thread.run();
        }
    };
    let name = format!("senet-images-{number}");
    Ok((sender, thread::Builder::new().name(name).spawn(work)?))
}

/// Gives threads back, and returns when they are gone.
fn release(seats: Vec<Seat>) {
    for (sender, thread) in seats {
        drop(sender);
        // It has done nothing that could panic.
        let _ = thread.join();
    }
}
