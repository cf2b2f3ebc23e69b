//! Large pieces of memory, in large pages where the system has them: a network's weights pass
//! through the processor once a run, and finding a small page's address takes as long as reading
//! it.

#[cfg(not(test))]
use memmap2::MmapMut as Map;

// Whole pages hide what lies beyond the last byte: the unit tests see it.
#[cfg(test)]
use super::tests::exact::Exact as Map;
use crate::error::{Error, Result};

/// So many bytes, all zero at first.
#[derive(Debug)]
pub(super) struct Pages {
    /// The pages; none where there are no bytes.
    map: Option<Map>,
}

impl Pages {
    /// Asks the system for so many bytes.
    ///
    /// # Errors
    ///
    /// More than the system gives.
    pub(super) fn zeroed(bytes: usize) -> Result<Self> {
        if bytes == 0 {
            return Ok(Self { map: None });
        }
        let map = Map::map_anon(bytes)
            .map_err(|error| Error::Device(format!("no {bytes} bytes of memory: {error}")))?;
        // Advice: where it is not taken, it is slower.
        #[cfg(all(target_os = "linux", not(test)))]
        let _ = map.advise(memmap2::Advice::HugePage);
        Ok(Self { map: Some(map) })
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| map)
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.map {
            Some(map) => map,
            None => &mut [],
        }
    }
}
