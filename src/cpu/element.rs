//! What tensors and packed weights are made of.

use bytemuck::Pod;
use half::bf16;

/// What the elements of a tensor or packed weight are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) enum ElementType {
    /// Single precision.
    #[default]
    F32,
    /// The upper half of a number in single precision: its sign, its exponent, and 7 bits after
    /// the point.
    Bf16,
}

/// An element. Sums are taken in single precision, whatever is summed up.
pub(super) trait Element: Pod + Send + Sync {
    const TYPE: ElementType;

    fn widened(self) -> f32;

    /// The nearest; of two, the even one.
    fn rounded(number: f32) -> Self;
}

impl ElementType {
    /// Bytes of one element.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::F32 => size_of::<f32>(),
            Self::Bf16 => size_of::<bf16>(),
        }
    }

    /// Bytes of so many elements.
    pub(super) fn bytes(self, elements: usize) -> usize {
        elements.saturating_mul(self.size())
    }

    /// Elements of K that a matrix's kernel multiplies and adds up at once: as many as 32 bits
    /// have.
    pub(super) const fn together(self) -> usize {
        size_of::<f32>() / self.size()
    }
}

impl Element for f32 {
    const TYPE: ElementType = ElementType::F32;

    #[inline]
    fn widened(self) -> f32 {
        self
    }

    #[inline]
    fn rounded(number: f32) -> Self {
        number
    }
}

impl Element for bf16 {
    const TYPE: ElementType = ElementType::Bf16;

    #[inline]
    fn widened(self) -> f32 {
        self.to_f32()
    }

    /// What is too small for a normal number is zero, as it is for the processors' instructions.
    #[inline]
    fn rounded(number: f32) -> Self {
        let tiny = number.abs() < f32::MIN_POSITIVE;
        Self::from_f32(if tiny { 0_f32.copysign(number) } else { number })
    }
}

/// Evaluates an expression with a name for the type of elements that a value says.
macro_rules! with_element {
    ($element_type:expr, $Name:ident => $body:expr) => {
        match $element_type {
            $crate::cpu::element::ElementType::F32 => {
                type $Name = f32;
                $body
            }
            $crate::cpu::element::ElementType::Bf16 => {
                type $Name = half::bf16;
                $body
            }
        }
    };
}

pub(super) use with_element;
