//! Downloads that break, or bring something else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::server::{self, Reply, Server, content, sha256};
use crate::user::{SOURCE, User, files, good_storage, with_storage};

#[test]
fn a_file_of_another_size_is_refused() {
    let (weights, hub, _storage) =
        with_storage(|request, weights| content(request, &weights[..100]));
    let user = User::of(&hub);
    user.classify("wrong size", SOURCE)
        .is_refused_with(&format!(
            "cannot be fetched: `model.safetensors` has 100 bytes, and the hub says {}\nhint: what \
         arrives is not what the hub has: a proxy or `HF_ENDPOINT` may be in between",
            weights.len()
        ));
    assert!(!user.blob(&weights).exists());
}

#[test]
fn a_file_that_does_not_end_where_it_should_is_refused() {
    let (weights, hub, _storage) = with_storage(|_, weights| {
        let longer = [weights, b"x"].concat();
        let length = format!("{:x}\r\n", longer.len());
        let chunk = [length.as_bytes(), &longer, b"\r\n0\r\n\r\n"].concat();
        Reply {
            status: 200,
            body: chunk,
            ..Reply::default()
        }
        .with("Transfer-Encoding", "chunked")
    });
    let user = User::of(&hub);
    let said = user.classify("longer than said", SOURCE);
    let expected = format!(
        "has {} bytes, and the hub says {}",
        weights.len() + 1,
        weights.len()
    );
    assert!(said.stderr.contains(&expected), "{}", said.stderr);
    assert_eq!(said.status, Some(2));
    assert!(!user.blob(&weights).exists());
}

#[test]
fn a_file_of_another_hash_is_refused_and_not_kept() {
    let (weights, hub, _storage) = with_storage(|request, weights| {
        let mut damaged = weights.to_vec();
        damaged[weights.len() / 2] ^= 1;
        content(request, &damaged)
    });
    let user = User::of(&hub);
    let said = user.classify("wrong hash", SOURCE);
    let expected = format!(
        "and the hub says {}\nhint: it was not kept; run it again\n",
        sha256(&weights)
    );
    assert!(
        said.stderr.contains("`model.safetensors` arrived damaged"),
        "{}",
        said.stderr
    );
    assert!(said.stderr.ends_with(&expected), "{}", said.stderr);
    assert_eq!(said.status, Some(2));
    let blobs = std::fs::read_dir(user.folder().join("blobs")).unwrap();
    // That of config.json.
    assert_eq!(blobs.count(), 1);
}

#[test]
fn a_connection_that_is_cut_goes_on_where_it_broke() {
    let first = AtomicUsize::new(0);
    let (weights, hub, storage) = with_storage(move |request, weights| Reply {
        cut: (first.fetch_add(1, Ordering::SeqCst) == 0).then_some(weights.len() / 2),
        ..content(request, weights)
    });
    let user = User::of(&hub);
    user.classify("cut half way, once", SOURCE).is_good();
    let ranges: Vec<_> = storage
        .requests()
        .iter()
        .map(|request| request.headers.get("range").cloned())
        .collect();
    assert_eq!(
        ranges,
        [None, Some(format!("bytes={}-", weights.len() / 2))]
    );
}

#[test]
fn a_download_given_up_is_gone_on_with_by_the_next_run() {
    let works = Arc::new(AtomicUsize::new(0));
    let switch = Arc::clone(&works);
    let (weights, hub, storage) = with_storage(move |request, weights| {
        let reply = content(request, weights);
        match (
            switch.load(Ordering::SeqCst),
            request.headers.contains_key("range"),
        ) {
            (0, false) => Reply {
                cut: Some(1000),
                ..reply
            },
            (0, true) => Reply {
                cut: Some(0),
                ..reply
            },
            _ => reply,
        }
    });
    let user = User::of(&hub);
    let said = user.classify("cut, again and again", SOURCE);
    assert!(
        said.stderr
            .contains(&format!("broke after 1000 of {} bytes", weights.len())),
        "{}",
        said.stderr
    );
    assert!(
        said.stderr
            .ends_with("hint: run it again, and it goes on from there\n")
    );
    let partial = user.blob(&weights).with_added_extension("incomplete");
    assert_eq!(std::fs::metadata(&partial).unwrap().len(), 1000);

    works.store(1, Ordering::SeqCst);
    storage.requests();
    user.classify("cut, and run again", SOURCE).is_good();
    assert_eq!(storage.requests()[0].headers["range"], "bytes=1000-");
    assert!(!partial.exists());
}

#[test]
fn a_host_that_knows_no_parts_is_asked_for_all_of_it() {
    let (weights, hub, storage) = with_storage(|_, weights| Reply {
        status: 200,
        body: weights.to_vec(),
        ..Reply::default()
    });
    let user = User::of(&hub);
    let partial = user.blob(&weights).with_added_extension("incomplete");
    std::fs::create_dir_all(partial.parent().unwrap()).unwrap();
    std::fs::write(&partial, "not the beginning at all").unwrap();
    user.classify("no parts", SOURCE).is_good();
    assert_eq!(storage.requests().len(), 1);
}

#[test]
fn a_wrong_beginning_is_not_gone_on_with_for_ever() {
    let (weights, hub, _storage) = good_storage();
    let user = User::of(&hub);
    let partial = user.blob(&weights).with_added_extension("incomplete");
    std::fs::create_dir_all(partial.parent().unwrap()).unwrap();
    std::fs::write(&partial, "not the beginning at all").unwrap();
    let said = user.classify("another beginning", SOURCE);
    assert!(said.stderr.contains("arrived damaged"), "{}", said.stderr);
    user.classify("another beginning, run again", SOURCE)
        .is_good();
}

#[test]
fn a_host_that_falls_silent_is_given_up() {
    let (_, hub, _storage) = with_storage(|_, _| {
        std::thread::sleep(std::time::Duration::from_secs(8));
        Reply::status(200)
    });
    let user = User::of(&hub).with("HF_HUB_DOWNLOAD_TIMEOUT", "1");
    let said = user.classify("silent host", SOURCE);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr.contains("it does not answer in time"),
        "{}",
        said.stderr
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    // As on a full disk, a write fails in the midst of the file.
    let (weights, hub, _storage) = good_storage();
    let user = User::of(&hub);
    let said = user.classify_with_small_files(200, "full disk", SOURCE);
    assert_eq!(said.status, Some(2));
    assert!(
        said.stderr
            .ends_with(".incomplete`: File too large (os error 27)\n"),
        "{}",
        said.stderr
    );
    let partial = user.blob(&weights).with_added_extension("incomplete");
    assert_eq!(std::fs::metadata(partial).unwrap().len(), 200 * 1024);
}

#[test]
fn refusals_of_the_host_of_the_content_are_its_own() {
    for (status, words) in [(403, "403 Forbidden"), (404, "404 Not Found")] {
        let (weights, hub, storage) = with_storage(move |_, _| Reply::status(status));
        let user = User::of(&hub);
        user.classify("storage refuses", SOURCE)
            .is_refused_with(&format!(
                "cannot be fetched: nothing of `model.safetensors` arrives: the host of its \
                 content answers {words}"
            ));
        // The hub was asked each time for an address that may hold.
        let asked = |server: &Server, path: &str| {
            let mut requests = server.requests();
            requests.retain(|request| request.method == "GET" && request.path.contains(path));
            requests.len()
        };
        assert_eq!(asked(&hub, "model.safetensors"), 3);
        assert_eq!(asked(&storage, ""), 3);
        assert!(
            !user
                .blob(&weights)
                .with_added_extension("incomplete")
                .exists()
        );
    }
}

#[test]
fn an_address_that_no_longer_holds_is_asked_for_again() {
    let first = AtomicUsize::new(0);
    let (_, hub, _storage) =
        with_storage(
            move |request, weights| match first.fetch_add(1, Ordering::SeqCst) {
                0 => Reply::status(403),
                _ => content(request, weights),
            },
        );
    User::of(&hub)
        .classify("storage refuses once", SOURCE)
        .is_good();
}

#[test]
fn a_host_of_the_content_that_is_gone_is_told_from_the_hub() {
    // Nobody listens on the discard port.
    let hub = Server::start(server::hub(&files(), "http://127.0.0.1:9"));
    User::of(&hub)
        .classify("storage gone", SOURCE)
        .is_refused_with(
            "cannot be fetched: nothing of `model.safetensors` arrives: the host of its content \
             cannot be reached: Connection refused",
        );
}

#[test]
fn a_circle_of_redirects_is_not_tried_again() {
    let (weights, hub, storage) =
        with_storage(|_, _| Reply::status(302).with("Location", "/blobs/1"));
    let user = User::of(&hub);
    user.classify("storage redirects in circles", SOURCE)
        .is_refused_with("cannot be fetched: it is redirected in circles (8 times, then given up)");
    assert_eq!(storage.requests().len(), 7);
    assert!(
        !user
            .blob(&weights)
            .with_added_extension("incomplete")
            .exists()
    );
}

#[test]
fn what_never_arrives_is_not_to_be_gone_on_with() {
    let answer = server::hub(&files(), "");
    let hub = Server::start(move |request| {
        match (request.method.as_str(), request.path.contains("model")) {
            ("GET", true) => Reply::status(410),
            _ => answer(request),
        }
    });
    let user = User::of(&hub);
    user.classify("410", SOURCE).is_refused_with(
        "cannot be fetched: nothing of `model.safetensors` arrives: the hub answers 410 Gone",
    );
    // That of config.json.
    let blobs = std::fs::read_dir(user.folder().join("blobs")).unwrap();
    assert_eq!(blobs.count(), 1);
}
