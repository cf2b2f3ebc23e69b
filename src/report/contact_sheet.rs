//! Answers as a page that stands alone: a card an image.
//!
//! It is written row by row as the other forms are, and whole once [`END`] is behind them.

use std::io::{self, Write};

use super::classification::Classification;
use super::html::{self, escaped};
use crate::image::Thumbnail;
use crate::text::counted;

/// Images that have a small picture, the first of all: with some eight kilobytes each these are a few
/// megabytes. The cards of the others have their words.
pub const THUMBNAILS: usize = 500;

/// Bytes of a page behind which no further card comes: a browser is slow with more, and nobody looks
/// at so many. Of five classes a card that is some 40,000 images.
const MOST_BYTES: usize = 32 << 20;

/// What makes a whole page of the rows so far.
pub(super) const END: &str = "</div>\n</body>\n</html>\n";

/// The pixels that a small picture's longer side has on the page at least: tiny images are enlarged.
const LEAST: u32 = 96;

/// Writes what comes before the first row.
///
/// # Errors
///
/// The errors of `out`.
pub(super) fn start(out: &mut dyn Write) -> io::Result<()> {
    html::start(out, "What is in these images")?;
    writeln!(out, "<div class=\"cards\">")
}

/// What is on the page so far, besides its start.
#[derive(Debug, Default)]
pub(super) struct Cards {
    bytes: usize,
    left_out: usize,
}

impl Cards {
    /// Writes a row, unless the page is full.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(super) fn write(&mut self, out: &mut dyn Write, row: &Classification) -> io::Result<()> {
        if self.bytes >= MOST_BYTES {
            self.left_out += 1;
            return Ok(());
        }
        let mut card = Vec::new();
        write_card(&mut card, row)?;
        self.bytes += card.len();
        out.write_all(&card)
    }

    /// How many rows are not on the page, which was full.
    pub(super) fn left_out(&self) -> usize {
        self.left_out
    }

    /// Says on the page how many rows are not there.
    ///
    /// # Errors
    ///
    /// The errors of `out`.
    pub(super) fn write_left_out(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.left_out == 0 {
            return Ok(());
        }
        let images = counted(self.left_out, "more image");
        writeln!(
            out,
            "<p class=\"bad-text\" style=\"grid-column:1/-1\">{images} would make this page too large for a browser. As CSV or \
             NDJSON all are written.</p>"
        )
    }
}

fn write_card(out: &mut dyn Write, row: &Classification) -> io::Result<()> {
    write!(out, "<div class=\"card\">")?;
    if let Some(Thumbnail { size, jpeg }) = &row.thumbnail {
        let uri = html::data_uri("image/jpeg", jpeg);
        write!(out, "{}", html::picture(&uri, enlarged(*size), &row.input))?;
    }
    write!(out, "<h3>{}</h3>", html::input(&row.input))?;
    if let Some(error) = &row.error {
        write!(out, "<p class=\"bad-text\">{}</p>", escaped(error))?;
    }
    for class in &row.top {
        write!(out, "{}", html::class(class))?;
    }
    writeln!(out, "</div>")
}

/// A picture's size on the page.
fn enlarged(size: [u32; 2]) -> [u32; 2] {
    let longest = size.into_iter().max().unwrap_or(1).max(1);
    let times = LEAST.div_ceil(longest);
    size.map(|side| side.saturating_mul(times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::{Class, RgbImage};

    fn page(rows: &[Classification]) -> String {
        let mut out = Vec::new();
        start(&mut out).unwrap();
        let mut cards = Cards::default();
        for row in rows {
            cards.write(&mut out, row).unwrap();
        }
        out.extend(END.bytes());
        String::from_utf8(out).unwrap()
    }

    fn row(text: &str) -> Classification {
        Classification {
            input: text.to_owned(),
            top: vec![Class {
                class: 1,
                label: text.to_owned(),
                probability: 0.375,
                logit: 1.,
            }],
            error: Some(text.to_owned()),
            thumbnail: Some(Thumbnail::of(&RgbImage::new(32, 16)).unwrap()),
        }
    }

    #[test]
    fn a_row_is_a_card_with_its_picture_and_its_classes_as_bars() {
        let page = page(&[row("cat.jpg"), row("dog.jpg")]);
        assert_eq!(page.matches("class=\"card\"").count(), 2);
        assert_eq!(
            page.matches("<img src=\"data:image/jpeg;base64,").count(),
            2
        );
        assert!(
            page.contains("width=\"96\" height=\"48\" alt=\"cat.jpg\""),
            "{page}"
        );
        assert!(page.contains("<b>37.5 %</b> cat.jpg") && page.contains("width=\"37.5%\""));
        assert!(page.ends_with("</html>\n"));
    }

    #[test]
    fn a_name_that_is_markup_is_shown_and_does_nothing() {
        let page = page(&[row("</h3><script>alert(1)</script>\"'&")]);
        assert!(!page.contains("<script"), "{page}");
        // Picture, heading, error and label.
        assert_eq!(
            page.matches("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;")
                .count(),
            4
        );
    }

    #[test]
    fn a_full_page_takes_no_more_cards_and_says_how_many_are_left_out() {
        let row = row("cat.jpg");
        let mut card = Vec::new();
        write_card(&mut card, &row).unwrap();
        let fits = MOST_BYTES.div_ceil(card.len());
        let (mut cards, mut written) = (Cards::default(), Vec::new());
        for _ in 0..fits {
            cards.write(&mut written, &row).unwrap();
        }
        cards.write_left_out(&mut written).unwrap();
        assert_eq!((cards.left_out(), written.len()), (0, fits * card.len()));
        for _ in 0..1000 {
            cards.write(&mut written, &row).unwrap();
        }
        assert_eq!(cards.left_out(), 1000);
        written.clear();
        cards.write_left_out(&mut written).unwrap();
        let said = String::from_utf8(written).unwrap();
        assert!(
            said.contains(">1000 more images would make this page too large"),
            "{said}"
        );
    }
}
