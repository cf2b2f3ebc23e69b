//! What memory is counted in.

/// What the elements of a tensor or packed weight are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    F32,
}

/// What all values are.
pub(super) const VALUES: ElementType = ElementType::F32;

impl ElementType {
    /// Bytes of so many elements.
    pub(super) fn bytes(self, elements: usize) -> usize {
        let size = match self {
            Self::F32 => size_of::<f32>(),
        };
        elements.saturating_mul(size)
    }
}
