//! Memory of the very size that is asked for, which stands in for whole pages in unit tests: so its
//! ends are the allocator's, which may guard them, and which valgrind knows.
#![allow(
    unsafe_code,
    reason = "no safe owner of bytes is aligned to a cache line"
)]

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io::{Error, ErrorKind, Result};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice::{from_raw_parts, from_raw_parts_mut};

#[derive(Debug)]
pub(in crate::cpu) struct Exact {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes.
unsafe impl Send for Exact {}
// SAFETY: they change through `&mut` alone.
unsafe impl Sync for Exact {}

impl Exact {
    /// As `memmap2::MmapMut::map_anon`, but aligned to a cache line.
    pub(in crate::cpu) fn map_anon(bytes: usize) -> Result<Self> {
        let layout = Layout::from_size_align(bytes, 64).map_err(Error::other)?;
        assert_ne!(bytes, 0, "an empty map is none");
        // SAFETY: not empty.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        let start = start.ok_or(ErrorKind::OutOfMemory)?;
        Ok(Self { start, layout })
    }
}

impl Deref for Exact {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: its own bytes, written when they were allocated.
        unsafe { from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for Exact {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has them.
        unsafe { from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl Drop for Exact {
    fn drop(&mut self) {
        // SAFETY: allocated so, and nobody has them any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
