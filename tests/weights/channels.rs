//! Networks whose input is gray, has opacity beside its colours, or is no image.

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Tensor, safetensors as candle_file};
use serde_json::{Value, json};

use super::{CAT, SHIPPED, senet};

/// seresnet20 for an input of so many channels, as timm saves it, with these means and deviations.
fn network(channels: usize, mean: &Value, std: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut tensors = candle_file::load(SHIPPED, &candle_core::Device::Cpu).unwrap();
    // Rows, columns, channels, outputs.
    let kernel = tensors.remove("conv1.kernel").unwrap();
    let kernel = match channels {
        // As timm makes one of a pretrained network of three: of an image whose channels are all the
        // same both compute the same.
        1 => kernel.sum_keepdim(2).unwrap(),
        few @ (2 | 3) => kernel.narrow(2, 0, few).unwrap(),
        more => {
            let zeros = kernel.narrow(2, 0, 1).unwrap().zeros_like().unwrap();
            let others = vec![zeros; more - 3];
            Tensor::cat(&[vec![kernel], others].concat(), 2).unwrap()
        }
    };
    tensors.insert("conv1.kernel".to_owned(), kernel);
    let path = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let config = json!({
        "architecture": "seresnet20", "num_classes": 10,
        "label_names": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
            "ship", "truck"],
        "model_args": {"in_chans": channels, "num_classes": 10},
        "pretrained_cfg": {
            "custom_load": false, "input_size": [channels, 32, 32], "interpolation": "bilinear",
            "crop_pct": 1.0, "mean": mean, "std": std, "num_classes": 10
        }
    });
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}

/// The cat in gray, in three channels that are the same.
fn gray_cat(folder: &Path) -> PathBuf {
    let path = folder.join("gray.png");
    let gray = senet::image::decode(Path::new(CAT), &gray_order()).unwrap();
    gray.into_rgb().save(&path).unwrap();
    path
}

fn gray_order() -> senet::image::Preprocessing {
    senet::image::Preprocessing {
        channel_order: senet::image::ChannelOrder::Gray,
        ..senet::image::Preset::Timm.preprocessing([32, 32])
    }
}

/// What is said on standard output and standard error.
fn said(arguments: &[&str], status: i32) -> (String, String) {
    let output = senet(arguments);
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(output.status.code(), Some(status), "{stderr}");
    (stdout, stderr)
}

fn logits(arguments: &[&str]) -> Vec<(u64, f64)> {
    let arguments = [&["classify", "-f", "ndjson", "-k", "10"], arguments].concat();
    let (stdout, _) = said(&arguments, 0);
    let row: Value = serde_json::from_str(&stdout).unwrap();
    let top = row["top"].as_array().unwrap().iter();
    let mut logits: Vec<_> = top
        .map(|class| {
            let [class, logit] = [&class["class"], &class["logit"]];
            (class.as_u64().unwrap(), logit.as_f64().unwrap())
        })
        .collect();
    logits.sort_by_key(|&(class, _)| class);
    logits
}

/// Logits of some units, off by what another order of 27 products in single precision rounds, through
/// twenty layers.
fn assert_alike(found: &[(u64, f64)], expected: &[(u64, f64)]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-3,
            "{found:?} {expected:?}"
        );
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_network_of_one_channel_sees_images_in_gray() {
    let (mean, std) = (json!([0.5]), json!([0.25]));
    let [one, three] = [1, 3].map(|channels| network(channels, &mean, &std));
    let photo = gray_cat(one.path());
    let expected = logits(&["-w", text(three.path()), text(&photo)]);
    for engine in ["cpu", "candle"] {
        let of_colours = logits(&["-w", text(one.path()), "--engine", engine, CAT]);
        assert_alike(&of_colours, &expected);
    }
    assert_alike(&logits(&["-w", text(one.path()), text(&photo)]), &expected);
    // Another picture has another answer, so that the above says something.
    let coffee = logits(&["-w", text(one.path()), "tests/images/photos/coffee.jpg"]);
    assert!(
        coffee
            .iter()
            .zip(&expected)
            .any(|(a, b)| (a.1 - b.1).abs() > 1.)
    );
}

#[test]
fn a_network_of_four_channels_sees_opacity_beside_the_colours() {
    let (mean, std) = (json!([0.5, 0.4, 0.3, 0.2]), json!([0.2, 0.3, 0.4, 0.5]));
    let four = network(4, &mean, &std);
    let (mean, std) = (json!([0.5, 0.4, 0.3]), json!([0.2, 0.3, 0.4]));
    let three = network(3, &mean, &std);
    let expected = logits(&["-w", text(three.path()), CAT]);
    // Opacity has a part in the image's resize, and none in the network, whose weights for it are 0.
    assert_alike(&logits(&["-w", text(four.path()), CAT]), &expected);
    let clear = four.path().join("clear.png");
    image::RgbaImage::from_fn(40, 40, |x, _| {
        image::Rgba([200, 20, 20, if x < 20 { 0 } else { 255 }])
    })
    .save(&clear)
    .unwrap();
    let (table, _) = said(
        &[
            "trace",
            text(four.path()),
            "--image",
            text(&clear),
            "-f",
            "csv",
        ],
        0,
    );
    assert!(table.lines().count() > 50, "{table}");
}

#[test]
fn every_command_that_looks_at_images_takes_them_in_gray() {
    let (mean, std) = (json!([0.5]), json!([0.25]));
    let gray = network(1, &mean, &std);
    let weights = text(gray.path());
    let (table, _) = said(&["trace", weights, "--image", CAT], 0);
    assert!(table.contains("[1, 1, 32, 32]"), "{table}");
    let picture = gray.path().join("seen.png");
    for flags in [&[][..], &["--occlusion"]] {
        let arguments = ["explain", "-w", weights, CAT, "-o", text(&picture)];
        let (shown, _) = said(&[&arguments[..], flags].concat(), 0);
        assert!(shown.contains("gates"), "{shown}");
        // Over the gray of the photograph.
        assert!(image::open(&picture).unwrap().width() >= 300);
    }
    let list = gray.path().join("list.csv");
    let photo = fs::canonicalize(CAT).unwrap();
    fs::write(&list, format!("path,label\n{},cat\n", text(&photo))).unwrap();
    let (table, _) = said(&["eval", "-w", weights, text(&list)], 0);
    assert!(table.contains("images       1"), "{table}");
}

/// As files of timm before version 1.0.20 have them.
#[test]
fn means_of_three_channels_are_averaged_for_another_count() {
    let three = [json!([0.1, 0.5, 0.6]), json!([0.1, 0.2, 0.3])];
    let one = [json!([0.4]), json!([0.2])];
    for channels in [1, 4] {
        let [said_for_three, averaged] =
            [&three, &one].map(|[mean, std]| network(channels, mean, std));
        let [found, expected] =
            [&said_for_three, &averaged].map(|folder| logits(&["-w", text(folder.path()), CAT]));
        assert_alike(&found, &expected);
        let (_, notes) = said(&["classify", "-w", text(said_for_three.path()), CAT], 0);
        let note = format!(
            "note: `mean` is said for 3 channels, and the network takes {channels}: the average is \
             taken, as timm has it\nhint: `--mean` says another\n"
        );
        assert!(notes.contains(&note), "{notes}");
        let (_, notes) = said(&["classify", "-w", text(averaged.path()), CAT], 0);
        assert_eq!(notes, "");
    }
}

#[test]
fn the_first_convolution_tells_the_channels_where_nothing_else_does() {
    let (mean, std) = (json!([0.5]), json!([0.25]));
    for channels in [1, 3, 4, 13] {
        let folder = network(channels, &mean, &std);
        fs::remove_file(folder.path().join("config.json")).unwrap();
        let path = folder.path().join("model.safetensors");
        let (table, _) = said(&["trace", text(&path)], 0);
        assert!(
            table.contains(&format!("[1, {channels}, 32, 32]")),
            "{table}"
        );
        let flags = [
            "classify",
            "-w",
            text(&path),
            "--mean",
            "0.5",
            "--std",
            "0.25",
            CAT,
        ];
        let (_, problem) = said(&flags, if channels == 13 { 2 } else { 0 });
        assert_eq!(problem.contains("takes inputs of 13"), channels == 13);
    }
}

#[test]
fn what_is_for_other_channels_than_the_networks_is_refused() {
    let (mean, std) = (json!([0.5]), json!([0.25]));
    let refusal = |channels: usize, flags: &[&str]| {
        let folder = network(channels, &mean, &std);
        let arguments = [&["classify", "-w", text(folder.path()), CAT], flags].concat();
        said(&arguments, 2).1
    };
    assert_eq!(
        refusal(2, &[]),
        "error: `seresnet20` takes inputs of 2 channels, not images, which have 1 (gray), 3 (red, \
         green, blue) or 4 (and opacity)\n"
    );
    assert_eq!(
        refusal(3, &["--channel-order", "gray"]),
        "error: `--channel-order` is for images of 1 channel; `seresnet20` takes 3\n"
    );
    assert_eq!(
        refusal(1, &["--mean", "0.1,0.2,0.3"]),
        "error: `--mean` is for images of 3 channels; `seresnet20` takes 1\n"
    );
    assert_eq!(
        refusal(1, &["--std", "1,1,1,1"]),
        "error: `--std` is for images of 4 channels; `seresnet20` takes 1\n"
    );
}
