//! Weights, dumps, `config.json` and labels that were made to do harm, by the thousand and by a
//! fixed seed: whatever they hold, nothing panics, and no text of theirs decides how long a
//! message is, begins a line of its own or steers a terminal.

use std::collections::HashMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Output;

use candle_core::{DType, Device, Tensor};
use senet::Result;
use senet::checkpoint::Weights;
use senet::model::Runtime;
use senet::network::{Network, catalog};
use senet::parity::Reference;
use serde_json::{Map, Value, json};

use super::{BUILTIN, CAT};

const WEIGHTS: &str = "tests/fixtures/se_block/weights.safetensors";
const DUMP: &str = "tests/fixtures/se_block/reference.safetensors";
const SHIPPED: &str = "weights/seresnet20.safetensors";

/// The most bytes of a message.
const LONGEST: usize = 4096;

/// A line break with a message behind it, terminal commands, and characters that turn the
/// direction of text, isolate it or are not seen.
const HOSTILE: &str = "`\nwarning: weights verified, 0 problems\r\u{1b}[2J\u{9b}1A\u{202e}\u{2066}\
                       \u{200b}\u{feff}\u{2028}\u{0}é";

/// Numbers that look drawn and are the same in each run.
struct Random(u64);

impl Random {
    /// One of so many, by splitmix64.
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % count as u64).unwrap()
    }

    fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// A hostile text: as it is, in the midst of another, or a megabyte of it.
    fn text(&mut self) -> String {
        match self.below(8) {
            0 => HOSTILE.repeat(20_000),
            1 => "A".repeat(1_000_000),
            2 => String::new(),
            3 => "\u{202e}".repeat(70_000),
            _ => format!("layer1{HOSTILE}{}", self.below(1000)),
        }
    }

    /// A JSON value that is not meant where it stands.
    fn value(&mut self) -> String {
        let long = self.text();
        match self.below(12) {
            0 => "null".to_owned(),
            1 => "true".to_owned(),
            2 => "-1".to_owned(),
            3 => "1e999".to_owned(),
            4 => "18446744073709551616".to_owned(),
            5 => "1e-300".to_owned(),
            6 => format!("[{}1]", "1,".repeat(100_000)),
            7 => format!("{}{}", "[".repeat(300), "]".repeat(300)),
            8 => format!("{{{}:{}}}", json!(long), json!(self.text())),
            9 => format!("[{}]", json!(long)),
            _ => json!(long).to_string(),
        }
    }

    /// `bytes` cut, with bits flipped or with a part of it elsewhere.
    fn damage(&mut self, bytes: &mut Vec<u8>) {
        match self.below(3) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => {
                for _ in 0..=self.below(8) {
                    let place = self.below(bytes.len());
                    bytes[place] ^= 1 << self.below(8);
                }
            }
            _ => {
                let (from, to) = (self.below(bytes.len()), self.below(bytes.len()));
                let count = self.below(32).min(bytes.len() - from.max(to));
                bytes.copy_within(from..from + count, to);
            }
        }
    }

    /// A safetensors file made from a good one.
    fn safetensors(&mut self, good: &[u8]) -> Vec<u8> {
        let (header, data) = parts(good);
        let entries: Map<String, Value> = serde_json::from_slice(header).unwrap();
        let names: Vec<&str> = entries.keys().map(String::as_str).collect();
        let tensors: Vec<&str> = names
            .iter()
            .copied()
            .filter(|&name| name != "__metadata__")
            .collect();
        let name = self.of(&tensors);
        let mut entries = entries.clone();
        let header = match self.below(10) {
            0 => {
                let mut bytes = good.to_vec();
                self.damage(&mut bytes);
                return bytes;
            }
            1 => {
                let mut header = header.to_vec();
                self.damage(&mut header);
                header
            }
            2 => {
                let length = [0, 1, 7, 1 << 24, 25_000_001, 1 << 40, u64::MAX];
                let length = length[self.below(length.len())];
                return [&length.to_le_bytes(), &good[8..]].concat();
            }
            // Another name, in the place of one or besides.
            3 => {
                let entry = entries[name].clone();
                if self.below(2) == 0 {
                    entries.remove(name);
                }
                entries.insert(self.text(), entry);
                json!(entries).to_string().into_bytes()
            }
            // One name twice.
            4 => {
                let entry = json!(entries[name]);
                let header = json!(entries).to_string();
                format!("{{{}:{entry},{}", json!(name), &header[1..]).into_bytes()
            }
            5 => self.metadata(entries).into_bytes(),
            // A part of a tensor's entry is another value.
            6 | 7 => {
                let part = self.of(&["dtype", "shape", "data_offsets"]);
                entries[name][part] = json!("MARK");
                replaced(&entries, &self.value())
            }
            8 => {
                let sizes = ["0", "1", "2", "4294967296", "18446744073709551615"];
                let sizes: Vec<&str> = (0..self.below(100)).map(|_| sizes[self.below(5)]).collect();
                let part = self.of(&["shape", "data_offsets"]);
                entries[name][part] = json!("MARK");
                replaced(&entries, &format!("[{}]", sizes.join(",")))
            }
            _ => {
                entries[name] = json!("MARK");
                replaced(&entries, &self.value())
            }
        };
        file(&header, data)
    }

    /// The header with metadata that is hostile in one entry or in all.
    fn metadata(&mut self, mut entries: Map<String, Value>) -> String {
        let known = [
            "network",
            "convention",
            "labels",
            "preprocessing",
            "layout",
            "framework",
            "versions",
        ];
        let key = match self.below(8) {
            0 => self.text(),
            _ => self.of(&known).to_owned(),
        };
        let value = match self.below(3) {
            0 => self.value(),
            _ => self.text(),
        };
        let metadata = entries.entry("__metadata__").or_insert(json!({}));
        metadata[key] = json!(value);
        json!(entries).to_string()
    }

    /// A `config.json` made from a good one.
    fn config(&mut self, good: &Value) -> Vec<u8> {
        let mut config = good.clone();
        let part = match self.below(2) {
            0 => config.as_object_mut().unwrap(),
            _ => config["pretrained_cfg"].as_object_mut().unwrap(),
        };
        let names: Vec<String> = part.keys().cloned().collect();
        let more = [
            "model_args",
            "global_pool",
            "custom_load",
            "crop_mode",
            "first_conv",
        ];
        let name = match self.below(4) {
            0 => self.of(&more).to_owned(),
            1 => self.text(),
            _ => names[self.below(names.len())].clone(),
        };
        part.insert(name, json!("MARK"));
        let value = self.value();
        let mut bytes = replaced(config.as_object().unwrap(), &value);
        if self.below(4) == 0 {
            self.damage(&mut bytes);
        }
        bytes
    }
}

/// A header's JSON and the tensors' bytes.
fn parts(file: &[u8]) -> (&[u8], &[u8]) {
    let length = u64::from_le_bytes(*file.first_chunk().unwrap());
    file[8..].split_at(usize::try_from(length).unwrap())
}

fn file(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header, data].concat()
}

/// The JSON of `entries` with `value` where the mark stands: JSON need not have such values.
fn replaced(entries: &Map<String, Value>, value: &str) -> Vec<u8> {
    json!(entries)
        .to_string()
        .replacen("\"MARK\"", value, 1)
        .into_bytes()
}

/// What keeps a text from being a message: its length, a character that is not seen or steers a
/// terminal, or a line of its own that no message has.
fn flaw(text: &str) -> Option<String> {
    let steers = |c: char| {
        c.is_control() && c != '\n'
            || matches!(
                u32::from(c),
                0xad | 0x61c | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x2069 | 0xfeff
            )
    };
    if text.len() > LONGEST {
        return Some(format!("{} bytes", text.len()));
    }
    if let Some(c) = text.chars().find(|&c| steers(c)) {
        return Some(format!("{c:?}"));
    }
    let mut lines = text.lines().skip(1);
    let own = |line: &str| {
        ["hint: ", "  ", "error: `", "warning: `", "note: `"]
            .iter()
            .any(|start| line.starts_with(start))
            || line.ends_with("inputs failed")
    };
    lines
        .find(|line| !own(line))
        .map(|line| format!("the line {line:?}"))
}

/// Checks what an error and all that caused it say.
fn check<T>(result: Result<T>, what: &str) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let mut said = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                said += &format!(": {error}");
                cause = error.source();
            }
            assert_eq!(flaw(&said), None, "{what}: {}", said.escape_debug());
            None
        }
    }
}

fn senet(arguments: &[&str]) -> Output {
    let mut command = assert_cmd::Command::cargo_bin("senet").unwrap();
    command.args(arguments).output().unwrap()
}

/// Runs the program, which must end by itself and say nothing that is no message.
fn run(arguments: &[&str], what: &str) -> Output {
    let output = senet(arguments);
    let status = output.status.code();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(matches!(status, Some(0..=2)), "{what}: {status:?} {stderr}");
    assert_eq!(flaw(&stderr), None, "{what}: {}", stderr.escape_debug());
    output
}

/// What a table shows of a file is cut, and steers nothing.
/// Reads all that the network has of the weights, and checks what is said of that.
fn check_load(network: &Network, weights: &Weights, what: &str) {
    let candle = Runtime::Candle {
        device: Device::Cpu,
        dtype: DType::F32,
    };
    let loaded = candle.load(&network.layers(), weights, network.input.shape(1));
    check(loaded.map(drop), what);
    for warning in weights.nonfinite_warnings() {
        assert_eq!(flaw(&warning), None, "{what}: {}", warning.escape_debug());
    }
}

fn check_table(output: &Output, what: &str) {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    for line in stdout.lines() {
        assert_eq!(flaw(line), None, "{what}: {}", line.escape_debug());
    }
}

#[test]
fn three_thousand_weights_made_to_do_harm_do_none() {
    const CASES: usize = 3000;
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read(WEIGHTS).unwrap();
    let mut random = Random(1);
    let mut refused = 0;
    for case in 0..CASES {
        let path = folder.path().join("w.safetensors");
        fs::write(&path, random.safetensors(&good)).unwrap();
        let what = format!("case {case}");
        check(Weights::undescribed(&path), &what);
        match check(Weights::open(&path), &what) {
            None => refused += 1,
            Some(weights) => {
                if let Some(network) = check(weights.network(), &what) {
                    check(weights.check_convention(&network.layers()), &what);
                    check_load(&network, &weights, &what);
                }
            }
        }
        if case % 200 == 0 {
            let file = path.to_str().unwrap();
            check_table(&run(&["inspect", file], &what), &what);
            run(&["inspect", "--format", "json", file], &what);
            run(&["classify", "--weights", file, CAT], &what);
        }
    }
    // Both ways are taken: headers that are refused, and files whose content is.
    assert!((CASES / 4..CASES).contains(&refused), "{refused}");
}

#[test]
fn two_hundred_dumps_made_to_do_harm_do_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.safetensors");
    let good = fs::read(DUMP).unwrap();
    let network = catalog::find("se_block").unwrap();
    let layers = network.layers();
    let mut random = Random(2);
    let mut refused = 0;
    for case in 0..200 {
        fs::write(&path, random.safetensors(&good)).unwrap();
        let what = format!("case {case}");
        match check(Reference::open(&path), &what) {
            None => refused += 1,
            Some(dump) => {
                check(dump.shape(), &what);
                for (name, _) in check(dump.values(&layers), &what).unwrap_or_default() {
                    check(dump.tensor(&name), &what);
                }
            }
        }
        if case % 20 == 0 {
            let dump = path.to_str().unwrap();
            let arguments = ["parity", "--weights", WEIGHTS, "--reference", dump];
            check_table(&run(&arguments, &what), &what);
        }
    }
    assert!((50..200).contains(&refused), "{refused}");
}

#[test]
fn five_hundred_configs_made_to_do_harm_do_none() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = candle_core::safetensors::load(SHIPPED, &Device::Cpu).unwrap();
    let weights = folder.path().join("model.safetensors");
    safetensors::serialize_to_file(tensors, None, &weights).unwrap();
    let good = json!({
        "architecture": "seresnet20", "num_classes": 10, "global_pool": "avg",
        "label_names": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
            "ship", "truck"],
        "pretrained_cfg": {
            "input_size": [3, 32, 32], "interpolation": "bilinear", "crop_pct": 1.0,
            "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616],
            "classifier": "fc", "num_classes": 10
        }
    });
    let config = folder.path().join("config.json");
    fs::write(&config, good.to_string()).unwrap();
    Weights::open(folder.path()).unwrap();
    let mut random = Random(3);
    let mut refused = 0;
    for case in 0..500 {
        fs::write(&config, random.config(&good)).unwrap();
        let what = format!("case {case}");
        match check(Weights::open(folder.path()), &what) {
            None => refused += 1,
            Some(weights) => {
                if let Some(network) = check(weights.network(), &what) {
                    check_load(&network, &weights, &what);
                }
            }
        }
        if case % 50 == 0 {
            let folder = folder.path().to_str().unwrap();
            check_table(&run(&["inspect", folder], &what), &what);
            run(&["classify", "--weights", folder, CAT], &what);
        }
    }
    assert!((125..500).contains(&refused), "{refused}");
}

#[test]
fn a_hundred_files_of_labels_made_to_do_harm_do_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.txt");
    let mut random = Random(4);
    for case in 0..100 {
        // Ten lines, as the network has classes, where no text of them breaks one.
        let mut labels: Vec<String> = (0..10).map(|class| format!("class {class}")).collect();
        labels[random.below(10)] = match random.below(2) {
            0 => random.text(),
            _ => random
                .text()
                .replace(['\n', '\r', '\u{2028}'], "\u{202e}\u{7f}"),
        };
        let mut bytes = labels.join("\n").into_bytes();
        if random.below(4) == 0 {
            random.damage(&mut bytes);
        }
        fs::write(&path, bytes).unwrap();
        let what = format!("case {case}");
        let labels = path.to_str().unwrap();
        let arguments = [
            "classify",
            "--weights",
            BUILTIN,
            "--top-k",
            "10",
            "--labels",
            labels,
            CAT,
        ];
        check_table(&run(&arguments, &what), &what);
    }
}

/// The weights of a SE block with `metadata` and, besides its own, a tensor of this name.
fn write(path: &Path, metadata: &[(&str, &str)], more: &str) {
    let mut tensors = candle_core::safetensors::load(WEIGHTS, &Device::Cpu).unwrap();
    let zeros = Tensor::zeros(1, DType::F32, &Device::Cpu).unwrap();
    tensors.insert(more.to_owned(), zeros);
    let entries = metadata.iter();
    let metadata = entries.map(|&(key, value)| (key.to_owned(), value.to_owned()));
    let metadata: HashMap<String, String> = metadata.collect();
    safetensors::serialize_to_file(tensors, Some(metadata), path).unwrap();
}

#[test]
fn texts_wider_than_any_width_are_cut_in_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let wide = "x".repeat(70_000);
    for (metadata, name) in [
        (vec![], wide.as_str()),
        (vec![(wide.as_str(), "short")], "x"),
        (vec![("note", wide.as_str())], "x"),
        (vec![("network", wide.as_str())], "x"),
    ] {
        write(&path, &metadata, name);
        let file = path.to_str().unwrap();
        let output = run(&["inspect", file], "a wide text");
        assert_eq!(output.status.code(), Some(1));
        check_table(&output, "a wide text");
        assert!(output.stdout.len() < 20_000, "{}", output.stdout.len());
        // For programs it is whole.
        let json = senet(&["inspect", "--format", "json", file]);
        let report: Value = serde_json::from_slice(&json.stdout).unwrap();
        assert!(report.to_string().contains(&wide));
    }
}

#[test]
fn metadata_writes_no_line_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let forged = "seresnet20`\nwarning: weights verified, 0 problems";
    for key in ["network", "convention", "labels", "preprocessing"] {
        write(&path, &[(key, forged)], "x");
        let output = run(&["classify", "--weights", path.to_str().unwrap(), CAT], key);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("\nwarning"), "{stderr}");
    }
}
