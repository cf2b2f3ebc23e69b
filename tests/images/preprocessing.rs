//! What preprocessing is made of, where it comes from and what it does to values.

use image::{Rgb, RgbImage};
use safetensors::SafeTensors;
use senet::image::{
    Interpolation, Orientation, Preprocessing, Preset, Raster, load, normalise, transform,
};

use super::{channel, odd, pattern, plain};

/// What `scripts/keras/pixels.py` wrote.
const KERAS: &[u8] = include_bytes!("../fixtures/keras_pixels.safetensors");

#[test]
fn values_are_channel_row_column_and_normalised() {
    let preprocessing = Preprocessing {
        size: [6, 8],
        mean: [0.5, 0.25, 0.125].into(),
        std: [0.5, 0.25, 2.0].into(),
        ..plain()
    };
    let values = load(&odd("pattern.png"), &preprocessing).unwrap();
    assert_eq!(values.len(), 3 * 6 * 8);
    for (index, value) in values.into_iter().enumerate() {
        let (channel, place) = (index / 48, u32::try_from(index % 48).unwrap());
        let sample = f64::from(pattern(place % 8, place / 8)[channel]) / 255.0;
        let expected = (sample - [0.5, 0.25, 0.125][channel]) / [0.5, 0.25, 2.0][channel];
        // Three roundings of `f32` on values up to 3.
        assert!((f64::from(value) - expected).abs() < 1e-6, "{index}");
    }
}

#[test]
fn preprocessing_travels_as_json() {
    let json = r#"{"size":[32,32],"crop_pct":1.0,"crop_mode":"center","interpolation":"bilinear","divisor":255.0,"mean":[0.4914,0.4822,0.4465],"std":[0.247,0.2435,0.2616],"channel_order":"rgb","alpha":"white","sixteen_bit":"scale","orientation":"apply"}"#;
    let preprocessing: Preprocessing = serde_json::from_str(json).unwrap();
    assert_eq!(
        preprocessing,
        Preprocessing {
            mean: [0.4914, 0.4822, 0.4465].into(),
            std: [0.2470, 0.2435, 0.2616].into(),
            ..plain()
        }
    );
    assert_eq!(serde_json::to_string(&preprocessing).unwrap(), json);
    let unknown = json.replace("crop_mode", "cropping");
    let error = serde_json::from_str::<Preprocessing>(&unknown).unwrap_err();
    assert!(error.to_string().contains("unknown field `cropping`"));
}

#[test]
fn bad_preprocessing_names_the_field_and_what_was_found() {
    type Spoil = fn(&mut Preprocessing);
    assert!(plain().validate().is_ok());
    let cases: [(Spoil, &str, &str); 14] = [
        (|bad| bad.size = [0, 32], "`size`", "0x32"),
        (|bad| bad.size = [32, 8193], "`size`", "32x8193"),
        (|bad| bad.crop_pct = 0.0, "`crop_pct`", "0"),
        (|bad| bad.crop_pct = 1.5, "`crop_pct`", "1.5"),
        (|bad| bad.crop_pct = f64::NAN, "`crop_pct`", "NaN"),
        (|bad| bad.divisor = 0.0, "`divisor`", "0"),
        (|bad| bad.divisor = f64::INFINITY, "`divisor`", "inf"),
        (
            |bad| bad.mean = [0.0, f64::INFINITY, 0.0].into(),
            "`mean`",
            "inf",
        ),
        // Beyond single precision, in which networks compute.
        (|bad| bad.mean = [0.0, 0.0, 1e39].into(), "`mean`", "1e39"),
        (|bad| bad.std = [1.0, 1.0, 0.0].into(), "`std`", "0.0"),
        (|bad| bad.std = [1e-60, 1.0, 1.0].into(), "`std`", "1e-60"),
        (|bad| bad.std = [1.0, -1.0, 1.0].into(), "`std`", "-1.0"),
        (|bad| bad.std = [f64::NAN, 1.0, 1.0].into(), "`std`", "NaN"),
        (
            |bad| bad.std = [f64::INFINITY, 1.0, 1.0].into(),
            "`std`",
            "inf",
        ),
    ];
    for (spoil, field, found) in cases {
        let mut bad = plain();
        spoil(&mut bad);
        let message = bad.validate().unwrap_err().to_string();
        let (start, end) = message.split_once(", found ").unwrap();
        assert!(
            start.starts_with(&format!("preprocessing: {field} must be ")),
            "{message}"
        );
        assert!(end.contains(found), "{message}");
        let image = RgbImage::new(4, 4);
        assert_eq!(
            transform(&image.into(), &bad).unwrap_err().to_string(),
            message
        );
    }
}

fn keras(name: &str) -> Vec<f32> {
    let file = SafeTensors::deserialize(KERAS).unwrap();
    let tensor = file.tensor(name).unwrap();
    let values = tensor.data().as_chunks::<4>().0.iter();
    values.map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// To the last bit: the operations and their order are Keras's.
#[test]
fn the_presets_of_keras_give_its_very_values() {
    let ramp: Raster = RgbImage::from_fn(16, 16, |x, y| Rgb([channel(16 * y + x); 3])).into();
    for (name, preset) in [
        ("tf", Preset::Tf),
        ("caffe", Preset::Caffe),
        ("torch", Preset::Torch),
    ] {
        let preprocessing = preset.preprocessing([24, 40]);
        let samples = keras(&format!("ramp.{name}"));
        assert_eq!(normalise(&ramp, &preprocessing), samples, "{name}");
        let values = load(&odd("scene.png"), &preprocessing).unwrap();
        assert_eq!(values, keras(&format!("scene.{name}")), "{name}");
    }
}

#[test]
fn a_preset_stands_for_all_that_is_not_said() {
    let said = |json| serde_json::from_str::<Preprocessing>(json);
    assert_eq!(
        said(r#"{"preset": "caffe", "size": [224, 200]}"#).unwrap(),
        Preset::Caffe.preprocessing([224, 200])
    );
    assert_eq!(
        said(
            r#"{"preset": "timm", "size": [160, 160], "crop_pct": 0.95, "mean": [0.5, 0.5, 0.5]}"#
        )
        .unwrap(),
        Preprocessing {
            crop_pct: 0.95,
            mean: [0.5; 3].into(),
            ..Preset::Timm.preprocessing([160, 160])
        }
    );
    assert_eq!(
        said(r#"{"size": [32, 32], "mean": [0, 0, 0], "std": [1, 1, 1]}"#).unwrap(),
        plain()
    );
    for (json, problem) in [
        (r#"{"preset": "tf"}"#, "missing field `size`"),
        (
            r#"{"size": [32, 32], "mean": [0, 0, 0]}"#,
            "missing field `std`, and no `preset` that says it",
        ),
        (
            r#"{"preset": "pytorch", "size": [32, 32]}"#,
            "unknown variant `pytorch`, expected one of `timm`, `tf`, `caffe`, `torch`",
        ),
    ] {
        let message = said(json).unwrap_err().to_string();
        assert!(message.starts_with(problem), "{message}");
    }
}

#[test]
fn only_the_preset_of_timm_ignores_orientation() {
    for preset in Preset::ALL {
        let ignores = preset.preprocessing([1, 1]).orientation == Orientation::Ignore;
        assert_eq!(ignores, preset == Preset::Timm);
    }
}

/// It is a choice for training; in timm's own evaluation it is a `KeyError`.
#[test]
fn random_is_no_filter_to_evaluate_with() {
    let message = serde_json::from_str::<Interpolation>("\"random\"")
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("unknown variant `random`"), "{message}");
}
