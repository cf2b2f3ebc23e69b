//! What every command and every error prints, and its exit status: the cases in `tests/cli`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[test]
fn commands_print_what_the_cases_say() {
    trycmd::TestCases::new().case("tests/cli/*.trycmd");
}

mod weights {
    //! Weights that are wrong in one way each, made from the embedded ones.

    use std::collections::HashMap;
    use std::path::{Path, PathBuf};
    use std::process::Output;

    use candle_core::{DType, Device, Tensor};

    const SHIPPED: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/weights/seresnet20.safetensors"
    );
    const CAT: &str = "tests/images/photos/cat.jpg";

    fn senet(arguments: &[&str]) -> Output {
        let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
        command.args(arguments).output().unwrap()
    }

    fn shipped() -> (HashMap<String, Tensor>, HashMap<String, String>) {
        let bytes = std::fs::read(SHIPPED).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let tensors = candle_core::safetensors::load(SHIPPED, &Device::Cpu).unwrap();
        (tensors, header.metadata().clone().unwrap())
    }

    /// Writes the shipped weights, changed, and returns what classify says of them.
    fn classify_with(
        change: impl FnOnce(&mut HashMap<String, Tensor>, &mut HashMap<String, String>),
    ) -> (Option<i32>, String, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let (mut tensors, mut metadata) = shipped();
        change(&mut tensors, &mut metadata);
        safetensors::serialize_to_file(tensors, Some(metadata), &path).unwrap();
        let output = senet(&["classify", "--weights", path.to_str().unwrap(), CAT]);
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
            path,
        )
    }

    fn said(path: &Path, text: &str) -> String {
        text.replace("FILE", path.to_str().unwrap())
    }

    #[test]
    fn unchanged_weights_from_a_file_answer_like_the_embedded_ones() {
        let (status, stderr, _) = classify_with(|_, _| {});
        assert_eq!((status, stderr.as_str()), (Some(0), ""));
    }

    #[test]
    fn a_missing_tensor_is_named_with_its_shape() {
        let (status, stderr, path) = classify_with(|tensors, _| {
            tensors.remove("layer2.0.conv1.kernel").unwrap();
        });
        assert_eq!(status, Some(2));
        let expected = "error: `FILE` does not fit network `seresnet20`:\n  \
                        1 missing: `layer2.0.conv1.kernel` of shape [3, 3, 16, 32]\n";
        assert_eq!(stderr, said(&path, expected));
    }

    #[test]
    fn a_misshapen_tensor_is_named_with_both_shapes() {
        let (status, stderr, path) = classify_with(|tensors, _| {
            let wrong = Tensor::zeros((10, 64), DType::F32, &Device::Cpu).unwrap();
            tensors.insert("fc.kernel".to_owned(), wrong);
        });
        assert_eq!(status, Some(2));
        let expected = "error: `FILE` does not fit network `seresnet20`:\n  \
                        1 misshapen: `fc.kernel`: expected shape [64, 10], found [10, 64]\n";
        assert_eq!(stderr, said(&path, expected));
    }

    #[test]
    fn a_tensor_of_integers_is_refused() {
        let (status, stderr, path) = classify_with(|tensors, _| {
            let wrong = Tensor::zeros(10, DType::U32, &Device::Cpu).unwrap();
            tensors.insert("fc.bias".to_owned(), wrong);
        });
        assert_eq!(status, Some(2));
        let expected =
            "error: `FILE` has tensor `fc.bias` of type U32; expected f32, f64, f16 or bf16\n";
        assert_eq!(stderr, said(&path, expected));
    }

    #[test]
    fn weights_of_another_network_are_refused_with_a_hint() {
        let (status, stderr, _) = classify_with(|_, metadata| {
            metadata.insert("network".to_owned(), "seresnet32".to_owned());
        });
        assert_eq!(status, Some(2));
        assert!(
            stderr.contains("does not fit network `seresnet32`"),
            "{stderr}"
        );
        assert!(
            stderr.contains("missing: `layer1.3.conv1.kernel`"),
            "{stderr}"
        );
    }

    #[test]
    fn weights_of_another_convention_are_refused() {
        let (status, stderr, path) = classify_with(|_, metadata| {
            metadata.insert("convention".to_owned(), "timm".to_owned());
        });
        assert_eq!(status, Some(2));
        let expected =
            "error: `FILE` was made under the convention `timm`; `seresnet20` follows `keras`\n";
        assert_eq!(stderr, said(&path, expected));
    }

    #[test]
    fn weights_that_name_no_network_ask_for_one() {
        let (status, stderr, path) = classify_with(|_, metadata| {
            metadata.remove("network").unwrap();
        });
        assert_eq!(status, Some(2));
        let expected = "error: `FILE` does not say which network it is for\n\
                        hint: name it with `--network`\n";
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
    fn nan_weights_are_warned_of() {
        let (status, stderr, path) = classify_with(|tensors, _| {
            let mut bias = tensors["fc.bias"].to_vec1::<f32>().unwrap();
            bias[3] = f32::NAN;
            tensors.insert(
                "fc.bias".to_owned(),
                Tensor::new(bias, &Device::Cpu).unwrap(),
            );
        });
        assert_eq!(status, Some(0));
        let expected = "warning: `FILE`: 1 values of tensor `fc.bias` are NaN or infinite\n";
        assert_eq!(stderr, said(&path, expected));
    }

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
}

mod rows {
    //! Where rows go, and that none is lost or exchanged.

    use std::io::Write;
    use std::path::Path;

    use assert_cmd::Command;

    const PHOTOS: [(&str, &str); 3] = [
        ("tests/images/photos/cat.jpg", "cat"),
        ("tests/images/photos/coffee.jpg", "automobile"),
        ("tests/images/photos/rocket.jpg", "ship"),
    ];

    fn senet() -> Command {
        Command::cargo_bin("senet").unwrap()
    }

    fn rows(path: &Path) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    #[test]
    fn every_input_has_its_own_row_in_order_at_any_batch_size() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("rows.ndjson");
        let mut list = String::new();
        let mut expected = Vec::new();
        for index in 0..37 {
            let (path, label) = if index % 5 == 3 {
                ("no-such.jpg", None)
            } else {
                let (path, label) = PHOTOS[index % 3];
                (path, Some(label))
            };
            list += &format!("{path}\n");
            expected.push((path, label));
        }
        for batch_size in ["1", "2", "7", "16", "64"] {
            let arguments = [
                "classify",
                "-",
                "--format",
                "ndjson",
                "--batch-size",
                batch_size,
                "--output",
            ];
            senet()
                .args(arguments)
                .arg(&output)
                .write_stdin(list.as_str())
                .assert()
                .code(1);
            let rows = rows(&output);
            let found: Vec<_> = rows
                .iter()
                .map(|row| {
                    (
                        row["input"].as_str().unwrap(),
                        row["top"][0]["label"].as_str(),
                    )
                })
                .collect();
            assert_eq!(found, expected, "batches of {batch_size}");
        }
    }

    #[test]
    fn a_finished_file_leaves_no_partial_one() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("rows.csv");
        senet()
            .args(["classify", PHOTOS[0].0, "--format", "csv", "--output"])
            .arg(&output)
            .assert()
            .success();
        let names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["rows.csv"]);
    }

    #[test]
    fn an_interrupted_run_keeps_its_rows_beside_an_untouched_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("rows.ndjson");
        let partial = folder.path().join("rows.ndjson.partial");
        std::fs::write(&output, "before\n").unwrap();
        let images = folder.path().join("images");
        std::fs::create_dir(&images).unwrap();
        for index in 0..5000 {
            std::fs::hard_link(PHOTOS[0].0, images.join(format!("{index}.jpg")))
                .or_else(|_| {
                    std::fs::copy(PHOTOS[0].0, images.join(format!("{index}.jpg"))).map(|_| ())
                })
                .unwrap();
        }
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("senet"))
            .args(["classify", "--format", "ndjson", "--output"])
            .args([&output, &images])
            .spawn()
            .unwrap();
        // Until the first rows are there; the run as a whole takes far longer.
        while std::fs::metadata(&partial).map_or(0, |metadata| metadata.len()) == 0 {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the run ended before it was interrupted"
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!rows(&partial).is_empty());
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "before\n");
    }

    #[test]
    fn an_empty_list_on_standard_input_is_an_error() {
        senet()
            .args(["classify", "-"])
            .write_stdin("")
            .assert()
            .code(2)
            .stderr("error: no input: standard input named no image\n");
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("senet"))
            .args(["trace", "--network", "seresnet110"])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }

    #[test]
    fn labels_come_from_a_file_with_one_for_each_class() {
        let mut labels = tempfile::NamedTempFile::new().unwrap();
        for class in 0..10 {
            writeln!(labels, "class number {class}").unwrap();
        }
        let output = senet()
            .args(["classify", "--top-k", "1", PHOTOS[0].0, "--labels"])
            .arg(labels.path())
            .assert()
            .success();
        let stdout = String::from_utf8(output.get_output().stdout.clone()).unwrap();
        assert!(stdout.contains("class number 3"), "{stdout}");
    }

    #[test]
    fn one_thread_gives_the_answer_of_all() {
        let run = |threads: &[&str]| {
            let output = senet()
                .args(["classify", "--format", "ndjson", PHOTOS[0].0])
                .args(threads)
                .assert()
                .success();
            let row: serde_json::Value =
                serde_json::from_slice(&output.get_output().stdout).unwrap();
            row["top"][0]["probability"].as_f64().unwrap()
        };
        // Another number of threads may sum in another order: single precision, a few roundings.
        assert!((run(&[]) - run(&["--threads", "1"])).abs() < 1e-5);
    }
}
