//! Images in tar archives: as files, through a pipe, by gzip, and what is wrong with some.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tar::{Builder, EntryType, Header};

use super::{CAT, PHOTOS, senet};

/// The bytes of an archive of the photographs and what goes with them in `WebDataset`.
fn photos() -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (index, (photo, _)) in PHOTOS.iter().enumerate() {
        append(
            &mut archive,
            &format!("{index:04}.jpg"),
            &fs::read(photo).unwrap(),
        );
        append(&mut archive, &format!("{index:04}.cls"), b"281");
    }
    archive.into_inner().unwrap()
}

fn append(archive: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, name, content).unwrap();
}

fn append_kind(archive: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, size: u64) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    archive.append(&header, std::io::empty()).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// The rows of a run: each input below `folder`, and its label or error.
fn rows_of(arguments: &[&Path], stdin: &[u8], folder: &Path) -> Vec<(String, String)> {
    let run = senet()
        .args(["classify", "--format", "ndjson", "--batch-size", "2"])
        .args(arguments)
        .write_stdin(stdin)
        .output()
        .unwrap();
    let rows = String::from_utf8(run.stdout).unwrap();
    let row = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let input = row["input"].as_str().unwrap();
        let input = input
            .strip_prefix(&format!("{}/", folder.display()))
            .unwrap_or(input);
        let answer = row["error"].as_str().or(row["top"][0]["label"].as_str());
        (input.to_owned(), answer.unwrap().to_owned())
    };
    let rows: Vec<_> = rows.lines().map(row).collect();
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code().is_some_and(|code| code < 2), "{said}");
    rows
}

/// As [`rows_of`], of one archive.
fn rows_in(bytes: &[u8]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "a.tar", bytes);
    rows_of(&[&path], b"", folder.path())
}

fn expected(archive: &str) -> Vec<(String, String)> {
    let photos = PHOTOS.iter().enumerate();
    photos
        .map(|(index, (_, label))| (format!("{archive}{index:04}.jpg"), (*label).to_owned()))
        .collect()
}

fn ends_with(rows: &[(String, String)], input: &str, error: &str) {
    let (last, said) = rows.last().unwrap();
    assert_eq!(last, input);
    assert!(said.starts_with(error), "{said}");
}

#[test]
fn an_archive_is_read_from_a_file_a_pipe_and_gzip_alike() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let plain = photos();
    for (name, bytes) in [
        ("a.tar", plain.clone()),
        ("a.tar.gz", gzip(&plain)),
        ("a.TGZ", gzip(&plain)),
        // Packed, whatever its name.
        ("b.tar", gzip(&plain)),
    ] {
        let path = written(here, name, &bytes);
        assert_eq!(rows_of(&[&path], b"", here), expected(&format!("{name}/")));
        let list = format!("{}\n", path.display());
        let rows = rows_of(&[Path::new("-")], list.as_bytes(), here);
        assert_eq!(rows, expected(&format!("{name}/")));
        assert_eq!(rows_of(&[Path::new("-")], &bytes, here), expected(""));
    }
}

#[test]
fn braces_name_shards_and_a_missing_one_is_a_row() {
    let folder = tempfile::tempdir().unwrap();
    for shard in ["000", "002"] {
        written(folder.path(), &format!("s-{shard}.tar"), &photos());
    }
    let all = folder.path().join("s-{000..002}.tar");
    let mut rows = rows_of(&[&all], b"", folder.path());
    let missing = rows.remove(3);
    assert_eq!(
        rows,
        [expected("s-000.tar/"), expected("s-002.tar/")].concat()
    );
    assert_eq!(missing.0, "s-001.tar");
    assert!(
        missing.1.starts_with("cannot open it: No such file"),
        "{}",
        missing.1
    );
}

#[test]
fn long_names_of_gnu_and_pax_are_whole_and_lead_nowhere() {
    let long = format!("{}/../cat.jpg", "folder/".repeat(40));
    let cat = fs::read(CAT).unwrap();
    let mut gnu = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_size(cat.len() as u64);
    // The crate refuses `..` in the names that it writes, but not what a long name says.
    let mut name = Header::new_gnu();
    name.set_entry_type(EntryType::GNULongName);
    name.set_size(long.len() as u64 + 1);
    name.set_cksum();
    gnu.append(&name, format!("{long}\0").as_bytes()).unwrap();
    header.set_cksum();
    gnu.append(&header, &cat[..]).unwrap();

    let mut pax = Builder::new(Vec::new());
    let record = |length: usize| format!("{length} path={long}\n");
    let length = record(100).len();
    let record = record(length);
    assert_eq!(record.len(), length);
    let mut about = Header::new_ustar();
    about.set_entry_type(EntryType::XHeader);
    about.set_size(length as u64);
    about.set_cksum();
    pax.append(&about, record.as_bytes()).unwrap();
    pax.append(&header, &cat[..]).unwrap();

    for archive in [gnu, pax] {
        let rows = rows_in(&archive.into_inner().unwrap());
        assert_eq!(rows, [(format!("a.tar/{long}"), "tiger cat".to_owned())]);
    }
}

#[test]
fn what_is_no_file_is_a_row_where_it_is_named_like_an_image() {
    let mut archive = Builder::new(Vec::new());
    for (name, kind) in [
        ("link.jpg", EntryType::Symlink),
        ("hard.jpg", EntryType::Link),
        ("holes.jpg", EntryType::GNUSparse),
        ("link.txt", EntryType::Symlink),
        ("device.jpg", EntryType::Char),
        ("pipe.jpg", EntryType::Fifo),
        ("folder.jpg", EntryType::Directory),
        ("volume.jpg", EntryType::new(b'V')),
    ] {
        append_kind(&mut archive, name, kind, 0);
    }
    append(&mut archive, "empty.jpg", b"");
    append(&mut archive, "cat.jpg", &fs::read(CAT).unwrap());
    let rows = rows_in(&archive.into_inner().unwrap());
    let row = |input: &str, answer: &str| (format!("a.tar/{input}"), answer.to_owned());
    assert_eq!(
        rows,
        [
            row(
                "link.jpg",
                "a link inside an archive, which is not followed"
            ),
            row(
                "hard.jpg",
                "a link inside an archive, which is not followed"
            ),
            row(
                "holes.jpg",
                "a file with holes, which is not read from archives"
            ),
            row("empty.jpg", "not an image: the file is empty"),
            row("cat.jpg", "tiger cat"),
        ]
    );
}

#[test]
fn a_torn_archive_has_the_rows_before_the_tear_and_one_that_says_so() {
    let whole = photos();
    let first = fs::read(PHOTOS[0].0).unwrap().len();
    // In the first photograph, in the header behind it, and before the end's mark.
    for (length, input, error) in [
        (5000, "a.tar/0000.jpg", "truncated archive"),
        (
            512 + first.next_multiple_of(512) + 100,
            "a.tar",
            "truncated archive: the header at byte",
        ),
        (
            whole.len() - 1024,
            "a.tar",
            "truncated archive: no end is marked behind byte",
        ),
        (0, "a.tar", "not an archive: it is empty"),
    ] {
        let torn = &whole[..length];
        ends_with(&rows_in(torn), input, error);
        if length > 0 {
            let rows = rows_of(&[Path::new("-")], torn, Path::new("a.tar"));
            ends_with(
                &rows,
                &input
                    .replace("a.tar/", "")
                    .replace("a.tar", "standard input"),
                error,
            );
        }
    }
    let packed = gzip(&whole);
    ends_with(
        &rows_in(&packed[..packed.len() / 2]),
        "a.tar/0001.jpg",
        "truncated archive",
    );
}

#[test]
fn hostile_headers_end_an_archive_and_no_other_input() {
    let cat = fs::read(CAT).unwrap();
    let hostile = |size: u64, kind: EntryType| {
        let mut archive = Builder::new(Vec::new());
        append(&mut archive, "cat.jpg", &cat);
        append_kind(&mut archive, "huge.jpg", kind, size);
        archive.into_inner().unwrap()
    };
    let mut negative = hostile(0, EntryType::Regular);
    let header = negative.len() - 1024 - 512;
    negative[header + 124..header + 136].fill(0xff);
    let mut damaged = negative.clone();
    damaged[header] ^= 1;
    let sum: u32 = negative[header..header + 512]
        .iter()
        .enumerate()
        .map(|(at, &byte)| u32::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    negative[header + 148..header + 155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    for (bytes, input, error) in [
        (
            hostile(1 << 63, EntryType::Regular),
            "a.tar/huge.jpg",
            "truncated archive",
        ),
        (
            hostile(u64::MAX, EntryType::Regular),
            "a.tar/huge.jpg",
            "truncated archive",
        ),
        (
            hostile(1 << 40, EntryType::GNULongName),
            "a.tar",
            "damaged archive: a name of 1024.0 GiB",
        ),
        (
            hostile(1 << 40, EntryType::XHeader),
            "a.tar",
            "damaged archive: a name of 1024.0 GiB",
        ),
        (negative, "a.tar", "damaged archive: the header at byte"),
        (damaged, "a.tar", "damaged archive: no header at byte"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), "a.tar", &bytes);
        let mut rows = rows_of(&[&path, Path::new(CAT)], b"", folder.path());
        assert_eq!(
            rows.pop().unwrap(),
            (CAT.to_owned(), "tiger cat".to_owned())
        );
        assert_eq!(
            rows[0],
            ("a.tar/cat.jpg".to_owned(), "tiger cat".to_owned())
        );
        assert_eq!(rows.len(), 2);
        ends_with(&rows, input, error);
    }
    ends_with(
        &rows_in(&cat),
        "a.tar",
        "not an archive: expected tar, or tar by gzip",
    );
}

#[test]
fn a_member_of_a_stream_beyond_its_share_of_memory_is_a_row_and_the_next_is_read() {
    let mut archive = Builder::new(Vec::new());
    append(&mut archive, "large.jpg", &vec![0; 9 << 20]);
    append(&mut archive, "cat.jpg", &fs::read(CAT).unwrap());
    let run = senet()
        .args(["classify", "-", "--memory", "32MiB", "--format", "ndjson"])
        .write_stdin(archive.into_inner().unwrap())
        .assert()
        .code(1);
    let rows = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let rows: Vec<Value> = rows
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let error = rows[0]["error"].as_str().unwrap();
    assert!(
        error.starts_with("image too large: it has 9.0 MiB; out of a pipe"),
        "{error}"
    );
    assert_eq!(rows[1]["top"][0]["label"], "tiger cat");
}

#[test]
fn a_stream_of_more_bytes_than_there_is_memory_is_answered_whole() {
    let mut archive = Builder::new(Vec::new());
    // 48 of half a megabyte, of which a quarter of 16 MiB holds eight.
    let mut padded = fs::read(CAT).unwrap();
    padded.resize(1 << 19, 0);
    for index in 0..48 {
        append(&mut archive, &format!("{index}.jpg"), &padded);
    }
    for threads in ["1", "2"] {
        let run = senet()
            .args([
                "classify",
                "-",
                "--memory",
                "16MiB",
                "--threads",
                threads,
                "--top-k",
                "1",
            ])
            .write_stdin(archive.get_ref().clone())
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(run.stdout)
                .unwrap()
                .matches(".jpg")
                .count(),
            48
        );
    }
}

#[test]
fn shards_take_archives_whole_and_all_of_them_together_are_everything() {
    let folder = tempfile::tempdir().unwrap();
    for shard in 0..3 {
        written(folder.path(), &format!("s-{shard}.tar"), &photos());
    }
    let all = folder.path().join("s-{0..2}.tar");
    let images = Path::new("tests/images/photos");
    let whole = rows_of(&[&all, images], b"", folder.path());
    assert_eq!(whole.len(), 12);
    let mut dealt = Vec::new();
    for shard in ["1/4", "2/4", "3/4", "4/4"] {
        let flags = [Path::new("--shard"), Path::new(shard), &all, images];
        let rows = rows_of(&flags, b"", folder.path());
        assert!(!rows.is_empty());
        dealt.extend(rows);
    }
    let sorted = |mut rows: Vec<(String, String)>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(dealt), sorted(whole));
    // A job that nothing is left for has not failed.
    senet()
        .args(["classify", CAT, "--shard", "2/2"])
        .assert()
        .success()
        .stdout("");
}
