//! A cache and a hub that somebody else has laid hands on.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::server::{self, COMMIT, Reply, Server};
use crate::user::{SOURCE, TOKEN, User, files, good, with_config, with_storage};

fn make_pipe(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn the_refusals_of_the_hub_behind_a_mirror_are_the_hubs() {
    for (reply, expected) in [
        (
            Reply::status(404).with("X-Error-Code", "RepoNotFound"),
            "cannot be fetched: there is no such repository, or it is private\nhint: for a \
             private one set the variable `HF_TOKEN`",
        ),
        (
            Reply::status(404).with("X-Error-Code", "RevisionNotFound"),
            "cannot be fetched: there is no such revision",
        ),
        (
            Reply::status(401),
            "cannot be fetched: there is no such repository, or it is private\nhint: for a \
             private one set the variable `HF_TOKEN`",
        ),
        (
            Reply::status(403).with("X-Error-Code", "GatedRepo"),
            "cannot be fetched: access is refused: the repository is gated\nhint: ask for access \
             on its page, and set the variable `HF_TOKEN`",
        ),
    ] {
        let hub = Server::start(move |_| reply.clone());
        let address = hub.address.clone();
        let mirror = Server::start(move |request| {
            Reply::status(308).with("Location", format!("{address}{}", request.path))
        });
        // The token is for the mirror alone.
        let user = User::of(&mirror).with("HF_TOKEN", TOKEN);
        user.classify("refused behind a mirror", SOURCE)
            .is_refused_with(expected);
        let sent = hub.requests();
        assert!(!sent.is_empty());
        assert!(
            sent.iter()
                .all(|sent| !sent.headers.contains_key("authorization"))
        );
    }
}

#[test]
fn a_mirror_that_sends_its_readers_to_the_hub_serves() {
    let (_, hub, _storage) = good();
    let address = hub.address.clone();
    let mirror = Server::start(move |request| {
        Reply::status(308).with("Location", format!("{address}{}", request.path))
    });
    User::of(&mirror).classify("mirror", SOURCE).is_good();
}

#[test]
fn a_file_larger_than_any_weights_is_not_downloaded() {
    let files = files();
    let hub = {
        let answer = server::hub(&files, "http://127.0.0.1:9");
        Server::start(move |request| {
            let reply = answer(request);
            if request.path.ends_with("/model.safetensors") {
                reply.with("X-Linked-Size", "1000000000000000")
            } else {
                reply
            }
        })
    };
    let user = User::of(&hub);
    user.classify("a petabyte", SOURCE).is_refused_with(
        "cannot be fetched: `model.safetensors` has 1000000000000000 bytes, and may have \
         10000000000",
    );
    // That of config.json.
    assert_eq!(
        fs::read_dir(user.folder().join("blobs")).unwrap().count(),
        1
    );
}

#[test]
fn a_blob_that_was_changed_in_the_cache_is_refused() {
    let (files, hub, _storage) = good();
    let user = User::of(&hub);
    user.classify("good", SOURCE).is_good();
    let blob = user.blob(files.weights.as_ref().unwrap());
    let mut weights = fs::read(&blob).unwrap();
    let place = weights.len() - 1000;
    weights[place] ^= 1;
    fs::write(&blob, &weights).unwrap();
    let name = server::sha256(files.weights.as_ref().unwrap());
    let expected = format!(
        "was changed in the cache: the SHA-256 of its `model.safetensors` is {}, and was {name}\n\
         hint: remove `HF_HOME/hub/models--someone--se/blobs/{name}`, and it is downloaded again",
        server::sha256(&weights)
    );
    user.classify("changed", SOURCE).is_refused_with(&expected);
    // As where a branch moves to a commit with the same weights.
    fs::remove_dir_all(user.folder().join("snapshots")).unwrap();
    user.classify("changed, of another commit", SOURCE)
        .is_refused_with(&expected);
    let user = user.with("HF_HUB_OFFLINE", "1");
    user.classify("changed, offline", SOURCE)
        .is_refused_with(&expected);
    fs::remove_file(&blob).unwrap();
    let user = user.with("HF_HUB_OFFLINE", "0");
    user.classify("removed", SOURCE).is_good();
}

#[cfg(unix)]
#[test]
fn pipes_in_the_cache_are_not_waited_for() {
    let (config, hub, _storage) = with_config(|_, reply| reply);
    let user = User::of(&hub);
    make_pipe(&user.folder().join("refs/main"));
    user.classify("refs/main is a pipe", SOURCE).is_good();
    assert_eq!(
        fs::read_to_string(user.folder().join("refs/main")).unwrap(),
        COMMIT
    );

    let user = User::of(&hub);
    let lock = format!("{}.lock", server::git_hash(&config));
    make_pipe(
        &user
            .home
            .path()
            .join("hub/.locks/models--someone--se")
            .join(lock),
    );
    let said = user.classify("a lock is a pipe", SOURCE);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr
            .starts_with("error: cannot write `HF_HOME/hub/.locks/"),
        "{}",
        said.stderr
    );
}

#[cfg(unix)]
#[test]
fn a_link_in_place_of_what_a_broken_download_left_is_not_followed() {
    let (weights, hub, _storage) = with_storage(server::content);
    let user = User::of(&hub);
    let precious = user.home.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let partial = user.blob(&weights).with_added_extension("incomplete");
    fs::create_dir_all(partial.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&precious, &partial).unwrap();
    let said = user.classify("a link", SOURCE);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr
            .ends_with("incomplete`: it is a symbolic link, which is not followed\n"),
        "{}",
        said.stderr
    );
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_redirect_does_not_decide_how_long_a_message_is() {
    let hub = Server::start(|_| Reply::status(302).with("Location", "nowhere".repeat(5000)));
    let said = User::of(&hub).classify("a long redirect", SOURCE);
    assert_eq!(said.status, Some(2));
    let expected = "error: `hf:someone/se` cannot be fetched: it is redirected to `nowherenowhere";
    assert!(said.stderr.starts_with(expected), "{}", said.stderr);
    assert!(said.stderr.len() < 400, "{}", said.stderr);
}
