//! Questions to the hub and its answers. Downloads start at `resolve/REVISION/FILE`, where the
//! hub says the commit and the content's mark, and from where it sends large files' readers on
//! to another host.

use std::fmt;
use std::time::Duration;

use ureq::http::{HeaderMap, Response, StatusCode, Uri};
use ureq::typestate::WithoutBody;
use ureq::{Body, RequestBuilder};

use super::super::source::Repository;
use super::cache::is_commit;
use super::settings::{Settings, Token};
use crate::text::shown;

/// The hub needs two; more than these are a circle.
const MOST_REDIRECTS: usize = 8;

/// How long the name and the connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection to the hub.
pub(super) struct Client {
    agent: ureq::Agent,
    endpoint: String,
    token: Option<Token>,
}

/// What the hub says of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metadata {
    /// The commit that the revision is.
    pub(super) commit: String,
    /// The content's mark: its SHA-256 where it is large.
    pub(super) etag: String,
    /// Its bytes.
    pub(super) size: Option<u64>,
}

/// Why there is no answer, or not the one hoped for.
#[derive(Debug)]
pub(super) enum Failure {
    /// The hub does not answer.
    Unreachable(String),
    /// The hub, or whom it sends its reader on to, redirects in circles or nowhere.
    Redirect(String),
    /// The host that the hub sent its reader on to refuses, or does not answer. Its addresses
    /// hold for a while only, and the hub gives a new one to whoever asks again.
    Storage(String),
    /// Something answers that is not the hub.
    NoHub(String),
    /// The hub is out of order, or asked too often.
    Server(StatusCode),
    /// A repository that does not exist, or not for whoever asks.
    NoRepository { had_token: bool },
    /// A token that the hub does not know.
    TokenRefused,
    /// A repository that is shown on request alone.
    Gated { had_token: bool },
    /// A repository without this revision.
    NoRevision,
    /// A revision without this file.
    NoFile { commit: Option<String> },
}

impl Failure {
    /// Whether to ask again may help.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Storage(_) | Self::Server(_)
        )
    }

    /// Whether files in the cache may be used in place of an answer: not where the answer is
    /// that there are none.
    pub(super) fn leaves_the_cache(&self) -> bool {
        !matches!(self, Self::NoRevision | Self::NoFile { .. })
    }
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Self {
        let agent = ureq::Agent::config_builder()
            .user_agent(concat!("senet/", env!("CARGO_PKG_VERSION")))
            // The sizes that the hub tells are those of what is not compressed.
            .accept_encoding("identity")
            // Redirects are followed here, as the token must not follow them.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(settings.timeout))
            .timeout_per_read(Some(settings.timeout))
            .build();
        Self {
            agent: agent.into(),
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
        }
    }

    /// What the hub says of a file.
    pub(super) fn metadata(
        &self,
        repository: &Repository,
        revision: &str,
        file: &str,
    ) -> Result<Metadata, Failure> {
        let url = self.url(repository, revision, file);
        let (url, response) = self.describe(url)?;
        let headers = response.headers();
        let commit = header(headers, "x-repo-commit").filter(|commit| is_commit(commit));
        if !response.status().is_redirection() {
            self.check(&url, response.status(), headers, commit.as_deref())?;
        }
        let etag = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
        let etag = etag.and_then(|etag| file_name(&etag));
        let (Some(commit), Some(etag)) = (commit, etag) else {
            return Err(Failure::NoHub(self.endpoint.clone()));
        };
        let own = (!response.status().is_redirection()).then_some("content-length");
        let size = header(headers, "x-linked-size").or_else(|| header(headers, own?));
        Ok(Metadata {
            commit,
            etag,
            size: size.and_then(|size| size.parse().ok()),
        })
    }

    /// A file's content from byte `start` on, or from its first where the answer is 200. The
    /// question starts at the hub each time, which sends its reader on to where the content is.
    pub(super) fn content(
        &self,
        repository: &Repository,
        commit: &str,
        file: &str,
        start: u64,
    ) -> Result<Response<Body>, Failure> {
        let mut url = self.url(repository, commit, file);
        let mut is_storage = false;
        for _ in 0..MOST_REDIRECTS {
            let mut request = self.agent.get(&url);
            if start > 0 {
                request = request.header("range", format!("bytes={start}-"));
            }
            let response = self.send(request, &url, is_storage)?;
            match redirection(&url, &response)? {
                Some(next) => {
                    is_storage |= !moves_the_hub(&response);
                    url = next;
                }
                // The bytes asked for do not exist: for the caller to judge.
                None if response.status() == StatusCode::RANGE_NOT_SATISFIABLE => {
                    return Ok(response);
                }
                None if is_storage => return stored(response),
                None => {
                    self.check(&url, response.status(), response.headers(), Some(commit))?;
                    return Ok(response);
                }
            }
        }
        Err(circle())
    }

    /// Follows redirects to the answer that describes the file, which, for a large one, is the
    /// redirect away from the hub; returns it with its address. A repository that was renamed is
    /// elsewhere on the hub itself, and a mirror may send its readers to the hub that it mirrors.
    fn describe(&self, mut url: String) -> Result<(String, Response<Body>), Failure> {
        let mut is_storage = false;
        for _ in 0..MOST_REDIRECTS {
            let response = self.send(self.agent.head(&url), &url, is_storage)?;
            match redirection(&url, &response)? {
                Some(next) if !describes(&response) => {
                    is_storage |= !moves_the_hub(&response) && !same_origin(&url, &next);
                    url = next;
                }
                None if is_storage => return Ok((url, stored(response)?)),
                _ => return Ok((url, response)),
            }
        }
        Err(circle())
    }

    fn send(
        &self,
        mut request: RequestBuilder<WithoutBody>,
        url: &str,
        is_storage: bool,
    ) -> Result<Response<Body>, Failure> {
        if let Some(token) = &self.token
            && same_origin(url, &self.endpoint)
        {
            request = request.header("authorization", token.bearer());
        }
        let response = request.call();
        response.map_err(|error| match reason(&error) {
            reason if is_storage => Failure::Storage(format!("cannot be reached: {reason}")),
            reason => Failure::Unreachable(reason),
        })
    }

    /// What an answer of the hub from `url` says.
    fn check(
        &self,
        url: &str,
        status: StatusCode,
        headers: &HeaderMap,
        commit: Option<&str>,
    ) -> Result<(), Failure> {
        if status.is_success() {
            return Ok(());
        }
        let code = header(headers, "x-error-code");
        let message = header(headers, "x-error-message").unwrap_or_default();
        let had_token = self.token.is_some() && same_origin(url, &self.endpoint);
        Err(match (code.as_deref(), status.as_u16()) {
            (Some("RevisionNotFound"), _) => Failure::NoRevision,
            (Some("EntryNotFound"), _) => Failure::NoFile {
                commit: commit.map(str::to_owned),
            },
            (Some("GatedRepo"), _) | (_, 403) => Failure::Gated { had_token },
            (_, 401) if message.starts_with("Invalid credentials") => Failure::TokenRefused,
            (Some("RepoNotFound"), _) | (_, 401 | 404) => Failure::NoRepository { had_token },
            _ => Failure::Server(status),
        })
    }

    fn url(&self, repository: &Repository, revision: &str, file: &str) -> String {
        format!(
            "{}/{}/resolve/{}/{file}",
            self.endpoint,
            repository.name(),
            percent_encoded(revision)
        )
    }
}

/// Whether an answer says which content a file has.
fn describes(response: &Response<Body>) -> bool {
    ["x-repo-commit", "x-linked-etag"]
        .iter()
        .all(|name| response.headers().contains_key(*name))
}

/// Whether a redirect is to another address of the hub, whose refusals are the hub's, and not to
/// where content is kept, which is for this time alone (302).
fn moves_the_hub(response: &Response<Body>) -> bool {
    matches!(response.status().as_u16(), 301 | 307 | 308) && !describes(response)
}

fn circle() -> Failure {
    Failure::Redirect(format!(
        "in circles ({MOST_REDIRECTS} times, then given up)"
    ))
}

/// An answer of the host of the content, whose refusals are not the hub's.
fn stored(response: Response<Body>) -> Result<Response<Body>, Failure> {
    match response.status() {
        status if status.is_success() => Ok(response),
        status => Err(Failure::Storage(format!("answers {status}"))),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

/// An etag without its quotes, if it can name a file.
fn file_name(etag: &str) -> Option<String> {
    let etag = etag.trim_start_matches("W/").trim_matches('"');
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_name = (1..=128).contains(&etag.len()) && !etag.starts_with('.');
    (is_name && etag.chars().all(known)).then(|| etag.to_owned())
}

/// Where a response sends its reader.
fn redirection(url: &str, response: &Response<Body>) -> Result<Option<String>, Failure> {
    if !response.status().is_redirection() {
        return Ok(None);
    }
    let location = header(response.headers(), "location").unwrap_or_default();
    let next = if location.starts_with("http://") || location.starts_with("https://") {
        Some(location.clone())
    } else if location.starts_with('/') && !location.starts_with("//") {
        origin(url).map(|(scheme, host, port)| format!("{scheme}://{host}:{port}{location}"))
    } else {
        None
    };
    match next {
        Some(next) => Ok(Some(next)),
        None => Err(Failure::Redirect(format!(
            "to `{}`, which is no address",
            shown(&location)
        ))),
    }
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_owned();
    let default = if scheme == "https" { 443 } else { 80 };
    Some((
        scheme,
        uri.host()?.to_ascii_lowercase(),
        uri.port_u16().unwrap_or(default),
    ))
}

/// Whether two addresses are of one host, port and scheme, to which alone a token goes.
fn same_origin(a: &str, b: &str) -> bool {
    matches!((origin(a), origin(b)), (Some(a), Some(b)) if a == b)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}

/// Why a request failed, in words that name no secret.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound => "its host is not found".to_owned(),
        ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
        // Without the `io: ` that ureq puts before it.
        ureq::Error::Io(error) => shown(&error.to_string()),
        error => shown(&error.to_string()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the hub cannot be reached: {reason}"),
            Self::Redirect(problem) => write!(f, "it is redirected {problem}"),
            Self::Storage(problem) => write!(f, "the host of its content {problem}"),
            Self::NoHub(endpoint) => write!(
                f,
                "`{}` answers, but not as the hub does: without a commit and an etag",
                shown(endpoint)
            ),
            Self::Server(status) => write!(f, "the hub answers {status}"),
            Self::NoRepository { had_token: true } => f.write_str(
                "there is no such repository, or it is private and the token has no access to it",
            ),
            Self::NoRepository { had_token: false } => f.write_str(
                "there is no such repository, or it is private\nhint: for a private one set \
                 the variable `HF_TOKEN`",
            ),
            Self::TokenRefused => f.write_str(
                "the hub refuses the token\nhint: it is that of the variable `HF_TOKEN`, or else \
                 of the file that `hf auth login` wrote",
            ),
            Self::Gated { had_token: true } => f.write_str(
                "access is refused: the repository is gated, or the token lacks a permission\n\
                 hint: access is asked for on the repository's page",
            ),
            Self::Gated { had_token: false } => f.write_str(
                "access is refused: the repository is gated\nhint: ask for access on its page, \
                 and set the variable `HF_TOKEN`",
            ),
            Self::NoRevision => f.write_str("there is no such revision"),
            Self::NoFile { .. } => f.write_str("there is no such file"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_to_the_same_scheme_host_and_port_alone() {
        let endpoint = "https://huggingface.co";
        for (url, expected) in [
            ("https://huggingface.co/timm/x", true),
            ("https://HuggingFace.co:443/timm/x", true),
            ("http://huggingface.co/timm/x", false),
            ("https://huggingface.co:8443/x", false),
            ("https://cdn.huggingface.co/x", false),
            ("https://huggingface.co.example/x", false),
            ("https://huggingface.co@example.com/x", false),
        ] {
            assert_eq!(same_origin(url, endpoint), expected, "{url}");
        }
    }

    #[test]
    fn an_etag_has_to_be_a_name() {
        assert_eq!(file_name("\"abc\"").as_deref(), Some("abc"));
        assert_eq!(file_name("W/\"abc-1\"").as_deref(), Some("abc-1"));
        for etag in ["", "\"\"", "../x", "a/b", ".hidden", "a b"] {
            assert_eq!(file_name(etag), None, "{etag}");
        }
    }

    #[test]
    fn a_revision_is_one_segment_of_the_address() {
        assert_eq!(percent_encoded("refs/pr/1"), "refs%2Fpr%2F1");
        assert_eq!(percent_encoded("v1.0-é"), "v1.0-%C3%A9");
    }
}
