//! `senet eval` of folders called as classes: who is counted, and who is not.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;

/// Copies a photograph into the folder of a class.
fn put(root: &Path, class: &str, photo: &str, name: &str) {
    let folder = root.join(class);
    fs::create_dir_all(&folder).unwrap();
    let photo = Path::new("tests/images/photos").join(photo);
    fs::copy(photo, folder.join(name)).unwrap();
}

/// Evaluates with the CIFAR-10 network: JSON, what is said besides, and the exit status.
fn eval(data: &Path, flags: &[&str]) -> (serde_json::Value, String, Option<i32>) {
    let output = Command::cargo_bin("senet")
        .unwrap()
        .arg("eval")
        .arg(data)
        .args(["--weights", "builtin:seresnet20", "--format", "json"])
        .args(flags)
        .output()
        .unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let said = String::from_utf8(output.stderr).unwrap();
    (json, said, output.status.code())
}

#[test]
fn the_first_folder_is_the_class_at_whatever_depth_its_images_lie() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "cat", "cat.jpg", "a.jpg");
    put(root.path(), "cat/deep/dog", "cat.jpg", "b.jpg");
    put(root.path(), "ship", "coffee.jpg", "c.jpg");
    let (json, said, status) = eval(root.path(), &["--mistakes", "1"]);
    assert_eq!((said.as_str(), status), ("", Some(0)));
    assert_eq!(json["matched_by"], "label");
    assert_eq!(json["images"], 3);
    assert_eq!(json["top_1"]["count"], 2);
    // What one takes for an automobile is of class 8.
    let expected = serde_json::json!([
        {"truth": 3, "predicted": 3, "images": 2},
        {"truth": 8, "predicted": 1, "images": 1},
    ]);
    assert_eq!(json["confusion"], expected);
    assert_eq!(json["mistakes"].as_array().unwrap().len(), 1);
    assert_eq!(json["mistakes"][0]["truth_label"], "ship");
    let bins = json["calibration"]["bins"].as_array().unwrap();
    let counted = bins.iter().map(|bin| bin["images"].as_u64().unwrap());
    assert_eq!((bins.len(), counted.sum::<u64>()), (15, 3));
}

#[test]
fn a_failed_image_is_named_and_lowers_no_figure() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "cat", "cat.jpg", "a.jpg");
    fs::write(root.path().join("cat/b.jpg"), "no image").unwrap();
    let (json, _, status) = eval(root.path(), &[]);
    assert_eq!(status, Some(1));
    assert_eq!(json["images"], 1);
    assert_eq!(json["top_1"]["share"], 1.0);
    let failed = json["failed"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    assert!(failed[0]["input"].as_str().unwrap().ends_with("cat/b.jpg"));
}

#[test]
fn what_is_in_no_class_is_left_out_with_a_warning() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "3", "cat.jpg", "a.jpg");
    put(root.path(), ".checkpoints", "cat.jpg", "a.jpg");
    put(root.path(), "", "cat.jpg", "astray.jpg");
    let (json, said, status) = eval(root.path(), &[]);
    assert_eq!(status, Some(0));
    assert_eq!(json["images"], 1);
    assert_eq!(json["matched_by"], "number");
    for name in ["astray.jpg", ".checkpoints"] {
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_class_without_images_is_a_warning_and_data_without_any_an_error() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("dog")).unwrap();
    let (_, said, status) = eval(root.path(), &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("holds no images in its folders"), "{said}");
    put(root.path(), "cat", "cat.jpg", "a.jpg");
    let (json, said, status) = eval(root.path(), &[]);
    assert_eq!(status, Some(0));
    assert_eq!(json["images"], 1);
    assert_eq!(json["failed"], serde_json::json!([]));
    assert!(
        said.starts_with("warning: folders without images: `"),
        "{said}"
    );
    assert!(said.ends_with("/dog`\n"), "{said}");
}

#[test]
fn rows_are_a_list_of_the_same_images_and_classes_wherever_they_are_read() {
    let root = tempfile::tempdir().unwrap();
    // Number 3, a cat, is labelled as number 4 would be.
    let labels = root.path().join("labels.txt");
    fs::write(&labels, "0\n1\n2\n4\n3\n5\n6\n7\n8\n9\n").unwrap();
    put(root.path(), "photos/4", "cat.jpg", "back\\slash.jpg");
    put(root.path(), "photos/8", "coffee.jpg", "b.jpg");
    let rows = Command::cargo_bin("senet")
        .unwrap()
        .current_dir(root.path())
        .args(["eval", "photos", "--weights", "builtin:seresnet20"])
        .args(["--labels", "labels.txt", "--format", "ndjson"])
        .output()
        .unwrap();
    let elsewhere = root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let list = elsewhere.join("rows.ndjson");
    fs::write(&list, rows.stdout).unwrap();
    let flags = ["--labels", labels.to_str().unwrap()];
    let (of_rows, said, status) = eval(&list, &flags);
    assert_eq!(status, Some(0), "{said}");
    let (of_folders, ..) = eval(&root.path().join("photos"), &flags);
    assert_eq!(of_rows["confusion"], of_folders["confusion"]);
    assert_eq!(of_rows["top_1"]["count"], 1);
    assert_eq!(of_rows["matched_by"], "label");
}

#[test]
fn an_unknown_class_among_known_ones_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "cat", "cat.jpg", "a.jpg");
    put(root.path(), "lion", "cat.jpg", "a.jpg");
    let (_, said, status) = eval(root.path(), &[]);
    assert_eq!(status, Some(2));
    assert!(said.contains("1 of 2 class names"), "{said}");
    assert!(said.contains("`lion`") && !said.contains("`cat`"), "{said}");
}

#[test]
fn a_split_is_a_folder_and_timms_other_names_of_it() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "val/cat", "cat.jpg", "a.jpg");
    put(root.path(), "train/cat", "cat.jpg", "a.jpg");
    put(root.path(), "train/ship", "coffee.jpg", "b.jpg");
    for (split, images) in [("val", 1), ("validation", 1), ("train", 2)] {
        let (json, _, status) = eval(root.path(), &["--split", split]);
        assert_eq!(status, Some(0));
        assert_eq!(json["images"], images);
    }
    let (_, said, status) = eval(root.path(), &["--split", "test"]);
    assert_eq!(status, Some(2));
    assert!(said.contains("`train`, `val`"), "{said}");
}

#[test]
fn two_networks_are_compared_image_by_image() {
    let root = tempfile::tempdir().unwrap();
    // More than a batch.
    for index in 0..20 {
        put(root.path(), "cat", "cat.jpg", &format!("{index}.jpg"));
        put(root.path(), "ship", "coffee.jpg", &format!("{index}.jpg"));
    }
    let (json, _, status) = eval(root.path(), &["--compare", "builtin:seresnet20"]);
    assert_eq!(status, Some(0));
    let compared = &json["comparison"];
    assert_eq!(compared["both_right"], 20);
    assert_eq!(compared["both_wrong"], 20);
    assert_eq!(compared["same_class"], 40);
    assert_eq!(compared["mcnemar"]["p"], 1.0);
    assert_eq!(compared["changed"], serde_json::json!([]));
}

#[test]
fn the_page_stands_alone_and_shows_mistakes_under_any_name() {
    let root = tempfile::tempdir().unwrap();
    put(
        root.path(),
        "ship",
        "coffee.jpg",
        "<script>alert(1)<script>.jpg",
    );
    let page = Command::cargo_bin("senet")
        .unwrap()
        .arg("eval")
        .arg(root.path())
        .args(["--weights", "builtin:seresnet20", "--format", "html"])
        .output()
        .unwrap();
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("src=\"data:image/jpeg;base64,"), "{page}");
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    assert!(page.contains("ship taken for automobile: 1"));
    assert!(page.len() < 100_000, "{}", page.len());
}
