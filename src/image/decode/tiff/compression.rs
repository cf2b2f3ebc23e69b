//! How a TIFF's strips and tiles are compressed, and their bytes once they are not.

use std::io::{ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::errors::FrameDecoderError;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use weezl::{BitOrder, LzwStatus, decode};

use super::fax::{Coding, Fax};

/// How strips and tiles are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    PackBits,
    Lzw,
    Deflate,
    Zstandard,
    Fax(Coding),
    /// Every strip or tile is a JPEG image of its own, which `jpeg.rs` decodes.
    Jpeg,
}

impl Compression {
    /// The compression of a number under tag 259, or the name of one that is not read.
    pub(super) fn of(number: u64, group3_options: u64) -> Result<Self, String> {
        let name = match number {
            1 => return Ok(Self::None),
            2 => return Ok(Self::Fax(Coding::Rows { align: 8 })),
            3 if group3_options & 2 != 0 => "uncompressed CCITT group 3",
            3 => {
                let two_dimensional = group3_options & 1 != 0;
                return Ok(Self::Fax(Coding::Group3 { two_dimensional }));
            }
            4 => return Ok(Self::Fax(Coding::Group4)),
            5 => return Ok(Self::Lzw),
            7 => return Ok(Self::Jpeg),
            8 | 32946 => return Ok(Self::Deflate),
            32771 => return Ok(Self::Fax(Coding::Rows { align: 16 })),
            32773 => return Ok(Self::PackBits),
            50000 => return Ok(Self::Zstandard),
            6 => "old-style JPEG",
            9 | 10 | 34661 => "JBIG",
            32766 => "NeXT",
            32809 => "ThunderScan",
            34676 | 34677 => "SGI LogLuv",
            34712 => "JPEG 2000",
            34887 => "LERC",
            34892 => "lossy DNG",
            34925 => "LZMA",
            50001 => "WebP",
            50002 => "JPEG XL",
            _ => return Err(format!("compression of an unknown kind, {number}")),
        };
        Err(format!("{name} compression"))
    }

    /// Whether a predictor may have been at work before the compression.
    pub(super) fn has_predictor(self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate | Self::Zstandard)
    }
}

/// What decompresses one strip or tile after another.
pub(super) struct Decompressor {
    state: State,
}

enum State {
    None,
    PackBits,
    Lzw {
        decoder: decode::Decoder,
        /// A decoder of the codes that came before TIFF 6: the lowest bit first, as in GIF.
        old_decoder: decode::Decoder,
    },
    Deflate(Decompress),
    Zstandard(Box<FrameDecoder>),
    Fax(Fax),
}

impl Decompressor {
    /// The most bytes that one for rows of `width` samples takes.
    pub(super) fn memory(compression: Compression, width: u32) -> u64 {
        match compression {
            Compression::None | Compression::PackBits | Compression::Jpeg => 0,
            // Tables of codes, and the window of what they may repeat.
            Compression::Lzw | Compression::Deflate => 1 << 18,
            // The window and a block, in a buffer that may have doubled.
            Compression::Zstandard => 4 * LARGEST_WINDOW,
            Compression::Fax(_) => Fax::memory(width),
        }
    }

    /// One for rows of `width` samples: facsimile compression is by rows.
    pub(super) fn new(compression: Compression, width: u32) -> Self {
        let state = match compression {
            Compression::None | Compression::Jpeg => State::None,
            Compression::PackBits => State::PackBits,
            Compression::Lzw => State::Lzw {
                decoder: decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
                old_decoder: decode::Decoder::new(BitOrder::Lsb, 8),
            },
            Compression::Deflate => State::Deflate(Decompress::new(true)),
            Compression::Zstandard => {
                let mut decoder = FrameDecoder::new();
                decoder.set_max_window_size(LARGEST_WINDOW);
                State::Zstandard(Box::new(decoder))
            }
            Compression::Fax(coding) => State::Fax(Fax::new(coding, width)),
        };
        Self { state }
    }

    /// Fills `whole` with what `data` holds. What `data` holds beyond that is passed over, as
    /// libtiff does.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the data, or that it holds too little.
    pub(super) fn fill(&mut self, data: &[u8], whole: &mut [u8]) -> Result<(), &'static str> {
        match &mut self.state {
            State::None => {
                let data = data.get(..whole.len()).ok_or(TOO_SHORT)?;
                whole.copy_from_slice(data);
                Ok(())
            }
            State::PackBits => unpack_bits(data, whole),
            State::Lzw {
                decoder,
                old_decoder,
            } => {
                // Both begin with the code 256, in 9 bits.
                let old = matches!(data, [0, second, ..] if second & 1 == 1);
                let decoder = if old { old_decoder } else { decoder };
                decoder.reset();
                decompress_lzw(decoder, data, whole)
            }
            State::Deflate(decoder) => {
                decoder.reset(true);
                inflate(decoder, data, whole)
            }
            State::Zstandard(decoder) => decompress_zstandard(decoder, data, whole),
            State::Fax(decoder) => decoder.fill(data, whole),
        }
    }
}

/// The largest window that a Zstandard decoder should have, as RFC 8878 recommends: those of all
/// levels but the three highest.
const LARGEST_WINDOW: u64 = 8 << 20;

/// What is said of data that ends before a strip or tile is whole.
pub(super) const TOO_SHORT: &str = "the data of a strip or tile ends before it is whole";

/// Runs of one byte, and stretches of bytes as they are.
fn unpack_bits(mut data: &[u8], mut whole: &mut [u8]) -> Result<(), &'static str> {
    while !whole.is_empty() {
        let (&head, rest) = data.split_first().ok_or(TOO_SHORT)?;
        data = rest;
        let head = i8::from_be_bytes([head]);
        // -128 says nothing.
        if head == i8::MIN {
            continue;
        }
        let length = (usize::from(head.unsigned_abs()) + 1).min(whole.len());
        let (here, later) = whole.split_at_mut(length);
        let taken = if head < 0 {
            let (&byte, _) = data.split_first().ok_or(TOO_SHORT)?;
            here.fill(byte);
            1
        } else {
            here.copy_from_slice(data.get(..length).ok_or(TOO_SHORT)?);
            length
        };
        data = &data[taken..];
        whole = later;
    }
    Ok(())
}

fn decompress_lzw(
    decoder: &mut decode::Decoder,
    mut data: &[u8],
    mut whole: &mut [u8],
) -> Result<(), &'static str> {
    while !whole.is_empty() {
        let result = decoder.decode_bytes(data, whole);
        data = &data[result.consumed_in..];
        whole = &mut whole[result.consumed_out..];
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) if whole.is_empty() => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) => return Err(TOO_SHORT),
            Err(_) => return Err("its LZW data has a code that stands for nothing"),
        }
    }
    Ok(())
}

fn inflate(
    decoder: &mut Decompress,
    mut data: &[u8],
    mut whole: &mut [u8],
) -> Result<(), &'static str> {
    while !whole.is_empty() {
        let before = (decoder.total_in(), decoder.total_out());
        let status = decoder
            .decompress(data, whole, FlushDecompress::None)
            .map_err(|_| "its deflate data is damaged")?;
        let advance = |now: u64, before: u64| usize::try_from(now - before).unwrap_or(usize::MAX);
        let taken = advance(decoder.total_in(), before.0);
        let given = advance(decoder.total_out(), before.1);
        data = data.get(taken..).unwrap_or_default();
        whole = whole.get_mut(given..).unwrap_or_default();
        let stuck = taken == 0 && given == 0;
        if !whole.is_empty() && (stuck || status == Status::StreamEnd) {
            return Err(TOO_SHORT);
        }
    }
    Ok(())
}

fn decompress_zstandard(
    decoder: &mut FrameDecoder,
    data: &[u8],
    whole: &mut [u8],
) -> Result<(), &'static str> {
    let mut stream = StreamingDecoder::new_with_decoder(data, decoder).map_err(|error| {
        if matches!(error, FrameDecoderError::WindowSizeTooBig { .. }) {
            "its Zstandard data needs a window of more than 8 MiB"
        } else {
            "its Zstandard data is damaged"
        }
    })?;
    stream
        .read_exact(whole)
        .map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => TOO_SHORT,
            _ => "its Zstandard data is damaged",
        })
}
