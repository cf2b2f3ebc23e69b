//! An allocator that puts each buffer of elements between pages that nobody may touch.
//!
//! It stands in for the program's own in this crate's unit tests, and hands everything through
//! until [`between_pages`] is called. So nothing of the engine is written for tests, and no buffer
//! that it may come to have is left out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::{copy_nonoverlapping, null_mut};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which of its ends a buffer has at a page's border: it has both only where it fills pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    Start,
    End,
}

/// Bytes of a page, as soon as anything is guarded.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// Addresses for all buffers that ever are: none is used twice, so that what is freed stays out of
/// bounds. Without access they take no memory.
const ADDRESSES: usize = 1 << 38;

/// Where they begin; 0 as long as nothing is guarded.
static BASE: AtomicUsize = AtomicUsize::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);
static AT_END: AtomicBool = AtomicBool::new(false);
/// Bytes of the largest buffer made of cache lines.
static LARGEST: AtomicUsize = AtomicUsize::new(0);

/// From here on, each buffer has this edge at a page that nobody may touch.
pub(super) fn between_pages(edge: Edge) {
    AT_END.store(edge == Edge::End, Ordering::SeqCst);
    // SAFETY: it only asks.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) });
    PAGE.store(page.unwrap(), Ordering::SeqCst);
    // SAFETY: a new mapping, wherever there is room for one.
    let base = unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        libc::mmap(null_mut(), ADDRESSES, libc::PROT_NONE, flags, -1, 0)
    };
    assert_ne!(base, libc::MAP_FAILED, "no address space");
    BASE.store(base.addr(), Ordering::SeqCst);
}

/// Bytes of the largest buffer made of cache lines since this was called last.
pub(super) fn take_largest() -> usize {
    LARGEST.swap(0, Ordering::SeqCst)
}

struct Guarded;

#[global_allocator]
static ALLOCATOR: Guarded = Guarded;

/// Whole pages that a buffer lies in, from their first address on.
fn pages(start: usize, size: usize) -> [usize; 2] {
    let page = PAGE.load(Ordering::SeqCst);
    let first = start / page * page;
    [first, (start + size).next_multiple_of(page) - first]
}

fn is_guarded(pointer: *mut u8) -> bool {
    let base = BASE.load(Ordering::SeqCst);
    base != 0 && (base..base + ADDRESSES).contains(&pointer.addr())
}

/// Elements of 32 bits, or cache lines and what is made of more. Strings and lists of other things
/// are no business of a kernel's.
fn is_to_guard(layout: Layout) -> bool {
    BASE.load(Ordering::SeqCst) != 0 && (layout.align() == 4 || layout.align() >= 64)
}

impl Guarded {
    fn guard(layout: Layout) -> *mut u8 {
        let layout = layout.pad_to_align();
        let page = PAGE.load(Ordering::SeqCst);
        let align = layout.align().max(page);
        // A page before it, and one after that of which it may be the end.
        let room = layout.size().next_multiple_of(align) + align + page;
        let base = BASE.load(Ordering::SeqCst);
        let used = USED.fetch_add(room, Ordering::SeqCst);
        if used + room > ADDRESSES {
            return null_mut();
        }
        let mut start = (base + used + page).next_multiple_of(align);
        if AT_END.load(Ordering::SeqCst) {
            let end = (start + layout.size()).next_multiple_of(page);
            start = (end - layout.size()) / layout.align() * layout.align();
        }
        if layout.align() >= 64 {
            LARGEST.fetch_max(layout.size(), Ordering::SeqCst);
        }
        let [first, length] = pages(start, layout.size());
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: pages of the mapping that nobody has got yet.
        if unsafe { libc::mprotect(first as *mut _, length, access) } != 0 {
            return null_mut();
        }
        start as *mut u8
    }
}

// SAFETY: a buffer is either the system's, or pages that no other buffer ever has, aligned as
// asked for; where it lies says which of the two it is.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_to_guard(layout) {
            return Self::guard(layout);
        }
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_to_guard(layout) {
            // New pages are.
            return Self::guard(layout);
        }
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !is_guarded(pointer) {
            // SAFETY: the caller's.
            return unsafe { System.dealloc(pointer, layout) };
        }
        let [first, length] = pages(pointer.addr(), layout.pad_to_align().size());
        // SAFETY: the buffer's own pages, which nobody uses any more.
        let results = unsafe {
            [
                libc::madvise(first as *mut _, length, libc::MADV_DONTNEED),
                libc::mprotect(first as *mut _, length, libc::PROT_NONE),
            ]
        };
        if results != [0, 0] {
            std::process::abort();
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's: `size` is none that overflows.
        unsafe {
            let new = Layout::from_size_align_unchecked(size, layout.align());
            if !is_guarded(pointer) && !is_to_guard(new) {
                return System.realloc(pointer, layout, size);
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                copy_nonoverlapping(pointer, moved, layout.size().min(size));
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}
