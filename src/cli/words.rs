//! The words that flags take for what the library chooses among, and what `--help` says of each.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::image::{
    Alpha, ChannelOrder, CropMode, Damage, Interpolation, Orientation, Preset, SixteenBit,
};
use crate::network::Layout;

macro_rules! words {
    ($($choice:ident { $($value:ident $word:literal $help:literal)+ })+) => {$(
        impl ValueEnum for $choice {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$value),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let (word, help) = match self {
                    $(Self::$value => ($word, $help),)+
                };
                Some(PossibleValue::new(word).help(help))
            }
        }
    )+};
}

words! {
    Layout {
        Nhwc "nhwc" "`TensorFlow`'s: batch, height, width, channels"
        Nchw "nchw" "`PyTorch`'s and candle's: batch, channels, height, width"
    }
    Damage {
        Refuse "refuse" "An error: what is decoded might be another picture"
        Accept "accept" "What is left of it, with a warning; timm does so without one"
    }
    Preset {
        Timm "timm" "timm's evaluation: bicubic, crop of 0.875, ImageNet's mean and std; ignores EXIF orientation"
        Tf "tf" "Keras: squashed, nearest; red, green, blue from -1 to 1"
        Caffe "caffe" "Keras: squashed, nearest; blue, green, red from 0 to 255 less ImageNet's mean"
        Torch "torch" "Keras: squashed, nearest; ImageNet's mean and std"
        Pixels "pixels" "Keras's, of networks that rescale pixels inside: squashed; red, green, blue from 0 to 255"
    }
    CropMode {
        Center "center" "Keep it: the shorter side is made to fit, the longer one is cropped"
        Squash "squash" "Ignore it: both sides are made to fit"
        Border "border" "Keep it: the longer side is made to fit, the shorter one gets borders in the mean's colour"
    }
    Interpolation {
        Nearest "nearest" "The nearest sample alone"
        Bilinear "bilinear" "The triangle filter"
        Bicubic "bicubic" "The Catmull-Rom cubic (a = -0.5)"
        Box "box" "The mean of what a sample covers"
        Hamming "hamming" "Sinc under a Hamming window of radius 1"
        Lanczos "lanczos" "Sinc under a Lanczos window of radius 3"
    }
    ChannelOrder {
        Rgb "rgb" "Red, green, blue"
        Bgr "bgr" "Blue, green, red, as Caffe has it"
        Gray "gray" "Gray alone: the luma, as of Pillow's `convert(\"L\")`"
        Rgba "rgba" "Red, green, blue and opacity"
    }
    Alpha {
        White "white" "The image is composed over white"
        Drop "drop" "The channel is dropped, as Pillow's `convert(\"RGB\")` does"
    }
    SixteenBit {
        Scale "scale" "Divided by 257 and rounded, so that white stays white"
        Saturate "saturate" "As Pillow's `convert(\"RGB\")` does: gray is clipped at 255, colour keeps its upper byte"
    }
    Orientation {
        Apply "apply" "The image is turned upright"
        Ignore "ignore" "The pixels stay as they are stored"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_take_every_choice_that_there_is() {
        assert_eq!(Preset::value_variants(), Preset::ALL);
        assert_eq!(CropMode::value_variants(), CropMode::ALL);
        assert_eq!(Interpolation::value_variants(), Interpolation::ALL);
    }
}
