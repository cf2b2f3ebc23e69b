//! Whoever runs the program: with a cache, variables and a repository.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::server::{Files, Reply, Request, Server, content, hub, sha256};

pub(crate) const SHIPPED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/weights/seresnet20.safetensors"
);
pub(crate) const CAT: &str = "tests/images/photos/cat.jpg";
pub(crate) const TOKEN: &str = "hf_averysecrettoken";

/// The shipped weights without metadata, and the `config.json` that says the same.
pub(crate) fn files() -> Files {
    let tensors = candle_core::safetensors::load(SHIPPED, &candle_core::Device::Cpu).unwrap();
    let weights = safetensors::serialize(tensors, None).unwrap();
    let config = serde_json::json!({
        "architecture": "seresnet20", "num_classes": 10,
        "label_names": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
            "ship", "truck"],
        "pretrained_cfg": {
            "input_size": [3, 32, 32], "interpolation": "bilinear", "crop_pct": 1.0,
            "mean": [0.4914, 0.4822, 0.4465], "std": [0.2470, 0.2435, 0.2616]
        }
    });
    Files {
        config: Some(config.to_string().into_bytes()),
        weights: Some(weights),
        others: Vec::new(),
    }
}

/// The slowest run takes seconds, where nothing else runs.
const LONGEST: Duration = Duration::from_mins(5);

/// How a run ended, its standard error with what differs from run to run named.
pub(crate) struct Said {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A cache of its own, and what the program is told of the hub.
pub(crate) struct User {
    pub(crate) home: tempfile::TempDir,
    pub(crate) variables: HashMap<&'static str, String>,
}

impl User {
    pub(crate) fn of(hub: &Server) -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = HashMap::from([
            ("HF_HOME", home.path().to_str().unwrap().to_owned()),
            ("HF_ENDPOINT", hub.address.clone()),
            ("HF_HUB_DOWNLOAD_TIMEOUT", "2".to_owned()),
        ]);
        Self { home, variables }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.insert(name, value.to_owned());
        self
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.path().join("hub/models--someone--se")
    }

    pub(crate) fn blob(&self, content: &[u8]) -> PathBuf {
        self.folder().join("blobs").join(sha256(content))
    }

    pub(crate) fn classify(&self, case: &str, source: &str) -> Said {
        let command = assert_cmd::Command::cargo_bin("senet").unwrap();
        self.classify_by(command, case, source)
    }

    /// As `classify` does, where no file may have more than so many KiB.
    pub(crate) fn classify_with_small_files(&self, most: u64, case: &str, source: &str) -> Said {
        let mut command = assert_cmd::Command::new("bash");
        let limited = format!("trap '' XFSZ; ulimit -f {most}; exec \"$0\" \"$@\"");
        command
            .args(["-c", &limited])
            .arg(assert_cmd::cargo::cargo_bin("senet"));
        self.classify_by(command, case, source)
    }

    fn classify_by(&self, mut command: assert_cmd::Command, case: &str, source: &str) -> Said {
        for name in [
            "HF_HOME",
            "HF_HUB_CACHE",
            "HUGGINGFACE_HUB_CACHE",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "HF_TOKEN_PATH",
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
            "HF_HUB_DISABLE_IMPLICIT_TOKEN",
            "ALL_PROXY",
            "all_proxy",
            "HTTPS_PROXY",
            "https_proxy",
            "HTTP_PROXY",
            "http_proxy",
        ] {
            command.env_remove(name);
        }
        let output = command
            .envs(&self.variables)
            .args(["classify", "--format", "ndjson", "--weights", source, CAT])
            // Of one that waits for ever.
            .timeout(LONGEST)
            .output()
            .unwrap();
        let named = String::from_utf8(output.stderr)
            .unwrap()
            .replace(self.home.path().to_str().unwrap(), "HF_HOME")
            .replace(&self.variables["HF_ENDPOINT"], "HF_ENDPOINT")
            // On Linux and on macOS.
            .replace(" (os error 111)", "")
            .replace(" (os error 61)", "");
        assert!(!named.contains(TOKEN), "{named}");
        println!("{case}: status {}\n{named}", output.status.code().unwrap());
        Said {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: named,
        }
    }
}

pub(crate) const SOURCE: &str = "hf:someone/se";

impl Said {
    /// The answer of the same weights inside the program, and nothing else said.
    pub(crate) fn is_good(&self) {
        self.is_good_but_says("");
    }

    pub(crate) fn is_good_but_says(&self, stderr: &str) {
        let builtin = assert_cmd::Command::cargo_bin("senet")
            .unwrap()
            .args([
                "classify",
                "--format",
                "ndjson",
                "--weights",
                "builtin:seresnet20",
                CAT,
            ])
            .output()
            .unwrap();
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), stderr));
        assert_eq!(self.stdout.as_bytes(), builtin.stdout);
    }

    pub(crate) fn is_refused_with(&self, stderr: &str) {
        let expected = format!("error: `{SOURCE}` {stderr}\n");
        assert_eq!((self.status, &self.stderr), (Some(2), &expected));
        assert_eq!(self.stdout, "");
    }
}

pub(crate) fn storage(weights: &[u8]) -> Server {
    let weights = weights.to_vec();
    Server::start(move |request| content(request, &weights))
}

pub(crate) fn good() -> (Files, Server, Server) {
    let files = files();
    let storage = storage(files.weights.as_ref().unwrap());
    let hub = Server::start(hub(&files, &storage.address));
    (files, hub, storage)
}

/// A host that serves weights in some broken way, before a whole hub.
pub(crate) fn with_storage(
    answer: impl Fn(&Request, &[u8]) -> Reply + Send + 'static,
) -> (Vec<u8>, Server, Server) {
    let files = files();
    let weights = files.weights.clone().unwrap();
    let storage = {
        let weights = weights.clone();
        Server::start(move |request| answer(request, &weights))
    };
    let hub = Server::start(hub(&files, &storage.address));
    (weights, hub, storage)
}

/// A whole host of weights, behind a hub whose `config.json` is answered for in some other way.
pub(crate) fn with_config(
    change: impl Fn(&Request, Reply) -> Reply + Send + 'static,
) -> (Vec<u8>, Server, Server) {
    let files = files();
    let storage = storage(files.weights.as_ref().unwrap());
    let config = files.config.clone().unwrap();
    let answer = hub(&files, &storage.address);
    let hub = Server::start(move |request| match answer(request) {
        reply if request.path.ends_with("/config.json") => change(request, reply),
        reply => reply,
    });
    (config, hub, storage)
}

pub(crate) fn good_storage() -> (Vec<u8>, Server, Server) {
    with_storage(content)
}
