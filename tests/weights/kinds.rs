//! What is no whole file of weights is refused, and called what it is.

use std::path::Path;

use super::{CAT, SHIPPED, said, senet};

#[test]
fn a_truncated_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let bytes = std::fs::read(SHIPPED).unwrap();
    for length in [0, 4, 100, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
        assert_eq!(output.status.code(), Some(2), "{length} bytes");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            stderr.starts_with(&said(&path, "error: `FILE` is ")),
            "{stderr}"
        );
    }
}

#[test]
fn weights_and_dumps_are_told_from_each_other() {
    const CASE: &str = "tests/fixtures/se_block";
    let [weights, dump] = ["weights", "reference"].map(|name| format!("{CASE}/{name}.safetensors"));
    for (weights, reference, expected) in [
        (
            &weights,
            &weights,
            "holds weights, and is no dump of activations\nhint: `scripts.keras.dump",
        ),
        (
            &dump,
            &dump,
            "is a dump of activations, not weights\nhint: `senet parity",
        ),
    ] {
        let output = senet(&["parity", "--weights", weights, "--reference", reference]);
        assert_eq!(output.status.code(), Some(2));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let expected = format!("error: `{weights}` {expected}");
        assert!(stderr.starts_with(&expected), "{stderr}");
    }
}

#[test]
fn a_pickle_is_told_from_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    std::fs::write(
        &path,
        b"PK\x03\x04\x14\0\0\x08\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl",
    )
    .unwrap();
    let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("pickled Python objects"), "{stderr}");
}

#[test]
fn files_of_other_kinds_are_named_with_a_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    for (bytes, is, hint) in [
        (&b"\x89HDF\r\n\x1a\n\0\0\0\0"[..], "HDF5", ".keras"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX network", "save_file"),
        (b"GGUF\x03\0\0\0", "GGUF", "save_file"),
        (b"<html>", "a page of the web", "download"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        for flag in ["--weights", "--reference"] {
            let arguments = match flag {
                "--weights" => vec!["classify", flag, path.to_str().unwrap(), CAT],
                _ => vec!["parity", "--weights", SHIPPED, flag, path.to_str().unwrap()],
            };
            let output = senet(&arguments);
            assert_eq!(output.status.code(), Some(2));
            let stderr = String::from_utf8(output.stderr).unwrap();
            let expected = said(
                &path,
                &format!("error: `FILE` is no safetensors file, but {is}"),
            );
            assert!(stderr.starts_with(&expected), "{stderr}");
            let (_, said) = stderr.split_once("\nhint: ").unwrap();
            assert!(said.contains(hint), "{stderr}");
        }
    }
    let output = senet(&["classify", "--weights", CAT, CAT]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    let expected = format!(
        "error: `{CAT}` is no safetensors file, but a JPEG image, and no weights\nhint: images \
         are named without a flag, as in `senet classify cat.jpg`\n"
    );
    assert_eq!(stderr, expected);
}

#[test]
fn a_repository_without_its_prefix_gets_a_hint() {
    let output = senet(&["classify", "--weights", "timm/resnet18.a1_in1k", CAT]);
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.ends_with("is written `hf:timm/resnet18.a1_in1k`\n"),
        "{stderr}"
    );
}

/// A file of these bytes with this header.
fn file_with_header(path: &Path, header: &str, data: &[u8]) {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    std::fs::write(path, bytes).unwrap();
}

/// Why the program refuses these weights.
fn refusal(weights: &Path) -> String {
    let output = senet(&["classify", "--weights", weights.to_str().unwrap(), CAT]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    stderr
}

#[test]
fn hostile_headers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    for header in [
        // Two tensors on the same bytes.
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
        // One name twice.
        r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}"#,
        // More elements than an address has bits for.
        r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,16],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,4]}}"#,
        // Ends before it starts, or after the file does.
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
        r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]}}"#,
        r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
        // Not what it says.
        r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
        r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
        "[[[[",
        "",
    ] {
        file_with_header(&path, header, &[0; 4]);
        let stderr = refusal(&path);
        assert!(
            stderr.contains("is not a whole safetensors file (")
                || stderr.contains("has a header that is not read: "),
            "{header}: {stderr}"
        );
    }
    let nested = "[".repeat(1 << 20);
    file_with_header(&path, &nested, &[]);
    assert!(refusal(&path).contains("has a header that is not read: "));
    for length in [u64::MAX, 1 << 40, 100_000_000, 25_000_001] {
        std::fs::write(&path, [&length.to_le_bytes()[..], b"{}"].concat()).unwrap();
        let expected = format!("its header would have {length} bytes, and may have 25000000");
        assert!(refusal(&path).contains(&expected));
    }
}
