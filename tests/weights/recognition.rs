//! Which network a file is for, as its tensors say: by their names and shapes, behind a prefix or not.

use std::collections::HashMap;
use std::process::Output;

use candle_core::{DType, Device, Tensor};

use super::{BUILTIN, CAT, classify_changed, classify_with, said, senet};

/// The same tensors under other names.
fn renamed(
    tensors: &HashMap<String, Tensor>,
    name: impl Fn(&str) -> String,
) -> HashMap<String, Tensor> {
    let tensors = tensors.iter();
    tensors
        .map(|(old, tensor)| (name(old), tensor.clone()))
        .collect()
}

#[test]
fn weights_that_name_no_network_are_recognised_by_their_tensors() {
    let (status, stderr, _) = classify_with(|_, metadata| {
        metadata.remove("network").unwrap();
    });
    assert_eq!((status, stderr.as_str()), (Some(0), ""));
}

#[test]
fn weights_that_fit_no_network_are_compared_with_the_closest() {
    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        tensors.remove("bn1.gamma").unwrap();
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` does not say which network it is for, and fits none; the \
                    closest is `seresnet20`:\n  1 missing: `bn1.gamma` of shape [16]\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn weights_of_other_names_than_any_networks_are_not_compared_with_one() {
    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        *tensors = renamed(tensors, |name| {
            let (layer, parameter) = name.rsplit_once('.').unwrap();
            format!(
                "{}.blocks.{}\u{202e}.{parameter}",
                layer.len(),
                layer.replace('.', "-")
            )
        });
    });
    assert_eq!(status, Some(2));
    let expected = said(
        &path,
        "error: `FILE` does not say which network it is for, and no network of the catalogue has \
         tensors of such names: `12.blocks.layer1-0-bn1\\u{202e}.beta`, ",
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert!(
        stderr.contains("more\nhint: `senet models` lists"),
        "{stderr}"
    );

    let (status, stderr, path) = classify_with(|tensors, metadata| {
        metadata.remove("network").unwrap();
        tensors.clear();
        let count = Tensor::zeros((), DType::I64, &Device::Cpu).unwrap();
        tensors.insert("bn1.num_batches_tracked".to_owned(), count);
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` holds no tensors that a network reads\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn a_prefix_of_every_tensor_is_said_and_not_read() {
    let builtin = senet(&["classify", "--weights", BUILTIN, CAT]);
    for (prefix, ending, expected) in [
        ("module.", "", "the prefix `module.`"),
        ("module._orig_mod.", "", "the prefix `module._orig_mod.`"),
        ("", ":0", "the ending `:0`"),
        ("net/", ":0", "the prefix `net/` and the ending `:0`"),
    ] {
        for is_named in [true, false] {
            let (output, path) = classify_changed(
                |tensors, metadata| {
                    *tensors = renamed(tensors, |name| format!("{prefix}{name}{ending}"));
                    if !is_named {
                        metadata.remove("network").unwrap();
                    }
                },
                &[],
            );
            assert_eq!(output.stdout, builtin.stdout, "{prefix}");
            let stderr = String::from_utf8(output.stderr).unwrap();
            let expected = format!("note: `FILE` is read without {expected}\n");
            assert_eq!(stderr, said(&path, &expected));
        }
    }
    let (status, stderr, _) = classify_with(|tensors, _| {
        *tensors = renamed(tensors, |name| {
            let prefix = if name.starts_with("fc") {
                ""
            } else {
                "module."
            };
            format!("{prefix}{name}")
        });
    });
    assert_eq!(status, Some(2));
    assert!(
        stderr.starts_with("error: ") && stderr.contains("missing"),
        "{stderr}"
    );
}

#[test]
fn of_weights_and_their_average_the_plain_ones_are_read_unless_the_others_are_asked_for() {
    let both = |tensors: &mut HashMap<String, Tensor>, _: &mut HashMap<String, String>| {
        let mut averaged = renamed(tensors, |name| format!("state_dict_ema.{name}"));
        let bias = averaged.get_mut("state_dict_ema.fc.bias").unwrap();
        *bias = Tensor::new(&[0_f32, 0., 0., 0., 0., 0., 0., 0., 0., 99.], &Device::Cpu).unwrap();
        *tensors = renamed(tensors, |name| format!("state_dict.{name}"));
        tensors.extend(averaged);
    };
    let first_label = |output: &Output| {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        stdout.lines().nth(1).unwrap_or_default().trim().to_owned()
    };
    let two = "note: `FILE` holds its weights twice, plain with the prefix `state_dict.` and as \
               a running average with the prefix `state_dict_ema.`: ";
    for (flags, label, read) in [
        (
            &[][..],
            "cat",
            "the plain ones are read; `--ema` reads the averaged ones\n",
        ),
        (&["--ema"], "truck", "the averaged ones are read\n"),
    ] {
        let (output, path) = classify_changed(both, flags);
        let stderr = String::from_utf8(output.stderr.clone()).unwrap();
        assert_eq!(stderr, said(&path, &format!("{two}{read}")));
        assert!(first_label(&output).ends_with(label), "{output:?}");
    }
    let (output, path) = classify_changed(|_, _| {}, &["--ema"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: `FILE` holds its weights once, without a running average beside them\n\
                    hint: leave `--ema` out\n";
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        said(&path, expected)
    );
}

#[test]
fn weights_that_several_networks_fit_are_ambiguous() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let network = senet::network::catalog::find("resnet50").unwrap();
    let mut tensors = HashMap::new();
    for layer in network.layers().as_slice() {
        for parameter in layer.operation.parameters() {
            let zeros = Tensor::zeros(parameter.shape, DType::F16, &Device::Cpu).unwrap();
            tensors.insert(format!("{}.{}", layer.name, parameter.name), zeros);
        }
    }
    safetensors::serialize_to_file(tensors, None, &path).unwrap();
    let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: `FILE` is ambiguous: it has the tensors of `keras_resnet50`, \
                    `resnet50`, which compute differently\n\
                    hint: name one with `--network`\n";
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, said(&path, expected));
}
