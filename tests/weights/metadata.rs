//! What a file's metadata says of its network and images, and what flags say instead.

use super::{BUILTIN, CAT, classify_with, said, senet, shipped};

#[test]
fn metadata_that_names_a_network_at_length_is_refused_at_once() {
    let (status, stderr, path) = classify_with(|_, metadata| {
        metadata.insert("network".to_owned(), "seresnet".repeat(200_000));
    });
    assert_eq!(status, Some(2));
    let expected = "error: `FILE` has metadata `network` of 1600000 bytes; expected a name of at \
                    most 200\n";
    assert_eq!(stderr, said(&path, expected));
}

#[test]
fn metadata_of_another_form_is_named() {
    let (status, stderr, path) = classify_with(|_, metadata| {
        metadata.insert("labels".to_owned(), "cat".to_owned());
    });
    assert_eq!(status, Some(2));
    let expected = said(
        &path,
        "error: `FILE` has metadata `labels` that cannot be read: ",
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
}

#[test]
fn images_can_be_prepared_by_flags_where_the_file_does_not_say_how() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let (tensors, mut metadata) = shipped();
    metadata.remove("preprocessing").unwrap();
    safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();
    let file = path.to_str().unwrap();

    let without = senet(&["classify", "--weights", file, CAT]);
    assert_eq!(without.status.code(), Some(2));
    let stderr = String::from_utf8(without.stderr).unwrap();
    assert!(
        stderr
            .contains("hint: `--preset` says it, or `--mean` and `--std` do; `--mean` is missing"),
        "{stderr}"
    );

    // The size is the network's own.
    let mut arguments = vec!["classify", "--format", "ndjson", "--weights", file, CAT];
    arguments.extend([
        "--mean",
        "0.4914,0.4822,0.4465",
        "--std",
        "0.2470,0.2435,0.2616",
    ]);
    let with = senet(&arguments);
    let builtin = senet(&["classify", "--format", "ndjson", "--weights", BUILTIN, CAT]);
    assert_eq!(with.stdout, builtin.stdout);

    let squashed = senet(&[
        "classify",
        "--weights",
        BUILTIN,
        "--format",
        "ndjson",
        "--crop-mode",
        "squash",
        CAT,
    ]);
    assert_ne!(squashed.stdout, builtin.stdout);
}

/// What `timm` does differently, said by flags, on a photograph with nothing else to prepare.
#[test]
fn a_preset_replaces_what_the_file_says_but_the_size() {
    let classified = |flags: &[&str]| {
        let arguments = [
            &["classify", "--weights", BUILTIN, "--format", "ndjson", CAT],
            flags,
        ]
        .concat();
        let output = senet(&arguments);
        assert_eq!(output.status.code(), Some(0), "{flags:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let preset = classified(&["--preset", "timm", "--crop-pct", "0.9"]);
    let flags =
        "--crop-pct 0.9 --interpolation bicubic --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225";
    let flags: Vec<&str> = flags.split(' ').collect();
    assert_eq!(preset, classified(&flags));
    assert_ne!(preset, classified(&[]));
    let caffe = "--crop-mode squash --interpolation nearest --divisor 1 --mean 123.68,116.779,103.939 --std 1,1,1 --channel-order bgr";
    let flags: Vec<&str> = caffe.split(' ').collect();
    assert_eq!(classified(&["--preset", "caffe"]), classified(&flags));
}
