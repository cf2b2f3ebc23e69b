//! What `senet explain` says of photographs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Output;

use serde_json::Value;

const CAT: &str = "tests/images/photos/cat.jpg";

fn senet(arguments: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    command.args(arguments).output().unwrap()
}

fn explained(arguments: &[&str]) -> Value {
    let output = senet(&[&["explain", "-f", "ndjson"], arguments].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    let output = senet(&[&["explain"], arguments].concat());
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

fn numbers(values: &Value) -> Vec<f64> {
    serde_json::from_value(values.clone()).unwrap()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_mean_of_a_class_activation_map_and_the_bias_are_the_logit() {
    for weights in ["builtin:seresnet20", "builtin:efficientnet_lite0"] {
        for class in ["0", "3", "7"] {
            let row = explained(&[CAT, "-w", weights, "--class", class]);
            assert_eq!(row["map"]["method"], "class activation");
            let map = numbers(&row["map"]["values"]);
            let places =
                row["map"]["rows"].as_u64().unwrap() * row["map"]["columns"].as_u64().unwrap();
            assert_eq!(map.len() as u64, places);
            let sum = mean(&map) + row["map"]["bias"].as_f64().unwrap();
            let logit = row["class"]["logit"].as_f64().unwrap();
            // Up to 1280 products in another order, in single precision.
            assert!(
                (sum - logit).abs() < 1e-3,
                "{weights} {class}: {sum} {logit}"
            );
        }
    }
}

#[test]
fn every_block_has_its_gates_and_a_network_without_blocks_none() {
    let row = explained(&[CAT, "-w", "builtin:seresnet20"]);
    let gates = row["gates"].as_array().unwrap();
    assert_eq!(gates.len(), 9);
    assert_eq!(gates[0]["block"], "layer1.0.se");
    for (gates, channels) in gates.iter().zip([16, 16, 16, 32, 32, 32, 64, 64, 64]) {
        let values = numbers(&gates["values"]);
        assert_eq!(values.len(), channels);
        assert!(values.iter().all(|gate| (0. ..=1.).contains(gate)));
        assert!((mean(&values) - gates["mean"].as_f64().unwrap()).abs() < 1e-6);
    }
    assert_eq!(explained(&[CAT])["gates"].as_array().unwrap().len(), 0);
    let table = String::from_utf8(senet(&["explain", CAT]).stdout).unwrap();
    assert!(table.contains("no SE block, so no gates"), "{table}");
}

/// Both say that the cat is where the cat is, not in a corner.
#[test]
fn occlusion_and_class_activation_agree_on_what_is_in_the_middle() {
    for flags in [&[][..], &["--occlusion"]] {
        let row = explained(&[&[CAT, "-w", "builtin:seresnet20"], flags].concat());
        let [rows, columns] = ["rows", "columns"].map(|side| row["map"][side].as_u64().unwrap());
        let map = numbers(&row["map"]["values"]);
        let (mut inner, mut outer) = (Vec::new(), Vec::new());
        for (place, value) in map.into_iter().enumerate() {
            let (row, column) = (place as u64 / columns, place as u64 % columns);
            let is_inner = row > 0 && column > 0 && row + 1 < rows && column + 1 < columns;
            if is_inner { &mut inner } else { &mut outer }.push(value);
        }
        assert!(
            mean(&inner) > mean(&outer),
            "{flags:?}: {} {}",
            mean(&inner),
            mean(&outer)
        );
    }
}

#[test]
fn a_picture_is_as_wide_as_the_photograph_with_a_strip_for_each_block_below() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heat.png");
    let path = path.to_str().unwrap();
    for weights in ["builtin:seresnet20", "builtin:efficientnet_lite0"] {
        assert!(
            senet(&["explain", CAT, "-w", weights, "-o", path])
                .status
                .success()
        );
        let picture = image::open(path).unwrap();
        let photo = image::open(CAT).unwrap();
        let strips = if weights.ends_with("20") {
            8 + 9 * 14 - 2
        } else {
            0
        };
        assert_eq!(picture.height(), photo.height() + strips);
    }
}

#[test]
fn a_page_shows_every_image_with_its_map_its_classes_and_a_strip_for_each_block() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = folder.path().join("<script>alert(1)<script>.jpg");
    std::fs::copy(CAT, &hostile).unwrap();
    let broken = folder.path().join("broken.jpg");
    std::fs::write(&broken, "no image").unwrap();
    let page = folder.path().join("page.html");
    let arguments = [
        "explain",
        hostile.to_str().unwrap(),
        broken.to_str().unwrap(),
        "-w",
        "builtin:seresnet20",
    ];
    let output = senet(&[&arguments[..], &["-o", page.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1));
    let page = std::fs::read_to_string(page).unwrap();
    for (part, count) in [
        ("<section>", 2),
        ("<figure><img src=\"data:image/jpeg;base64,", 2),
        ("<span class=\"few\"><img src=\"data:image/png;base64,", 9),
        ("<div class=\"class\">", 5),
        ("<p class=\"bad-text\">not an image", 1),
        ("<script", 0),
    ] {
        assert_eq!(page.matches(part).count(), count, "{part}");
    }
    assert!(page.contains("<b>83.0 %</b> cat") && page.ends_with("</html>\n"));
    // What goes to standard output is the same page.
    let printed = senet(&[&arguments[..], &["-f", "html"]].concat());
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), page);
}

#[test]
fn a_class_is_found_by_label_word_synset_or_number() {
    for (class, label) in [
        ("tiger_cat", "tiger cat"),
        ("n02123159", "tiger cat"),
        ("282", "tiger cat"),
    ] {
        assert_eq!(
            explained(&[CAT, "--class", class])["class"]["label"],
            label,
            "{class}"
        );
    }
}

#[test]
fn what_cannot_be_explained_is_said() {
    assert!(
        refusal(&[CAT, "--class", "no such class"])
            .contains("is no label of the network: `no such class`")
    );
    assert!(refusal(&[CAT, "--class", "1000"]).contains("by number, from 0 to 999"));
    assert!(refusal(&[CAT, CAT, "-o", "x.png"]).contains("there may be several images"));
    assert!(refusal(&[CAT, "-o", "x.jpg"]).contains("ends with none of .png and .html"));
    let output = senet(&["explain", "README.md", CAT]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 of 2 inputs failed"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("error: not an image"));
}
