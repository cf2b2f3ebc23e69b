//! Large pieces of memory, in large pages where the system has them: a network's weights pass
//! through the processor once a run, and finding a small page's address takes as long as reading
//! it.

#[cfg(not(test))]
use memmap2::MmapMut as Map;

// Whole pages hide what lies beyond the last number: the unit tests see it.
#[cfg(test)]
use super::tests::exact::Exact as Map;
use crate::error::{Error, Result};

/// So many numbers, all zero at first.
#[derive(Debug)]
pub(super) struct Pages {
    /// None of none.
    map: Option<Map>,
}

impl Pages {
    /// # Errors
    ///
    /// More than the system gives.
    pub(super) fn zeroed(numbers: usize) -> Result<Self> {
        if numbers == 0 {
            return Ok(Self { map: None });
        }
        let bytes = numbers.saturating_mul(size_of::<f32>());
        let map = Map::map_anon(bytes)
            .map_err(|error| Error::Device(format!("no {bytes} bytes of memory: {error}")))?;
        // Advice: where it is not taken, it is slower.
        #[cfg(all(target_os = "linux", not(test)))]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self { map: Some(map) })
    }

    pub(super) fn len(&self) -> usize {
        self.numbers().len()
    }

    pub(super) fn numbers(&self) -> &[f32] {
        self.map
            .as_ref()
            .map_or(&[], |map| bytemuck::cast_slice(map))
    }

    pub(super) fn numbers_mut(&mut self) -> &mut [f32] {
        match &mut self.map {
            Some(map) => bytemuck::cast_slice_mut(map),
            None => &mut [],
        }
    }
}
