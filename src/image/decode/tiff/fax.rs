//! Facsimile compression, CCITT T.4 and T.6: rows of black and white runs.
//!
//! The tables of codes are those of the crate `fax`. Its decoders know two of the four codings
//! alone, pad what is damaged with white, and drop the runs of no length that some encoders need.

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, Color};

use super::compression::TOO_SHORT;

/// The coding of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// Every row is coded by itself, from a multiple of `align` bits on.
    Rows { align: usize },
    /// Every row is coded after an end-of-line code, by itself or, where a bit after that code
    /// says so, by the row above.
    Group3 { two_dimensional: bool },
    /// Every row is coded by the row above.
    Group4,
}

/// What decodes rows of one width.
pub(super) struct Fax {
    coding: Coding,
    width: u32,
    /// Where the row above, and the current row, change colour. They begin white. Runs of no
    /// length are kept, as libtiff does: some encoders count on it.
    above: Vec<u32>,
    current: Vec<u32>,
}

const DAMAGED: &str = "its facsimile data is damaged";

impl Fax {
    /// The most bytes that rows of this width take while they are decoded.
    pub(super) fn memory(width: u32) -> u64 {
        // Two of them, each in a vector that may have doubled.
        4 * size_of::<u32>() as u64 * most_changes(width) as u64
    }

    pub(super) fn new(coding: Coding, width: u32) -> Self {
        Self {
            coding,
            width,
            above: Vec::new(),
            current: Vec::new(),
        }
    }

    /// Fills rows of bits, of which ones are black.
    pub(super) fn fill(&mut self, data: &[u8], rows: &mut [u8]) -> Result<(), &'static str> {
        let mut bits = Bits { data, place: 0 };
        self.above.clear();
        for row in rows.chunks_mut(self.width.div_ceil(8) as usize) {
            self.current.clear();
            match self.coding {
                Coding::Rows { align } => {
                    bits.place = bits.place.next_multiple_of(align);
                    self.decode_alone(&mut bits)?;
                }
                Coding::Group3 { two_dimensional } => {
                    // Some write none.
                    if two_dimensional || bits.peek(11) == Some(0) {
                        bits.pass_end_of_line()?;
                    }
                    if two_dimensional && bits.take(1)? == 0 {
                        self.decode_by_above(&mut bits)?;
                    } else {
                        self.decode_alone(&mut bits)?;
                    }
                }
                Coding::Group4 => self.decode_by_above(&mut bits)?,
            }
            paint(&self.current, self.width, row);
            std::mem::swap(&mut self.above, &mut self.current);
        }
        Ok(())
    }

    /// A row of runs, white first.
    fn decode_alone(&mut self, bits: &mut Bits) -> Result<(), &'static str> {
        let mut place = 0;
        while place < self.width {
            let white = bits.run(Color::White)?;
            let middle = self.change(place, white)?;
            if middle == self.width {
                break;
            }
            let black = bits.run(Color::Black)?;
            place = self.change(middle, black)?;
            if white == 0 && black == 0 {
                self.current.truncate(self.current.len().saturating_sub(2));
            }
        }
        Ok(())
    }

    /// A row that is described by where it differs from the row above.
    fn decode_by_above(&mut self, bits: &mut Bits) -> Result<(), &'static str> {
        let mut place = 0;
        let mut colour = Color::White;
        // The first change of the row above that lies behind `place`, or at a row's beginning.
        let mut next = 0;
        while place < self.width {
            // Changes to black and to white take turns.
            let to_other = next + usize::from((next % 2 == 1) != (colour == Color::Black));
            let at = |index: usize| self.above.get(index).copied().unwrap_or(self.width);
            match bits.mode()? {
                Mode::Pass => place = at(to_other + 1),
                Mode::Horizontal => {
                    let middle = self.change(place, bits.run(colour)?)?;
                    place = self.change(middle, bits.run(!colour)?)?;
                }
                Mode::Vertical(shift) => {
                    let change = at(to_other).checked_add_signed(shift.into());
                    let run = change.and_then(|change| change.checked_sub(place));
                    place = self.change(place, run.ok_or(DAMAGED)?)?;
                    colour = !colour;
                }
                Mode::Extension => return Err("its facsimile data has uncompressed parts"),
                Mode::EOF => return Err(TOO_SHORT),
            }
            while self.above.get(next).is_some_and(|change| *change <= place) {
                next += 1;
            }
        }
        Ok(())
    }

    /// Notes a change of colour behind a run from `place` on, and says where.
    fn change(&mut self, place: u32, run: u32) -> Result<u32, &'static str> {
        let change = place.checked_add(run).ok_or(DAMAGED)?;
        if change > self.width || self.current.len() > most_changes(self.width) {
            return Err(DAMAGED);
        }
        self.current.push(change);
        Ok(change)
    }
}

/// The most changes of colour in a row; libtiff refuses more, too.
fn most_changes(width: u32) -> usize {
    2 * width as usize + 2
}

/// Sets the bits of black runs in a `row` of `width` bits.
fn paint(changes: &[u32], width: u32, row: &mut [u8]) {
    row.fill(0);
    for run in changes.chunks(2) {
        let end = run.get(1).copied().unwrap_or(width);
        for place in run[0]..end {
            row[place as usize / 8] |= 0x80 >> (place % 8);
        }
    }
}

/// Bits, the highest of a byte first. Behind the last there are zeros, for codes are looked up
/// by more bits than they have.
struct Bits<'a> {
    data: &'a [u8],
    place: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: u8) -> Result<u16, &'static str> {
        let bits = self.peek(count).ok_or(TOO_SHORT)?;
        self.consume(count)?;
        Ok(bits)
    }

    fn mode(&mut self) -> Result<Mode, &'static str> {
        mode::decode(self).ok_or(DAMAGED)
    }

    /// A run's length: parts of 64 and more, and one below 64.
    fn run(&mut self, colour: Color) -> Result<u32, &'static str> {
        let mut run = 0_u32;
        loop {
            let part = match colour {
                Color::White => white::decode(self),
                Color::Black => black::decode(self),
            };
            let part = part.ok_or(DAMAGED)?;
            run = run.checked_add(part.into()).ok_or(DAMAGED)?;
            if part < 64 {
                return Ok(run);
            }
        }
    }

    /// Goes behind the next end-of-line code: eleven zeros or more, and a one.
    fn pass_end_of_line(&mut self) -> Result<(), &'static str> {
        while self.peek(11) != Some(0) {
            self.take(1)?;
        }
        while self.take(1)? == 0 {}
        Ok(())
    }
}

impl BitReader for Bits<'_> {
    type Error = &'static str;

    fn peek(&self, bits: u8) -> Option<u16> {
        let first = self.place / 8;
        let byte = |index: usize| u32::from(self.data.get(first + index).copied().unwrap_or(0));
        let three = byte(0) << 16 | byte(1) << 8 | byte(2);
        let shift = 24_usize.checked_sub(self.place % 8 + usize::from(bits))?;
        let mask = (1 << bits) - 1;
        u16::try_from(three >> shift & mask).ok()
    }

    fn consume(&mut self, bits: u8) -> Result<(), Self::Error> {
        let place = self.place + usize::from(bits);
        if place > 8 * self.data.len() {
            return Err(TOO_SHORT);
        }
        self.place = place;
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        u8::try_from(self.place.wrapping_neg() % 8).unwrap_or(0)
    }
}
