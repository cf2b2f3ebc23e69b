//! Pictures that are part of a page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::escaped;

/// A file's bytes as an address that a page needs to load nothing for: RFC 2397.
pub(in crate::report) fn data_uri(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", STANDARD.encode(bytes))
}

/// A picture of so many columns and rows, which `alt` describes to those who don't see it.
pub(in crate::report) fn picture(uri: &str, [width, height]: [u32; 2], alt: &str) -> String {
    let (uri, alt) = (uri.replace('"', "&quot;"), escaped(alt));
    format!("<img src=\"{uri}\" width=\"{width}\" height=\"{height}\" alt=\"{alt}\">")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_its_bytes_and_its_name_is_no_markup() {
        // RFC 4648, section 10.
        assert_eq!(
            data_uri("image/png", b"foobar"),
            "data:image/png;base64,Zm9vYmFy"
        );
        let shown = picture("data:,", [3, 2], "\"><script>");
        let expected =
            "<img src=\"data:,\" width=\"3\" height=\"2\" alt=\"&quot;&gt;&lt;script&gt;\">";
        assert_eq!(shown, expected);
    }
}
