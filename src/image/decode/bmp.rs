//! BMP.

use image::ImageFormat;

use super::{Decoded, Header, Request, generic};
use crate::error::Result;

const NAME: &str = "BMP";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    generic::header(bytes, ImageFormat::Bmp, NAME)
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    generic::decode(bytes, ImageFormat::Bmp, NAME, request)
}
