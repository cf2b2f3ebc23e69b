//! What is in the cache, and is found there.

use std::time::Duration;

use crate::server::{self, COMMIT, Files, REPOSITORY, Reply, Request, Server, sha256};
use crate::user::{SHIPPED, SOURCE, TOKEN, User, good, storage};

#[test]
fn what_is_downloaded_once_is_found_again_without_the_hub() {
    let (files, hub, storage) = good();
    let user = User::of(&hub);
    user.classify("good", SOURCE).is_good();
    let weights = files.weights.unwrap();
    assert_eq!(std::fs::read(user.blob(&weights)).unwrap(), weights);
    let snapshot = user.folder().join("snapshots").join(COMMIT);
    assert_eq!(
        std::fs::read(snapshot.join("model.safetensors")).unwrap(),
        weights
    );
    assert_eq!(
        std::fs::read(snapshot.join("config.json")).unwrap(),
        files.config.unwrap()
    );
    let main = std::fs::read_to_string(user.folder().join("refs/main"));
    assert_eq!(main.unwrap(), COMMIT);
    let left: Vec<_> = std::fs::read_dir(user.folder().join("blobs"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(storage.requests().len(), 1);

    hub.requests();
    user.classify("good, again", SOURCE).is_good();
    // Where `main` is, and nothing else.
    assert_eq!(hub.requests().len(), 1);
    assert!(storage.requests().is_empty());

    let commit = format!("{SOURCE}@{COMMIT}");
    user.classify("good, by commit", &commit).is_good();
    assert!(hub.requests().is_empty());

    for spelling in ["1", "on", "Yes", "TRUE"] {
        let user = User {
            home: tempfile::tempdir().unwrap(),
            variables: user.variables.clone(),
        };
        let user = user.with("HF_HUB_OFFLINE", spelling);
        user.classify("offline, from the cache", SOURCE).is_good();
    }
    assert!(hub.requests().is_empty());
    let user = user.with("HF_HUB_OFFLINE", "0");
    user.classify("offline set to 0", SOURCE).is_good();
    assert_eq!(hub.requests().len(), 1);

    // Nobody listens on the discard port.
    let user = user.with("HF_ENDPOINT", "http://127.0.0.1:9");
    let said = user.classify("hub gone, from the cache", SOURCE);
    said.is_good_but_says(
        "warning: `hf:someone/se`: the hub cannot be reached: Connection refused; \
         `config.json` is that in the cache\n",
    );
}

#[test]
fn a_revision_with_slashes_is_asked_for_and_remembered() {
    let (_, hub, _storage) = good();
    let user = User::of(&hub);
    user.classify("revision", "hf:someone/se@refs/pr/1")
        .is_good();
    let requests = hub.requests();
    assert_eq!(
        requests[0].path,
        format!("/{REPOSITORY}/resolve/refs%2Fpr%2F1/config.json")
    );
    assert!(user.folder().join("refs/refs/pr/1").is_file());
}

#[test]
fn a_cache_that_python_filled_is_used() {
    let (files, hub, _storage) = good();
    let user = User::of(&hub).with("HF_HUB_OFFLINE", "1");
    let (blobs, snapshot) = (
        user.folder().join("blobs"),
        user.folder().join("snapshots").join(COMMIT),
    );
    for folder in [&blobs, &snapshot, &user.folder().join("refs")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(user.folder().join("refs/main"), COMMIT).unwrap();
    std::fs::write(snapshot.join("model.safetensors"), files.weights.unwrap()).unwrap();
    user.classify("offline, weights alone in the cache", SOURCE)
        .is_refused_with(
            "cannot be fetched, and its `config.json` is not in the cache \
`HF_HOME/hub/models--someone--se`: the variable `HF_HUB_OFFLINE` keeps from asking the hub",
        );
    std::fs::write(snapshot.join("config.json"), files.config.unwrap()).unwrap();
    user.classify("offline, cache of Python", SOURCE).is_good();
    assert!(hub.requests().is_empty());

    // Python notes that a commit has no such file; what the tensors alone say is not enough then.
    std::fs::remove_file(snapshot.join("config.json")).unwrap();
    let absent = user.folder().join(".no_exist").join(COMMIT);
    std::fs::create_dir_all(&absent).unwrap();
    std::fs::write(absent.join("config.json"), "").unwrap();
    let said = user.classify("offline, known to have no config.json", SOURCE);
    assert!(
        said.stderr.contains("does not say how images are prepared"),
        "{}",
        said.stderr
    );
}

#[test]
fn a_cache_elsewhere_is_used() {
    let (_, hub, _storage) = good();
    let user = User::of(&hub);
    let elsewhere = user.home.path().join("elsewhere");
    let user = user.with("HF_HUB_CACHE", elsewhere.to_str().unwrap());
    user.classify("HF_HUB_CACHE", SOURCE).is_good();
    assert!(elsewhere.join("models--someone--se/refs/main").is_file());
    assert!(!user.folder().exists());
}

#[test]
fn offline_with_nothing_cached_is_refused() {
    let (_, hub, _storage) = good();
    let user = User::of(&hub).with("HF_HUB_OFFLINE", "1");
    user.classify("offline, nothing in the cache", SOURCE)
        .is_refused_with(
            "cannot be fetched, and its `config.json` is not in the cache \
`HF_HOME/hub/models--someone--se`: the variable `HF_HUB_OFFLINE` keeps from asking the hub",
        );
    let user = User::of(&hub).with("HF_ENDPOINT", "http://127.0.0.1:9");
    user.classify("hub gone, nothing in the cache", SOURCE)
        .is_refused_with(
            "cannot be fetched, and its `config.json` is not in the cache \
`HF_HOME/hub/models--someone--se`: the hub cannot be reached: Connection refused",
        );
}

#[test]
fn a_repository_without_config_is_read_by_its_metadata() {
    let files = Files {
        config: None,
        weights: Some(std::fs::read(SHIPPED).unwrap()),
        others: Vec::new(),
    };
    let storage = storage(files.weights.as_ref().unwrap());
    let hub = Server::start(server::hub(&files, &storage.address));
    let user = User::of(&hub);
    user.classify("no config.json, but metadata", SOURCE)
        .is_good();
    assert!(
        user.folder()
            .join(".no_exist")
            .join(COMMIT)
            .join("config.json")
            .is_file()
    );
    let user = user.with("HF_HUB_OFFLINE", "1");
    user.classify("no config.json, offline", SOURCE).is_good();
}

#[test]
fn a_repository_that_was_renamed_is_found() {
    let (files, _, storage) = good();
    let answer = server::hub(&files, &storage.address);
    let hub = Server::start(
        move |request| match request.path.strip_prefix("/old/name/") {
            Some(rest) => Reply::status(307).with("Location", format!("/{REPOSITORY}/{rest}")),
            None => answer(request),
        },
    );
    let user = User::of(&hub).with("HF_TOKEN", TOKEN);
    user.classify("renamed", "hf:old/name").is_good();
    assert!(
        hub.requests()
            .iter()
            .all(|request| request.headers.contains_key("authorization"))
    );
}

#[test]
fn programs_that_download_at_once_do_not_disturb_each_other() {
    let (weights, hub, storage) = good();
    let user = User::of(&hub);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut said = user.classify("four at once", SOURCE);
                for file in ["config.json", "model.safetensors"] {
                    // Said by whoever comes while another writes, which is left to chance.
                    said.stderr = said.stderr.replace(&waits(file), "");
                }
                said.is_good();
            });
        }
    });
    assert_eq!(
        std::fs::read(user.blob(weights.weights.as_ref().unwrap())).unwrap(),
        weights.weights.unwrap()
    );
    // The three that came later waited, and found it.
    assert_eq!(storage.requests().len(), 1);
}

#[test]
fn whoever_waits_for_another_program_says_so_once() {
    let (files, hub, _storage) = good();
    let user = User::of(&hub);
    let locks = user.home.path().join("hub/.locks/models--someone--se");
    std::fs::create_dir_all(&locks).unwrap();
    let lock = locks.join(format!("{}.lock", sha256(files.weights.as_ref().unwrap())));
    let lock = std::fs::File::create(lock).unwrap();
    lock.lock().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| user.classify("another program downloads", SOURCE));
        // Its next step, once it has asked for the weights, is the lock.
        let asks = |request: &Request| request.path.ends_with("/model.safetensors");
        while !hub.requests().iter().any(asks) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_secs(1));
        assert!(!waiting.is_finished());
        lock.unlock().unwrap();
        let said = waiting.join().unwrap();
        said.is_good_but_says(&waits("model.safetensors"));
    });
}

fn waits(file: &str) -> String {
    format!("note: another program is downloading `{file}`; waiting for it\n")
}

#[test]
fn files_of_two_commits_are_refused() {
    let (files, _, storage) = good();
    let answer = server::hub(&files, &storage.address);
    let other = "f".repeat(40);
    let moved = other.clone();
    let hub = Server::start(move |request| {
        let reply = answer(request);
        if request.path.ends_with("/config.json") {
            return reply;
        }
        reply.with("X-Repo-Commit", moved.clone())
    });
    let user = User::of(&hub);
    let expected = format!(
        "cannot be fetched: asked for `model.safetensors` of commit {COMMIT}, the hub answers for \
         commit {other}\nhint: a proxy or `HF_ENDPOINT` may be in between"
    );
    user.classify("another commit", SOURCE)
        .is_refused_with(&expected);
    assert!(storage.requests().is_empty());
    let refs: Vec<_> = std::fs::read_dir(user.folder().join("refs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(refs, ["main"]);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_is_named() {
    let (_, hub, _storage) = good();
    let user = User::of(&hub);
    std::fs::write(
        user.home.path().join("hub"),
        "a file where a folder is to be",
    )
    .unwrap();
    let said = user.classify("cache is no folder", SOURCE);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr
            .starts_with("error: cannot create `HF_HOME/hub/"),
        "{}",
        said.stderr
    );
}
