//! What `senet explain` says of photographs.

#![cfg(feature = "cli")]
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
    assert!(
        refusal(&[CAT, "-o", "x.jpg"]).contains("ends with none of .png, .html and .safetensors")
    );
    let output = senet(&["explain", "README.md", CAT]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 of 2 inputs failed"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("error: not an image"));
}

/// Two cats and a ship, in folders called as classes.
fn labelled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, photo, name) in [
        ("cat", "cat.jpg", "a.jpg"),
        ("cat", "coffee.jpg", "b.jpg"),
        ("ship", "rocket.jpg", "c.jpg"),
    ] {
        let class = folder.path().join(class);
        std::fs::create_dir_all(&class).unwrap();
        std::fs::copy(
            std::path::Path::new("tests/images/photos").join(photo),
            class.join(name),
        )
        .unwrap();
    }
    folder
}

#[test]
fn mean_gates_of_a_class_are_the_means_of_its_images_gates() {
    let folder = labelled();
    let data = folder.path().to_str().unwrap();
    let arguments = [
        "explain",
        data,
        "--by-class",
        "-w",
        "builtin:seresnet20",
        "-f",
        "ndjson",
    ];
    let output = senet(&arguments);
    assert_eq!(output.status.code(), Some(0));
    let rows: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Two classes and both together, of nine blocks.
    assert_eq!(rows.len(), 3 * 9);
    let of_image = |photo: &str| {
        let photo = format!("tests/images/photos/{photo}");
        let row = explained(&[&photo, "-w", "builtin:seresnet20"]);
        let gates = row["gates"].as_array().unwrap().clone();
        gates
            .iter()
            .map(|gates| numbers(&gates["values"]))
            .collect::<Vec<_>>()
    };
    let [cat, coffee, rocket] = ["cat.jpg", "coffee.jpg", "rocket.jpg"].map(of_image);
    for (block, rows) in rows.chunks(3).enumerate() {
        let found: Vec<(Option<u64>, u64)> = rows
            .iter()
            .map(|row| (row["class"].as_u64(), row["images"].as_u64().unwrap()))
            .collect();
        assert_eq!(found, [(Some(3), 2), (Some(8), 1), (None, 3)]);
        assert_eq!(rows[1]["label"], "ship");
        let [cats, ship, all] = [0, 1, 2].map(|row| numbers(&rows[row]["values"]));
        let mut deviations = Vec::new();
        for channel in 0..cats.len() {
            let cats_mean = f64::midpoint(cat[block][channel], coffee[block][channel]);
            let ship_mean = rocket[block][channel];
            // Means in double precision, written in single.
            assert!((cats[channel] - cats_mean).abs() < 1e-7);
            assert!((ship[channel] - ship_mean).abs() < 1e-7);
            // Each class counts the same.
            assert!((all[channel] - f64::midpoint(cats_mean, ship_mean)).abs() < 1e-7);
            // The deviation of two numbers is half of what they differ by.
            deviations.push((cats_mean - ship_mean).abs() / 2.);
        }
        let spread = rows[2]["spread"].as_f64().unwrap();
        assert!((spread - mean(&deviations)).abs() < 1e-7, "{spread}");
    }
}

#[test]
fn an_image_that_fails_is_named_and_in_no_mean() {
    let folder = labelled();
    std::fs::write(folder.path().join("ship/broken.jpg"), "no image").unwrap();
    let data = folder.path().to_str().unwrap();
    let output = senet(&["explain", data, "--by-class", "-w", "builtin:seresnet20"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("ship/broken.jpg`: not an image") && said.contains("1 of 4 images failed"),
        "{said}"
    );
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(table.contains("images   3\n"), "{table}");
    assert!(
        table.contains("ship/broken.jpg: not an image") && table.contains("1, in no mean"),
        "{table}"
    );
}

#[test]
fn a_page_of_means_has_a_chart_for_each_depth_with_a_line_for_each_class() {
    let folder = labelled();
    let page = folder.path().join("page.html");
    let data = folder.path().to_str().unwrap();
    let page_path = page.to_str().unwrap();
    let arguments = [
        "explain",
        data,
        "--by-class",
        "-w",
        "builtin:seresnet20",
        "-o",
        page_path,
    ];
    assert_eq!(senet(&arguments).status.code(), Some(0));
    let page = std::fs::read_to_string(page).unwrap();
    for (part, count) in [
        ("<section>", 9),
        ("<svg class=\"chart\"", 10),
        ("<polyline class=\"series s0\"", 9),
        ("<polyline class=\"series s1\"", 9),
        ("<polyline class=\"series s2\"", 0),
        ("<polyline class=\"all\"", 9),
    ] {
        assert_eq!(page.matches(part).count(), count, "{part}");
    }
    assert!(page.ends_with("</html>\n"));
}

/// Numbers of JSON, which has those of single precision in as few digits as tell them apart.
fn singles(values: &Value) -> Vec<f32> {
    serde_json::from_value(values.clone()).unwrap()
}

/// The numbers of a tensor in single precision.
fn single(tensors: &safetensors::SafeTensors<'_>, name: &str) -> Vec<f32> {
    let tensor = tensors.tensor(name).unwrap();
    let numbers = tensor.data().chunks_exact(4);
    numbers
        .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
        .collect()
}

#[test]
fn gates_and_maps_as_tensors_are_those_of_the_rows_and_nan_where_an_image_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gates.safetensors");
    let output = senet(&[
        "explain",
        "README.md",
        CAT,
        "tests/images/photos/coffee.jpg",
        "-w",
        "builtin:seresnet20",
        "-o",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    // Nine blocks, the maps and their classes.
    assert_eq!(tensors.len(), 11);
    assert_eq!(tensors.tensor("layer3.0.se").unwrap().shape(), [3, 64]);
    assert_eq!(tensors.tensor("heat_map").unwrap().shape(), [3, 8, 8]);
    let classes = tensors.tensor("heat_map_class").unwrap();
    let classes: Vec<i64> = classes
        .data()
        .chunks_exact(8)
        .map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    assert_eq!(classes, [-1, 3, 1]);
    let row = explained(&[CAT, "-w", "builtin:seresnet20"]);
    for gates in row["gates"].as_array().unwrap() {
        let values = singles(&gates["values"]);
        let all = single(&tensors, gates["block"].as_str().unwrap());
        assert!(all[..values.len()].iter().all(|value| value.is_nan()));
        assert_eq!(all[values.len()..2 * values.len()], values);
    }
    let map = singles(&row["map"]["values"]);
    assert_eq!(single(&tensors, "heat_map")[64..128], map);
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().as_ref().unwrap();
    let inputs: Vec<String> = serde_json::from_str(&metadata["inputs"]).unwrap();
    assert_eq!(inputs, ["README.md", CAT, "tests/images/photos/coffee.jpg"]);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn mean_gates_as_tensors_have_a_row_for_each_class() {
    let folder = labelled();
    let path = folder.path().join("means.safetensors");
    let output = senet(&[
        "explain",
        folder.path().to_str().unwrap(),
        "--by-class",
        "-w",
        "builtin:seresnet20",
        "-f",
        "ndjson",
        "-o",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(0));
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.len(), 10);
    let printed = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for rows in rows.chunks(3) {
        let expected = [singles(&rows[0]["values"]), singles(&rows[1]["values"])].concat();
        let found = single(&tensors, rows[0]["block"].as_str().unwrap());
        assert_eq!(found, expected);
    }
    let images = tensors.tensor("images").unwrap();
    assert_eq!(images.data(), [2_i64, 1].map(i64::to_le_bytes).concat());
}

/// What goes to a terminal is the file that `--output` writes.
#[test]
fn a_picture_in_the_terminal_is_the_picture_of_the_file() {
    use base64::Engine as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heat.png");
    let arguments = ["explain", CAT, "-w", "builtin:seresnet20"];
    for (how, start, end) in [
        ("kitty", "\u{1b}_Ga=T,f=100,", "\u{1b}\\"),
        ("iterm2", "\u{1b}]1337;File=inline=1;", "\u{7}"),
    ] {
        let more = ["--picture", how, "-o", path.to_str().unwrap()];
        let output = senet(&[&arguments[..], &more].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        let picture = text.find(start).unwrap();
        let chunks = text[picture..].trim_end().split_terminator(end);
        let base64: String = chunks
            .map(|chunk| chunk.split([';', ':']).next_back().unwrap())
            .collect();
        let png = base64::engine::general_purpose::STANDARD
            .decode(base64)
            .unwrap();
        assert_eq!(png, std::fs::read(&path).unwrap(), "{how}");
    }
    // Standard output is no terminal.
    let plain = senet(&[&arguments[..], &["--picture", "auto"]].concat());
    assert!(!plain.stdout.contains(&0x1b));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_picture_never_takes_the_place_of_an_image_that_a_pattern_names() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for name in ["a-1.jpg", "a-2.png"] {
        std::fs::copy(CAT, at(name)).unwrap();
    }
    let pattern = at("a-{1.jpg,2.png}");
    let said = refusal(&[&pattern, "-o", &at("a-2.png")]);
    assert!(said.contains("would overwrite"), "{said}");
    assert_eq!(
        std::fs::read(at("a-2.png")).unwrap(),
        std::fs::read(CAT).unwrap()
    );
    let said = refusal(&[&pattern, "-o", &at("b.png")]);
    assert!(said.contains("there is a second image"), "{said}");
    // Nothing is left.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn standard_input_is_a_list_of_images_and_none_is_an_error() {
    let explain = |list: &str| {
        let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
        command.args(["explain", "-", "-f", "ndjson"]);
        command.write_stdin(list).output().unwrap()
    };
    let output = explain(&format!("{CAT}\n{CAT}\n"));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let output = explain("");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "error: no input: standard input named no image\n"
    );
}

#[test]
fn a_run_ends_when_its_reader_has_gone_unless_it_has_a_file_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    let unread = |flags: &[&str]| {
        let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("senet"))
            .args(["explain", CAT, "-w", "builtin:seresnet20", "-f", "ndjson"])
            .args(flags)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        child.wait().unwrap().code()
    };
    assert_eq!(unread(&[]), Some(141));
    assert_eq!(unread(&["-o", page.to_str().unwrap()]), Some(0));
    assert!(
        std::fs::read_to_string(page)
            .unwrap()
            .ends_with("</html>\n")
    );
}

#[test]
fn what_another_run_left_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let explain = |output: &str| refusal(&[CAT, "-w", "builtin:seresnet20", "-o", output]);
    for (output, left) in [
        ("page.html", "page.html.partial"),
        ("heat.png", "heat.png.partial"),
        ("gates.safetensors", "gates.safetensors.partial"),
        ("gates.safetensors", "gates.safetensors.rows"),
    ] {
        std::fs::write(at(left), "rows").unwrap();
        let said = explain(&at(output));
        assert!(
            said.contains("holds 4 bytes of a run that did not end"),
            "{said}"
        );
        assert_eq!(std::fs::read(at(left)).unwrap(), b"rows");
        std::fs::remove_file(at(left)).unwrap();
    }
    // Nor is an image that is called so.
    std::fs::copy(CAT, at("gates.safetensors.rows")).unwrap();
    let said = refusal(&[
        &at("gates.safetensors.rows"),
        "-o",
        &at("gates.safetensors"),
    ]);
    assert!(said.contains("would overwrite"), "{said}");
}

#[cfg(unix)]
#[test]
fn through_a_link_the_file_that_it_names_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (link, page) = (folder.path().join("link.html"), folder.path().join("page"));
    std::fs::write(&page, "").unwrap();
    std::os::unix::fs::symlink(&page, &link).unwrap();
    let output = senet(&["explain", CAT, "-o", link.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(link.is_symlink());
    assert!(
        std::fs::read_to_string(page)
            .unwrap()
            .ends_with("</html>\n")
    );
}

#[test]
fn where_no_image_has_gates_no_file_of_means_is_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("cat")).unwrap();
    std::fs::write(folder.path().join("cat/broken.jpg"), "no image").unwrap();
    let data = folder.path().to_str().unwrap();
    let path = folder.path().join("means.safetensors");
    let output = senet(&[
        "explain",
        data,
        "--by-class",
        "-w",
        "builtin:seresnet20",
        "-o",
        path.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("no file is written"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
