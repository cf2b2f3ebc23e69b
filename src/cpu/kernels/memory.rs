//! One piece of memory that the threads of a team share.

use std::array::from_fn;
use std::marker::PhantomData;

use super::BLOCK;
use crate::cpu::element::{Element, ElementType, with_element};

/// Elements of all types that several threads read and write, each its own. An offset counts
/// elements of the type that lies there, from the beginning on.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Memory<'a> {
    base: *mut u8,
    bytes: usize,
    elements: PhantomData<&'a mut [u8]>,
}

// SAFETY: it stands for `&mut [u8]`, which is `Send`.
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
            base: elements.as_mut_ptr().cast(),
            bytes: size_of_val(elements),
            elements: PhantomData,
        }
    }

    /// Where it begins.
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Refuses what lies outside.
    pub(super) fn check(&self, element_type: ElementType, offset: usize, count: usize) {
        let end = offset
            .checked_add(count)
            .and_then(|end| end.checked_mul(element_type.size()));
        assert!(
            end.is_some_and(|end| end <= self.bytes),
            "{count} elements from {offset} on, {element_type:?}, lie outside a memory of {} bytes",
            self.bytes
        );
    }

    /// Where an element lies.
    fn place<E: Element>(&self, offset: usize) -> *mut E {
        self.base.cast::<E>().wrapping_add(offset)
    }

    /// An element, widened.
    pub(in crate::cpu) fn get<E: Element>(&self, offset: usize) -> f32 {
        self.check(E::TYPE, offset, 1);
        // SAFETY: inside, and not being written, as `new` was promised; any bits are an element.
        unsafe { *self.place::<E>(offset) }.widened()
    }

    /// Writes the nearest element.
    pub(in crate::cpu) fn set<E: Element>(&self, offset: usize, number: f32) {
        self.check(E::TYPE, offset, 1);
        // SAFETY: inside, and nobody else's, as `new` was promised.
        unsafe { *self.place(offset) = E::rounded(number) }
    }

    /// So many elements from this one on.
    ///
    /// # Safety
    ///
    /// As long as they are borrowed, nobody writes any of them: neither another thread nor this one,
    /// neither through a copy of this memory nor by a kernel that is given it.
    pub(in crate::cpu) unsafe fn elements<E: Element>(&self, offset: usize, count: usize) -> &[E] {
        self.check(E::TYPE, offset, count);
        // SAFETY: inside, and not being written, as the caller promises; any bits are elements.
        unsafe { std::slice::from_raw_parts(self.place(offset), count) }
    }

    pub(in crate::cpu) fn zero(&self, element_type: ElementType, offset: usize, count: usize) {
        self.check(element_type, offset, count);
        let place = self.base.wrapping_add(element_type.bytes(offset));
        // SAFETY: inside, and nobody else's, as `new` was promised; zero bits are 0.
        unsafe { place.write_bytes(0, element_type.bytes(count)) }
    }

    /// A block of channels, widened.
    pub(in crate::cpu) fn block(&self, element_type: ElementType, offset: usize) -> [f32; BLOCK] {
        self.check(element_type, offset, BLOCK);
        with_element!(element_type, E => {
            let place = self.place::<E>(offset);
            // SAFETY: inside, and not being written, as `new` was promised.
            from_fn(|lane| unsafe { *place.add(lane) }.widened())
        })
    }

    /// Copies what another place has, which may be of another type.
    pub(in crate::cpu) fn copy(&self, [from, to]: [(ElementType, usize); 2], count: usize) {
        let ((from_type, from), (to_type, to)) = (from, to);
        if from_type != to_type {
            with_element!(from_type, From => with_element!(to_type, To => {
                for element in 0..count {
                    self.set::<To>(to + element, self.get::<From>(from + element));
                }
            }));
            return;
        }
        self.check(from_type, from, count);
        self.check(to_type, to, count);
        let [from, to] = [from, to].map(|offset| self.base.wrapping_add(to_type.bytes(offset)));
        // SAFETY: inside, not being written and nobody else's, as `new` was promised; the two may
        // overlap.
        unsafe { from.copy_to(to, to_type.bytes(count)) }
    }

    /// Writes the nearest elements.
    pub(in crate::cpu) fn write(&self, element_type: ElementType, offset: usize, numbers: &[f32]) {
        self.check(element_type, offset, numbers.len());
        with_element!(element_type, E => {
            let place = self.place::<E>(offset);
            for (index, &number) in numbers.iter().enumerate() {
                // SAFETY: inside, and nobody else's, as `new` was promised.
                unsafe { *place.add(index) = E::rounded(number) }
            }
        });
    }
}
