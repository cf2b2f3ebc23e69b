//! What the hub does not give, and what the program says of it.

use crate::server::{self, Files, Reply, Server};
use crate::user::{SOURCE, TOKEN, User, files, good};

#[test]
fn what_a_repository_lacks_is_named() {
    let whole = files();
    let no_weights = |others: &[&'static str]| Files {
        weights: None,
        others: others.to_vec(),
        ..whole.clone()
    };
    for (case, files, expected) in [
        ("no weights", no_weights(&[]), "has no `model.safetensors`"),
        (
            "pickled weights alone",
            no_weights(&["pytorch_model.bin"]),
            "has no `model.safetensors`, but `pytorch_model.bin`: pickled Python objects, which \
             this program does not read, as reading them can run any code\nhint: in Python, load \
             it with timm and save it with `timm.models.save_for_hf(model, folder, \
             safe_serialization=True)`",
        ),
        (
            "weights in several files",
            no_weights(&["model.safetensors.index.json"]),
            "has no `model.safetensors`, but `model.safetensors.index.json`: the index of \
             weights that are split over several files, which this program does not read\nhint: in Python, load \
             it with timm and save it with `timm.models.save_for_hf(model, folder, \
             safe_serialization=True)`",
        ),
    ] {
        let hub = Server::start(server::hub(&files, ""));
        User::of(&hub)
            .classify(case, SOURCE)
            .is_refused_with(expected);
    }
}

#[test]
fn the_hubs_refusals_are_told_apart() {
    let refusals: [(&str, Reply, Option<&str>, &str); 9] = [
        (
            "401, no token",
            Reply::status(401).with("X-Error-Code", "RepoNotFound"),
            None,
            "cannot be fetched: there is no such repository, or it is private\nhint: for a \
             private one set the variable `HF_TOKEN`",
        ),
        (
            "401, token refused",
            Reply::status(401).with(
                "X-Error-Message",
                "Invalid credentials in Authorization header",
            ),
            Some(TOKEN),
            "cannot be fetched: the hub refuses the token\nhint: it is that of the variable \
             `HF_TOKEN`, or else of the file that `hf auth login` wrote",
        ),
        (
            "404, no such repository",
            Reply::status(404).with("X-Error-Code", "RepoNotFound"),
            Some(TOKEN),
            "cannot be fetched: there is no such repository, or it is private and the token has \
             no access to it",
        ),
        (
            "404, no such revision",
            Reply::status(404).with("X-Error-Code", "RevisionNotFound"),
            None,
            "cannot be fetched: there is no such revision",
        ),
        (
            "401, gated",
            Reply::status(401).with("X-Error-Code", "GatedRepo"),
            None,
            "cannot be fetched: access is refused: the repository is gated\nhint: ask for access \
             on its page, and set the variable `HF_TOKEN`",
        ),
        (
            "403, gated",
            Reply::status(403).with("X-Error-Code", "GatedRepo"),
            Some(TOKEN),
            "cannot be fetched: access is refused: the repository is gated, or the token lacks a \
             permission\nhint: access is asked for on the repository's page",
        ),
        (
            "503",
            Reply::status(503),
            None,
            "cannot be fetched, and its `config.json` is not in the cache \
             `HF_HOME/hub/models--someone--se`: the hub answers 503 Service Unavailable",
        ),
        (
            "not a hub",
            Reply::status(200),
            None,
            "cannot be fetched: `HF_ENDPOINT` answers, but not as the hub does: without a commit \
             and an etag",
        ),
        (
            "circle of redirects",
            Reply::status(302).with("Location", "/again"),
            None,
            "cannot be fetched: it is redirected in circles (8 times, then given up)",
        ),
    ];
    for (case, reply, token, expected) in refusals {
        let hub = Server::start(move |_| reply.clone());
        let mut user = User::of(&hub);
        if let Some(token) = token {
            user = user.with("HF_TOKEN", token);
        }
        user.classify(case, SOURCE).is_refused_with(expected);
    }
}

#[test]
fn a_refusal_leaves_what_is_cached() {
    let (files, hub, storage) = good();
    let user = User::of(&hub);
    user.classify("good", SOURCE).is_good();
    let refusing = Server::start(|_| Reply::status(401));
    let user = user.with("HF_ENDPOINT", &refusing.address);
    user.classify("401, from the cache", SOURCE).is_good_but_says(
        "warning: `hf:someone/se`: there is no such repository, or it is private; `config.json` \
         is that in the cache\n",
    );
    // But what the hub says is gone is gone.
    let gone = Server::start(server::hub(
        &Files {
            weights: None,
            ..files
        },
        &storage.address,
    ));
    let user = user.with("HF_ENDPOINT", &gone.address);
    let unknown = user.classify("404, revision", "hf:someone/se@v9");
    assert!(
        unknown.stderr.contains("there is no such revision"),
        "{}",
        unknown.stderr
    );
}
