//! One piece of memory that the threads of a team share.

use std::marker::PhantomData;

use super::BLOCK;

/// Elements in single precision that several threads read and write, each its own. Offsets and
/// counts are of those.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Memory<'a> {
    base: *mut f32,
    len: usize,
    elements: PhantomData<&'a mut [f32]>,
}

// SAFETY: it stands for `&mut [f32]`, which is `Send`.
unsafe impl Send for Memory<'_> {}
// SAFETY: whoever makes one promises that threads do not meet in it.
unsafe impl Sync for Memory<'_> {}

impl<'a> Memory<'a> {
    /// Memory to share.
    ///
    /// # Safety
    ///
    /// As long as any copy of it is in use on several threads, none of them reads or writes an
    /// element that another is writing.
    pub(in crate::cpu) unsafe fn new(elements: &'a mut [f32]) -> Self {
        Self {
            base: elements.as_mut_ptr(),
            len: elements.len(),
            elements: PhantomData,
        }
    }

    /// Where it begins.
    pub(super) fn base(&self) -> *mut f32 {
        self.base
    }

    /// Refuses what lies outside.
    pub(super) fn check(&self, offset: usize, count: usize) {
        let end = offset.checked_add(count);
        assert!(
            end.is_some_and(|end| end <= self.len),
            "{count} elements from {offset} on lie outside a memory of {}",
            self.len
        );
    }

    pub(in crate::cpu) fn get(&self, offset: usize) -> f32 {
        self.check(offset, 1);
        // SAFETY: inside, and not being written, as `new` was promised.
        unsafe { *self.base.add(offset) }
    }

    /// So many elements from this one on.
    ///
    /// # Safety
    ///
    /// As long as they are borrowed, nobody writes any of them: neither another thread nor this one,
    /// neither through a copy of this memory nor by a kernel that is given it.
    pub(in crate::cpu) unsafe fn elements(&self, offset: usize, count: usize) -> &[f32] {
        self.check(offset, count);
        // SAFETY: inside, and not being written, as the caller promises.
        unsafe { std::slice::from_raw_parts(self.base.add(offset), count) }
    }

    pub(in crate::cpu) fn set(&self, offset: usize, element: f32) {
        self.check(offset, 1);
        // SAFETY: inside, and nobody else's, as `new` was promised.
        unsafe { *self.base.add(offset) = element }
    }

    pub(in crate::cpu) fn zero(&self, offset: usize, count: usize) {
        self.check(offset, count);
        // SAFETY: inside, and nobody else's, as `new` was promised; zero bits are 0.
        unsafe { self.base.add(offset).write_bytes(0, count) }
    }

    /// A block of channels.
    pub(in crate::cpu) fn block(&self, offset: usize) -> [f32; BLOCK] {
        self.check(offset, BLOCK);
        // SAFETY: inside, and not being written, as `new` was promised; elements are aligned.
        unsafe { self.base.add(offset).cast::<[f32; BLOCK]>().read() }
    }

    /// Copies what another place has.
    pub(in crate::cpu) fn copy(&self, from: usize, to: usize, count: usize) {
        self.check(from, count);
        self.check(to, count);
        // SAFETY: inside, not being written and nobody else's, as `new` was promised; the two may
        // overlap.
        unsafe { self.base.add(from).copy_to(self.base.add(to), count) }
    }

    pub(in crate::cpu) fn write(&self, offset: usize, elements: &[f32]) {
        self.check(offset, elements.len());
        let place = self.base.wrapping_add(offset);
        // SAFETY: inside, and nobody else's, as `new` was promised; the two may overlap.
        unsafe { place.copy_from(elements.as_ptr(), elements.len()) }
    }
}
