//! What libjpeg finds wrong with a file, in words for people.

use std::fmt::Display;

use mozjpeg_sys::{
    J_MESSAGE_CODE, JERR_BAD_COMPONENT_ID, JERR_BAD_CROP_SPEC, JERR_BAD_HUFF_TABLE,
    JERR_BAD_LENGTH, JERR_BAD_MCU_SIZE, JERR_BAD_PRECISION, JERR_BAD_PROG_SCRIPT,
    JERR_BAD_PROGRESSION, JERR_BAD_SAMPLING, JERR_COMPONENT_COUNT, JERR_DAC_INDEX, JERR_DAC_VALUE,
    JERR_DHT_INDEX, JERR_DQT_INDEX, JERR_EMPTY_IMAGE, JERR_EOI_EXPECTED, JERR_FRACT_SAMPLE_NOTIMPL,
    JERR_IMAGE_TOO_BIG, JERR_NO_BACKING_STORE, JERR_NO_HUFF_TABLE, JERR_NO_IMAGE,
    JERR_NO_QUANT_TABLE, JERR_NO_SOI, JERR_OUT_OF_MEMORY, JERR_SOF_DUPLICATE, JERR_SOF_UNSUPPORTED,
    JERR_SOI_DUPLICATE, JERR_SOS_NO_SOF, JERR_UNKNOWN_MARKER, JERR_WIDTH_OVERFLOW,
    JWRN_ADOBE_XFORM, JWRN_BOGUS_PROGRESSION, JWRN_EXTRANEOUS_DATA, JWRN_HIT_MARKER,
    JWRN_HUFF_BAD_CODE, JWRN_JFIF_MAJOR, JWRN_MUST_RESYNC, JWRN_NOT_SEQUENTIAL,
};

use super::super::NAME;
use super::super::markers::{is_restart, unusual_compression};
use crate::error::Error;
use crate::image::decode::problem::{damaged, too_large, unsupported};

/// The list has these two, which mozjpeg-sys leaves out, where arithmetic coding is compiled.
const JERR_NO_ARITH_TABLE: J_MESSAGE_CODE = JERR_BAD_CROP_SPEC + 1;
const JWRN_ARITH_BAD_CODE: J_MESSAGE_CODE = JERR_BAD_CROP_SPEC + 2;

/// Bytes before a restart marker that webcams leave there: 1 to 14 in what their owners report,
/// of pictures that are whole. Where data is lost it is hundreds as a rule.
const WEBCAM_PADDING: u32 = 16;

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The data stops before the end marker.
    End,
    /// Reading it would take too long for what it holds.
    Scans,
    /// What the library's own message says.
    Message(Message),
}

/// A message of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message {
    /// The library's code, `JERR_…` or `JWRN_…`.
    pub(super) code: J_MESSAGE_CODE,
    /// The first of the numbers in its text, where there are any.
    pub(super) number: u32,
    /// The second of the numbers in its text: in some texts, a marker.
    pub(super) marker: u8,
}

/// How much a warning of the library's matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Files with it are whole.
    None,
    /// Files with it are often whole, such as those of cameras that put data of their own before
    /// the end marker; now and then it is the only sign of damage.
    Light,
    /// Pixels are lost.
    Damage,
}

impl Message {
    /// How much the warning matters, before or within the data.
    pub(super) fn weight(self, in_data: bool) -> Weight {
        match self.code {
            // Version 3 of JFIF; a transform that Adobe never defined; parameters of a scan that
            // say what is known of a sequential one.
            JWRN_JFIF_MAJOR | JWRN_ADOBE_XFORM | JWRN_NOT_SEQUENTIAL => Weight::None,
            JWRN_EXTRANEOUS_DATA if !in_data => Weight::None,
            JWRN_EXTRANEOUS_DATA if !is_restart(self.marker) || self.number <= WEBCAM_PADDING => {
                Weight::Light
            }
            _ => Weight::Damage,
        }
    }

    /// Whether the warning says that the data of a scan stops too soon.
    pub(super) fn is_lack_of_data(self) -> bool {
        self.code == JWRN_HIT_MARKER
    }

    /// The warning, or the error of a damaged file.
    fn damage(self) -> String {
        let number = self.number;
        match self.code {
            JWRN_EXTRANEOUS_DATA if number == 1 => {
                return format!("a byte too many before {}", self.place());
            }
            JWRN_EXTRANEOUS_DATA => {
                return format!("{number} bytes too many before {}", self.place());
            }
            JWRN_HIT_MARKER => "the data of a scan stops too soon",
            JWRN_HUFF_BAD_CODE | JWRN_ARITH_BAD_CODE => "its data has a code that means nothing",
            JWRN_MUST_RESYNC => "its restart markers are out of order",
            JWRN_BOGUS_PROGRESSION | JERR_BAD_PROGRESSION | JERR_BAD_PROG_SCRIPT => {
                "its progressive scans do not build on one another"
            }
            JERR_BAD_HUFF_TABLE | JERR_DHT_INDEX => "a Huffman table of it is none",
            JERR_NO_HUFF_TABLE => "it lacks a Huffman table that it refers to",
            JERR_DQT_INDEX => "a quantization table of it is none",
            JERR_NO_QUANT_TABLE => "it lacks a quantization table that it refers to",
            JERR_NO_ARITH_TABLE => "it lacks an arithmetic coding table that it refers to",
            JERR_DAC_INDEX | JERR_DAC_VALUE => {
                "its arithmetic coding has conditions that mean nothing"
            }
            JERR_BAD_LENGTH => "a segment of it has a length that cannot be",
            JERR_BAD_COMPONENT_ID => "a scan is of a component that it does not have",
            JERR_BAD_SAMPLING => "its sampling factors are not between 1 and 4",
            JERR_BAD_MCU_SIZE => {
                "its sampling factors are too large for one scan of all components"
            }
            JERR_SOF_DUPLICATE => "it has two headers",
            JERR_SOS_NO_SOF => "a scan comes before its header",
            JERR_SOI_DUPLICATE => "another image begins before its end",
            JERR_EOI_EXPECTED => "it has more scans than one of all components",
            JERR_NO_SOI | JERR_NO_IMAGE => "it holds tables and no image",
            code => return format!("fault {code} of libjpeg's list"),
        }
        .to_owned()
    }

    fn place(self) -> &'static str {
        if is_restart(self.marker) {
            "a restart marker"
        } else {
            "the marker that ends its data"
        }
    }
}

impl Fault {
    /// The fault in words, of a file that is read all the same.
    pub(super) fn words(self) -> String {
        match self {
            Self::End => "the data stops before its end marker".to_owned(),
            Self::Scans => "it has far more scans than any picture needs".to_owned(),
            Self::Message(message) => message.damage(),
        }
    }

    /// The error of a file that is not read because of it.
    pub(super) fn error(self) -> Error {
        let Self::Message(message) = self else {
            return damaged(NAME, &self.words());
        };
        let number = message.number;
        let of_marker = u8::try_from(number).ok().and_then(unusual_compression);
        match message.code {
            JERR_SOF_UNSUPPORTED | JERR_UNKNOWN_MARKER => match of_marker {
                Some(compression) => unsupported(NAME, compression),
                None => damaged(NAME, &format!("marker {number:02X} means nothing")),
            },
            JERR_BAD_PRECISION => unsupported(NAME, &format!("{number} bits a sample, expected 8")),
            JERR_COMPONENT_COUNT => Self::components(number),
            JERR_FRACT_SAMPLE_NOTIMPL => {
                unsupported(NAME, "sampling factors that do not divide one another")
            }
            JERR_EMPTY_IMAGE => unsupported(NAME, "its header has no width or no height"),
            JERR_IMAGE_TOO_BIG | JERR_WIDTH_OVERFLOW => {
                too_large("a side of more than 65,500 pixels")
            }
            JERR_OUT_OF_MEMORY | JERR_NO_BACKING_STORE => too_large("memory does not suffice"),
            _ => damaged(NAME, &self.words()),
        }
    }

    /// The error of an image whose number of components says nothing of their colours.
    pub(super) fn components(count: impl Display) -> Error {
        unsupported(NAME, &format!("{count} components, expected 1, 3 or 4"))
    }
}
