//! What flags take that is more than a word or a number.

use std::fmt;
use std::str::FromStr;

use crate::cpu::MOST_THREADS;
use crate::image::PerChannel;

impl FromStr for PerChannel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<f64>, _> =
            text.split(',').map(|part| part.trim().parse()).collect();
        numbers
            .ok()
            .and_then(|numbers| Self::from_slice(&numbers))
            .ok_or_else(|| {
                "expected three numbers such as 0.485,0.456,0.406, or one, or four for images with \
                 opacity"
                    .to_owned()
            })
    }
}

/// Height and width, written `HxW`; one number is both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageSize {
    /// The number of rows.
    pub height: usize,
    /// The number of columns.
    pub width: usize,
}

impl FromStr for ImageSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |side: &str| side.parse().ok().filter(|&side: &usize| side > 0);
        let (height, width) = text.split_once(['x', 'X']).unwrap_or((text, text));
        side(height)
            .zip(side(width))
            .map(|(height, width)| Self { height, width })
            .ok_or_else(|| "expected a size such as 224x224 or 224, at least 1".to_owned())
    }
}

/// One of so many parts of the inputs, written `I/N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1 on.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse().ok();
        text.split_once('/')
            .and_then(|(index, count)| number(index).zip(number(count)))
            .filter(|(index, count)| (1..=*count).contains(index))
            .map(|(index, count)| Self { index, count })
            .ok_or_else(|| "expected I/N such as 2/8, where I is from 1 to N".to_owned())
    }
}

/// A device, as named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceName {
    /// The CPU.
    Cpu,
    /// An NVIDIA GPU by number.
    Cuda(usize),
    /// Apple's GPU, by Metal.
    Metal,
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected cpu, cuda, cuda:N or metal".to_owned()),
        }
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

pub(super) fn threads(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .ok()
        .filter(|&threads| threads <= MOST_THREADS)
        .ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

pub(super) fn tolerance(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && *number >= 0.)
        .ok_or_else(|| "expected a number of at least 0, such as 1e-5".to_owned())
}

/// Bytes, in units of 1024 where one is named.
pub(super) fn memory(text: &str) -> Result<u64, String> {
    let lower = text.to_ascii_lowercase();
    let size = lower.strip_suffix("ib").unwrap_or(&lower);
    let units = [("k", 1_u64 << 10), ("m", 1 << 20), ("g", 1 << 30)];
    let named = units
        .into_iter()
        .find_map(|(name, unit)| Some((size.strip_suffix(name)?, unit)));
    // `ib` without a unit is none.
    let plain = (size.len() == lower.len()).then_some((size, 1));
    named
        .or(plain)
        .and_then(|(number, unit)| number.parse::<u64>().ok()?.checked_mul(unit))
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "expected bytes or a size such as 512MiB or 4GiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_or_two_positive_numbers() {
        for (text, [height, width]) in [("97x131", [97, 131]), ("224", [224, 224])] {
            assert_eq!(text.parse(), Ok(ImageSize { height, width }));
        }
        for wrong in [
            "", "0", "x", "0x5", "5x0", "-1x5", "-1", "5x", "axb", "5x5x5",
        ] {
            assert!(wrong.parse::<ImageSize>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_number_is_for_all_colours() {
        assert_eq!("0.5".parse(), Ok(PerChannel::Gray([0.5])));
        assert_eq!("1, 2,-3".parse(), Ok(PerChannel::Rgb([1., 2., -3.])));
        assert_eq!("1,2,3,4".parse(), Ok(PerChannel::Rgba([1., 2., 3., 4.])));
        for wrong in ["", "1,2", "1,2,", "1,2,3,4,5", "half"] {
            assert!(wrong.parse::<PerChannel>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_memory_size_has_a_binary_unit_or_is_in_bytes() {
        for (text, bytes) in [
            ("1000", 1000),
            ("2k", 2048),
            ("512MiB", 512 << 20),
            ("4GiB", 4 << 30),
            ("4g", 4 << 30),
        ] {
            assert_eq!(memory(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "0", "4GB", "GiB", "4ib", "-1", "1.5G", "99999999999G"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cuda_device_may_have_a_number() {
        assert_eq!("cuda".parse(), Ok(DeviceName::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceName::Cuda(3)));
        assert!("cuda:".parse::<DeviceName>().is_err());
        assert!("gpu".parse::<DeviceName>().is_err());
    }
}
