//! GIF.

use image::ImageFormat;

use super::{Decoded, Header, Request, generic};
use crate::error::Result;

const NAME: &str = "GIF";

pub(super) fn header(bytes: &[u8]) -> Result<Header> {
    generic::header(bytes, ImageFormat::Gif, NAME)
}

pub(super) fn decode(bytes: &[u8], request: &Request) -> Result<Decoded> {
    generic::decode(bytes, ImageFormat::Gif, NAME, request)
}
