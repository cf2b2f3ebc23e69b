//! Memory for what is read of archives before anybody decodes it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Bytes that members may take while they wait to be decoded.
#[derive(Debug)]
pub(in crate::commands::inputs) struct Room {
    most: u64,
    free: Mutex<u64>,
    freed: Condvar,
}

/// A part of it, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Taken {
    room: Arc<Room>,
    bytes: u64,
}

impl Room {
    pub(in crate::commands::inputs) fn new(most: u64) -> Arc<Self> {
        Arc::new(Self {
            most,
            free: Mutex::new(most),
            freed: Condvar::new(),
        })
    }

    /// The most that one member may take.
    pub(super) fn most(&self) -> u64 {
        self.most
    }

    /// Takes so many `bytes`, no more than [`Room::most`], once they are free.
    pub(super) fn take(self: &Arc<Self>, bytes: u64) -> Taken {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.freed.wait_while(free, |free| *free < bytes);
        *free.unwrap_or_else(PoisonError::into_inner) -= bytes;
        Taken {
            room: self.clone(),
            bytes,
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut free = self
            .room
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *free += self.bytes;
        drop(free);
        self.room.freed.notify_one();
    }
}
