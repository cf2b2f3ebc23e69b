//! An archive's bytes, in their order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek};

use super::header::BLOCK;

/// An archive that is a file, of which only headers are read here, or one that comes through a
/// pipe or out of gzip, of which everything is.
pub(super) enum Tape {
    File(BufReader<File>, u64),
    Stream(Box<dyn BufRead + Send>),
}

/// What is at a place where a header may be.
pub(super) enum Found {
    Block(Box<[u8; BLOCK]>),
    /// Some bytes, but no whole block.
    Torn,
    Nothing,
}

impl Tape {
    pub(super) fn block(&mut self) -> io::Result<Found> {
        let mut block = Box::new([0; BLOCK]);
        let mut read = 0;
        while read < BLOCK {
            match self.reader().read(&mut block[read..]) {
                Ok(0) if read == 0 => return Ok(Found::Nothing),
                Ok(0) => return Ok(Found::Torn),
                Ok(count) => read += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Block(block))
    }

    /// The next `size` bytes, which fit in memory.
    pub(super) fn bytes(&mut self, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(usize::try_from(size).map_err(io::Error::other)?)?;
        self.reader().take(size).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < size {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    /// Passes over `size` bytes, if they are there.
    pub(super) fn skip(&mut self, size: u64) -> io::Result<()> {
        match self {
            Self::File(file, length) => {
                let position = file.stream_position()?;
                if size > length.saturating_sub(position) {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                file.seek_relative(size.try_into().map_err(io::Error::other)?)
            }
            Self::Stream(stream) => {
                let passed = io::copy(&mut stream.take(size), &mut io::sink())?;
                if passed < size {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Ok(())
            }
        }
    }

    fn reader(&mut self) -> &mut dyn Read {
        match self {
            Self::File(file, _) => file,
            Self::Stream(stream) => stream,
        }
    }
}
