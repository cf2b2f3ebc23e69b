//! A pixel's samples become red, green and blue, in the arithmetic of Pillow.

use super::super::pixels::opaque;
use crate::image::{Alpha, Preprocessing, SixteenBit};

/// What the samples of a pixel mean.
pub(super) struct Colours {
    kind: Kind,
    /// Which sample says how opaque the pixel is, and what the others are to it.
    opacity: Option<(usize, Opacity)>,
}

enum Kind {
    Gray { white_is_zero: bool },
    Palette(Vec<[u8; 3]>),
    Rgb,
    Cmyk,
}

/// What a pixel's opacity has to do with its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opacity {
    /// Nothing.
    Separate,
    /// The colour has been multiplied with it.
    Multiplied,
}

impl Colours {
    pub(super) fn gray(white_is_zero: bool, opacity: Option<(usize, Opacity)>) -> Self {
        let kind = Kind::Gray { white_is_zero };
        Self { kind, opacity }
    }

    pub(super) fn palette(colours: Vec<[u8; 3]>, opacity: Option<(usize, Opacity)>) -> Self {
        let kind = Kind::Palette(colours);
        Self { kind, opacity }
    }

    pub(super) fn rgb(opacity: Option<(usize, Opacity)>) -> Self {
        let kind = Kind::Rgb;
        Self { kind, opacity }
    }

    pub(super) fn cmyk(opacity: Option<(usize, Opacity)>) -> Self {
        let kind = Kind::Cmyk;
        Self { kind, opacity }
    }

    /// Whether a sample of this number is a colour or the opacity.
    pub(super) fn uses(&self, sample: usize) -> bool {
        let colours = match self.kind {
            Kind::Gray { .. } | Kind::Palette(_) => 1,
            Kind::Rgb => 3,
            Kind::Cmyk => 4,
        };
        sample < colours || self.opacity.is_some_and(|(place, _)| sample == place)
    }

    /// The colour of a pixel of samples of `bits` bits.
    pub(super) fn of(&self, pixel: &[u16], bits: u32, preprocessing: &Preprocessing) -> [u8; 3] {
        let rule = preprocessing.sixteen_bit;
        let at = |place: usize| pixel.get(place).copied().unwrap_or(0);
        let colour = |place: usize| narrow_colour(at(place), bits, rule);
        let colours = match &self.kind {
            Kind::Gray { white_is_zero } => [narrow_gray(at(0), *white_is_zero, bits, rule); 3],
            Kind::Palette(colours) => {
                let colour = colours.get(usize::from(at(0))).copied();
                colour.unwrap_or_default()
            }
            Kind::Rgb => [0, 1, 2].map(colour),
            Kind::Cmyk => of_cmyk([0, 1, 2, 3].map(colour)),
        };
        let Some((place, kind)) = self.opacity else {
            return colours;
        };
        let opacity = colour(place);
        match (kind, preprocessing.alpha) {
            (Opacity::Separate, alpha) => {
                let [red, green, blue] = colours;
                opaque([red, green, blue, opacity], alpha)
            }
            (Opacity::Multiplied, Alpha::Drop) => colours.map(|sample| divided(sample, opacity)),
            (Opacity::Multiplied, Alpha::White) => {
                colours.map(|sample| sample.saturating_add(255 - opacity))
            }
        }
    }
}

fn narrow_gray(sample: u16, white_is_zero: bool, bits: u32, rule: SixteenBit) -> u8 {
    let white = white(bits);
    match rule {
        // Pillow takes no notice of which end is white.
        SixteenBit::Saturate if bits > 8 => u8::try_from(sample).unwrap_or(u8::MAX),
        _ if white_is_zero => scaled(white.saturating_sub(sample), white),
        _ => scaled(sample, white),
    }
}

fn narrow_colour(sample: u16, bits: u32, rule: SixteenBit) -> u8 {
    match rule {
        SixteenBit::Saturate if bits > 8 => u8::try_from(sample >> (bits - 8)).unwrap_or(u8::MAX),
        _ => scaled(sample, white(bits)),
    }
}

/// The largest sample of so many bits.
fn white(bits: u32) -> u16 {
    u16::MAX >> (16 - bits)
}

/// A sample as a share of 255, rounded.
fn scaled(sample: u16, white: u16) -> u8 {
    let white = u32::from(white);
    let scaled = (255 * u32::from(sample) + white / 2) / white;
    u8::try_from(scaled).unwrap_or(u8::MAX)
}

/// A colour that has been multiplied with its opacity, before it was.
fn divided(sample: u8, opacity: u8) -> u8 {
    let sample = 255 * u32::from(sample);
    let divided = sample.checked_div(opacity.into()).unwrap_or(0);
    u8::try_from(divided).unwrap_or(u8::MAX)
}

/// What cyan, magenta, yellow and black leave of white.
fn of_cmyk([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let light = 255 - black;
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(ink) * u32::from(light) + 128;
        // Divided by 255 and rounded.
        let taken = ((product >> 8) + product) >> 8;
        light.saturating_sub(u8::try_from(taken).unwrap_or(u8::MAX))
    })
}
