//! A pixel's samples become red, green and blue, in the arithmetic of Pillow.

use super::super::pixels::of_cmyk;
use super::compression::Compression;
use super::directory::Directory;
use super::samples::Samples;
use super::{NAME, damaged, unsupported};
use crate::error::Result;
use crate::image::raster::divided;
use crate::image::{Alpha, ChannelOrder, Preprocessing, SixteenBit};

pub(super) const PHOTOMETRIC_INTERPRETATION: u16 = 262;
const COLOUR_MAP: u16 = 320;
const EXTRA_SAMPLES: u16 = 338;

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
    /// The colour is as it is without any opacity.
    Separate,
    /// The colour has been multiplied with it.
    Multiplied,
}

impl Colours {
    pub(super) fn read(
        directory: &Directory,
        samples: Samples,
        compression: Compression,
    ) -> Result<Self> {
        let Samples {
            bits,
            count,
            planar,
            ..
        } = samples;
        let interpretation = directory.first(PHOTOMETRIC_INTERPRETATION)?.unwrap_or(0);
        let name = match interpretation {
            0..=3 | 5 => None,
            4 => Some("a transparency mask"),
            // JPEG makes RGB of them.
            6 if compression == Compression::Jpeg && !planar => None,
            6 => Some("YCbCr colours without JPEG compression"),
            8..=10 => Some("CIE L*a*b* colours"),
            32803 => Some("the samples of a colour filter array"),
            32844 | 32845 => Some("CIE LogLuv colours"),
            34892 => Some("linear raw samples"),
            _ => Some("colours of an unknown kind"),
        };
        if let Some(name) = name {
            return Err(unsupported(NAME, name));
        }
        let in_jpeg = matches!((interpretation, count), (0 | 1, 1) | (2 | 6, 3)) && bits == 8;
        if compression == Compression::Jpeg && !in_jpeg {
            return Err(unsupported(
                NAME,
                "JPEG compression of other than 8-bit gray, RGB or YCbCr",
            ));
        }
        let colour_samples = match interpretation {
            2 | 6 => 3,
            5 => 4,
            _ => 1,
        };
        let Some(extra) = count.checked_sub(colour_samples) else {
            let problem = format!("{count} samples where its colours need {colour_samples}");
            return Err(damaged(NAME, &problem));
        };
        let kinds = directory.find(EXTRA_SAMPLES)?;
        let opacity = match (extra, kinds) {
            (0, _) => None,
            // Pillow takes a fourth sample beside RGB for opacity; libtiff's planes it does not.
            (1, None) if interpretation == 2 && !planar => Some((0, Opacity::Separate)),
            (_, None) => return Err(unsupported(NAME, "more samples than its colours need")),
            (_, Some(kinds)) => {
                let mut opacities = kinds.iter().take(extra).enumerate();
                opacities.find_map(|(place, kind)| match kind {
                    1 => Some((place, Opacity::Multiplied)),
                    // 999 is what Corel Draw writes.
                    2 | 999 => Some((place, Opacity::Separate)),
                    _ => None,
                })
            }
        };
        let opacity = opacity.map(|(place, kind)| (colour_samples + place, kind));
        let kind = match interpretation {
            0 | 1 => Kind::Gray {
                white_is_zero: interpretation == 0,
            },
            2 | 6 => Kind::Rgb,
            5 => Kind::Cmyk,
            _ => Kind::Palette(palette(directory, bits)?),
        };
        Ok(Self { kind, opacity })
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

    /// The colour and opacity of a pixel of samples of `bits` bits.
    pub(super) fn of(&self, pixel: &[u16], bits: u32, preprocessing: &Preprocessing) -> [u8; 4] {
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
        let keeps_opacity = preprocessing.channel_order == ChannelOrder::Rgba;
        let (colours, opacity) = match self.opacity {
            None => (colours, 255),
            Some((place, Opacity::Separate)) => (colours, colour(place)),
            // Over white nothing is to be divided.
            Some((place, Opacity::Multiplied))
                if preprocessing.alpha == Alpha::White && !keeps_opacity =>
            {
                let white = 255 - colour(place);
                (colours.map(|sample| sample.saturating_add(white)), 255)
            }
            Some((place, Opacity::Multiplied)) => {
                let opacity = colour(place);
                // As Pillow reads a file; its resize leaves a colour of no opacity as it is.
                let before = |sample| {
                    if opacity == 0 {
                        0
                    } else {
                        divided(sample, opacity)
                    }
                };
                (colours.map(before), opacity)
            }
        };
        let [red, green, blue] = colours;
        [red, green, blue, opacity]
    }
}

/// The colours under each number of a palette.
fn palette(directory: &Directory, bits: u32) -> Result<Vec<[u8; 3]>> {
    if bits > 8 {
        return Err(unsupported(NAME, &format!("a palette of {bits} bits")));
    }
    let Some(map) = directory.find(COLOUR_MAP)? else {
        return Err(damaged(NAME, "it has no palette"));
    };
    // All reds come first, and blues last.
    let count = map.len() / 3;
    if count < 1 << bits {
        return Err(damaged(NAME, "its palette is too small"));
    }
    if map.iter().all(|sample| sample < 256) && map.iter().any(|sample| sample > 0) {
        return Err(unsupported(NAME, "a palette of 8-bit colours"));
    }
    let upper = |index: usize| {
        let sample = map.get(index).unwrap_or(0) / 256;
        u8::try_from(sample).unwrap_or(u8::MAX)
    };
    let colour = |index: usize| [0, 1, 2].map(|channel| upper(channel * count + index));
    Ok((0..1 << bits).map(colour).collect())
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
