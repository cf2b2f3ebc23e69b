//! Who gets to see the token.

use crate::user::{SOURCE, TOKEN, User, good};

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (_, hub, storage) = good();
    let user = User::of(&hub).with("HF_TOKEN", TOKEN);
    user.classify("token", SOURCE).is_good();
    let bearer = format!("Bearer {TOKEN}");
    for request in hub.requests() {
        assert_eq!(
            request.headers.get("authorization"),
            Some(&bearer),
            "{request:?}"
        );
    }
    let stored = storage.requests();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].path, "/blobs/1?signature=a%2Fb");
    assert!(
        !stored[0].headers.contains_key("authorization"),
        "{stored:?}"
    );
    // Nor is it in any file of the cache.
    for entry in walkdir::WalkDir::new(user.home.path())
        .into_iter()
        .flatten()
    {
        if entry.file_type().is_file() {
            let content = std::fs::read(entry.path()).unwrap();
            assert!(
                !content
                    .windows(TOKEN.len())
                    .any(|part| part == TOKEN.as_bytes())
            );
        }
    }
}

#[test]
fn a_token_file_is_read() {
    let (_, hub, _storage) = good();
    let user = User::of(&hub);
    std::fs::write(user.home.path().join("token"), format!("{TOKEN}\n")).unwrap();
    user.classify("token file", SOURCE).is_good();
    assert_eq!(
        hub.requests()[0].headers["authorization"],
        format!("Bearer {TOKEN}")
    );
}
