//! PNG.

use image::ImageFormat;

use super::{Decoded, Header, Request, generic};
use crate::error::Result;

const NAME: &str = "PNG";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    generic::header(bytes, ImageFormat::Png, NAME)
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    generic::decode(bytes, ImageFormat::Png, NAME, request)
}
