//! Files that are in the repository itself, of which the hub may say little.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::{Reply, git_hash};
use crate::user::{SOURCE, User, with_config};

/// The files in the folder of blobs, whole or not.
fn blobs(user: &User) -> usize {
    std::fs::read_dir(user.folder().join("blobs")).map_or(0, Iterator::count)
}

#[test]
fn a_connection_that_is_cut_is_noticed_without_a_length() {
    let downloads = AtomicUsize::new(0);
    let (config, hub, _storage) = with_config(move |request, reply| {
        let is_first = request.method == "GET" && downloads.fetch_add(1, Ordering::SeqCst) == 0;
        Reply {
            cut: is_first.then_some(100),
            is_open_ended: true,
            ..reply
        }
    });
    let user = User::of(&hub);
    user.classify("cut, no length", SOURCE)
        .is_refused_with(&format!(
            "cannot be fetched: `config.json` arrived damaged: its SHA-1, as git counts it, is {}, \
             and the hub says {}\nhint: it was not kept; run it again",
            git_hash(&config[..100]),
            git_hash(&config)
        ));
    assert_eq!(blobs(&user), 0);
    user.classify("cut, no length, run again", SOURCE).is_good();
}

#[test]
fn what_nothing_is_said_of_is_refused() {
    let (_, hub, _storage) = with_config(|_, reply| {
        Reply {
            is_open_ended: true,
            ..reply
        }
        .with("ETag", "\"1-abc\"")
    });
    let user = User::of(&hub);
    user.classify("no length, no hash", SOURCE).is_refused_with(
        "cannot be fetched: the hub says neither the size nor a hash of `config.json`, so it \
         cannot be told whether it arrives whole\nhint: a proxy or `HF_ENDPOINT` may be in between",
    );
    assert_eq!(blobs(&user), 0);
}

#[test]
fn a_length_that_the_download_alone_states_counts() {
    let downloads = AtomicUsize::new(0);
    let (config, hub, _storage) = with_config(move |request, reply| {
        let is_download = request.method == "GET";
        let is_first = is_download && downloads.fetch_add(1, Ordering::SeqCst) == 0;
        Reply {
            cut: is_first.then_some(100),
            is_open_ended: !is_download,
            ..reply
        }
        .with("ETag", "\"1-abc\"")
    });
    let user = User::of(&hub);
    user.classify("cut, the download states the length", SOURCE)
        .is_good();
    let blob = std::fs::read(user.folder().join("blobs/1-abc"));
    assert_eq!(blob.unwrap(), config);
}

#[test]
fn a_config_too_large_to_be_one_is_not_downloaded() {
    const MOST: usize = 25_000_000;
    let limit = "bytes, and may have 25000000";

    let (_, hub, _storage) =
        with_config(|_, reply| reply.with("Content-Length", (MOST + 1).to_string()));
    let user = User::of(&hub);
    user.classify("config too large", SOURCE)
        .is_refused_with(&format!(
            "cannot be fetched: `config.json` has 25000001 {limit}"
        ));
    assert!(
        hub.requests()
            .iter()
            .all(|request| request.method == "HEAD")
    );
    assert_eq!(blobs(&user), 0);

    let (_, hub, _storage) = with_config(|_, reply| Reply {
        body: vec![b' '; MOST + 1],
        is_open_ended: true,
        ..reply
    });
    let user = User::of(&hub);
    user.classify("config too large, no length", SOURCE)
        .is_refused_with(&format!(
            "cannot be fetched: `config.json` has 25000001 or more {limit}"
        ));
    assert_eq!(blobs(&user), 0);
}
