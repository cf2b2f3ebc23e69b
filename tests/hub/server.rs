//! A stand-in for the Hugging Face hub and for the host that keeps its large files.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha1::Sha1;
use sha2::{Digest, Sha256};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const REPOSITORY: &str = "someone/se";

/// A request as it arrived, names of headers in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HashMap<String, String>,
}

/// What is sent back; with `cut`, the connection is closed after so many bytes of the body. With
/// `is_open_ended`, no length is stated, and the body ends where the connection does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) cut: Option<usize>,
    pub(crate) is_open_ended: bool,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }
}

/// A server that answers each request on a connection of its own, until it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        // Ends with the test's process: the port is given to nobody else before that.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = read_request(&stream) {
                    log.lock().unwrap().push(request.clone());
                    // A client that has seen enough closes the connection.
                    let _ = reply(&stream, &request, &answer(&request));
                }
            }
        });
        Self { address, requests }
    }

    /// The requests that have arrived since the last call.
    pub(crate) fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = HashMap::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

fn reply(mut stream: &TcpStream, request: &Request, reply: &Reply) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} Because\r\nConnection: close\r\n", reply.status);
    let is_set = |name: &str| reply.headers.iter().any(|(known, _)| *known == name);
    if !reply.is_open_ended && !is_set("Content-Length") {
        head += &format!("Content-Length: {}\r\n", reply.body.len());
    }
    for (name, value) in &reply.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    if request.method == "GET" {
        let sent = reply.cut.unwrap_or(reply.body.len());
        stream.write_all(&reply.body[..sent.min(reply.body.len())])?;
    }
    Ok(())
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// What `git hash-object` says of a file.
pub(crate) fn git_hash(content: &[u8]) -> String {
    let mut hash = Sha1::new_with_prefix(format!("blob {}\0", content.len()));
    hash.update(content);
    hexadecimal(&hash.finalize())
}

fn hexadecimal(digest: &[u8]) -> String {
    let digits: Vec<String> = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// A part of `content`, if the request asks for one, as the hosts of large files send it.
pub(crate) fn content(request: &Request, content: &[u8]) -> Reply {
    let start = request.headers.get("range").and_then(|range| {
        let range = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        range.parse::<usize>().ok()
    });
    match start {
        None => Reply {
            status: 200,
            body: content.to_vec(),
            ..Reply::default()
        },
        Some(start) if start >= content.len() => Reply::status(416),
        Some(start) => Reply {
            status: 206,
            body: content[start..].to_vec(),
            ..Reply::default()
        }
        .with(
            "Content-Range",
            format!("bytes {start}-{}/{}", content.len() - 1, content.len()),
        ),
    }
}

/// A repository's files, small ones kept by the hub itself and weights by another host.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) config: Option<Vec<u8>>,
    pub(crate) weights: Option<Vec<u8>>,
    /// More that there are, of which only the names count.
    pub(crate) others: Vec<&'static str>,
}

/// The hub with one repository at `main` and at its commit, answering as huggingface.co does.
pub(crate) fn hub(files: &Files, storage: &str) -> impl Fn(&Request) -> Reply + Send + use<> {
    let (files, storage) = (files.clone(), storage.to_owned());
    move |request| {
        let Some(rest) = request
            .path
            .strip_prefix(&format!("/{REPOSITORY}/resolve/"))
        else {
            return Reply::status(404).with("X-Error-Code", "RepoNotFound");
        };
        let Some(("main" | "refs%2Fpr%2F1" | COMMIT, file)) = rest.split_once('/') else {
            return Reply::status(404).with("X-Error-Code", "RevisionNotFound");
        };
        match (file, &files.config, &files.weights) {
            ("config.json", Some(config), _) => content(request, config)
                .with("X-Repo-Commit", COMMIT)
                .with("ETag", format!("\"{}\"", git_hash(config))),
            ("model.safetensors", _, Some(weights)) => Reply::status(302)
                .with("X-Repo-Commit", COMMIT)
                .with("X-Linked-Etag", format!("\"{}\"", sha256(weights)))
                .with("X-Linked-Size", weights.len().to_string())
                .with("ETag", "\"of the pointer\"")
                .with("Location", format!("{storage}/blobs/1?signature=a%2Fb")),
            (other, ..) if files.others.contains(&other) => Reply::status(200)
                .with("X-Repo-Commit", COMMIT)
                .with("ETag", "\"abc\""),
            _ => Reply::status(404)
                .with("X-Error-Code", "EntryNotFound")
                .with("X-Repo-Commit", COMMIT),
        }
    }
}
