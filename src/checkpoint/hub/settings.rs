//! The environment variables that Python's `huggingface_hub` reads, read as it reads them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::files::{self, Pipes};
use crate::text::{shown, shown_path};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// How long nothing at all may arrive: `huggingface_hub`'s own default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a file with a token; the hub's have some forty characters.
const LONGEST_TOKEN: u64 = 10_000;

/// Where the hub is, where its files are kept, and as whom it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// Without a slash at its end.
    pub(super) endpoint: String,
    /// The folder with a folder for each repository.
    pub(super) cache: PathBuf,
    pub(super) token: Option<Token>,
    /// Whether the network is left alone.
    pub(super) offline: bool,
    /// How long nothing may arrive before a connection counts as broken.
    pub(super) timeout: Duration,
}

/// A secret, which no message shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    /// The value of an `Authorization` header.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Settings {
    /// What this process's environment says.
    ///
    /// # Errors
    ///
    /// An endpoint that is no address, a token that cannot be one, or no place for the cache.
    pub(super) fn from_environment() -> Result<Self> {
        let variable = |name: &str| std::env::var_os(name);
        Self::new(&Environment {
            variable: &variable,
            home: std::env::home_dir(),
        })
    }

    fn new(environment: &Environment) -> Result<Self> {
        let endpoint = environment.text("HF_ENDPOINT");
        let endpoint = endpoint.as_deref().unwrap_or(DEFAULT_ENDPOINT);
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err(Error::Usage(format!(
                "the variable `HF_ENDPOINT` is `{}`; expected an address such as \
                 {DEFAULT_ENDPOINT}",
                shown(endpoint)
            )));
        }
        let home = environment.home()?;
        let cache = match environment.path("HF_HUB_CACHE")? {
            None => environment.path("HUGGINGFACE_HUB_CACHE")?,
            cache => cache,
        };
        let offline = environment
            .text("HF_HUB_OFFLINE")
            .or_else(|| environment.text("TRANSFORMERS_OFFLINE"));
        let timeout = environment
            .text("HF_HUB_DOWNLOAD_TIMEOUT")
            .and_then(|seconds| seconds.parse().ok())
            .filter(|&seconds| seconds > 0)
            .map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        Ok(Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: cache.unwrap_or_else(|| home.join("hub")),
            token: environment.token(&home)?,
            offline: is_true(offline.as_deref()),
            timeout,
        })
    }
}

/// `huggingface_hub`'s idea of a set flag.
fn is_true(value: Option<&str>) -> bool {
    let known = ["1", "ON", "YES", "TRUE"];
    value.is_some_and(|value| known.contains(&value.to_uppercase().as_str()))
}

struct Environment<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    home: Option<PathBuf>,
}

impl Environment<'_> {
    /// A variable that is set to more than nothing.
    fn value(&self, name: &str) -> Option<OsString> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name)?.into_string().ok()
    }

    /// A path, with `~` and variables in it replaced, as `huggingface_hub` does for each of its
    /// variables: a shell leaves them where they are quoted or come from a file of settings.
    fn path(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(path) = self.value(name) else {
            return Ok(None);
        };
        // Other bytes stay as they are.
        let Some(text) = path.to_str() else {
            return Ok(Some(PathBuf::from(path)));
        };
        let (start, rest) = match (text.strip_prefix('~'), &self.home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                (home.clone().into_os_string(), rest)
            }
            (Some(_), _) => {
                return Err(Error::Usage(format!(
                    "the variable `{name}` is `{}`, whose home folder is not known\nhint: write \
                     the folder in full",
                    shown(text)
                )));
            }
            (None, _) => (OsString::new(), text),
        };
        Ok(Some(self.with_variables(start, rest).into()))
    }

    /// `start` and, behind it, `text` with `$NAME` and `${NAME}` replaced by what these variables
    /// hold; those that are not set stay, as in Python's `expandvars`.
    fn with_variables(&self, start: OsString, text: &str) -> OsString {
        let mut expanded = start;
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push(before);
            let (name, behind) = match after.strip_prefix('{').map(|name| name.split_once('}')) {
                Some(Some(parts)) => parts,
                Some(None) => ("", after),
                None => {
                    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    after.split_at(after.find(|c| !is_part(c)).unwrap_or(after.len()))
                }
            };
            match (self.variable)(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded.push(value),
                None => expanded.push(&rest[before.len()..rest.len() - behind.len()]),
            }
            rest = behind;
        }
        expanded.push(rest);
        expanded
    }

    /// Where everything of the hub's is kept.
    fn home(&self) -> Result<PathBuf> {
        if let Some(home) = self.path("HF_HOME")? {
            return Ok(home);
        }
        let cache = match (self.path("XDG_CACHE_HOME")?, &self.home) {
            (Some(cache), _) => cache,
            (None, Some(home)) => home.join(".cache"),
            (None, None) => {
                return Err(Error::Usage(
                    "there is no home folder to keep files of the hub in\nhint: name a folder \
                     with the variable `HF_HOME`"
                        .to_owned(),
                ));
            }
        };
        Ok(cache.join("huggingface"))
    }

    /// The token of a variable, else that of the file which `hf auth login` writes.
    fn token(&self, home: &Path) -> Result<Option<Token>> {
        if is_true(self.text("HF_HUB_DISABLE_IMPLICIT_TOKEN").as_deref()) {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(token) = self.text(name) {
                return clean(&token, &format!("the variable `{name}`"));
            }
        }
        let path = self.path("HF_TOKEN_PATH")?;
        let path = path.unwrap_or_else(|| home.join("token"));
        match files::read_text(&path, Pipes::Inherited, LONGEST_TOKEN) {
            Ok(token) => clean(&token, &format!("`{}`", shown_path(&path))),
            // Whoever has never logged in has no such file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::file("read", &path)(error)),
        }
    }
}

/// A token without the line breaks around it.
fn clean(token: &str, origin: &str) -> Result<Option<Token>> {
    let token = token.trim();
    if token.is_empty() {
        Ok(None)
    } else if token.chars().all(|c| c.is_ascii_graphic()) {
        Ok(Some(Token(token.to_owned())))
    } else {
        Err(Error::Usage(format!(
            "{origin} holds no token of the hub: it has characters that a token cannot have"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        Settings::new(&Environment {
            variable: &variable,
            home: Some(PathBuf::from("/home/x")),
        })
    }

    #[test]
    fn without_variables_the_defaults_are_those_of_huggingface_hub() {
        let expected = Settings {
            endpoint: "https://huggingface.co".to_owned(),
            cache: PathBuf::from("/home/x/.cache/huggingface/hub"),
            token: None,
            offline: false,
            timeout: Duration::from_secs(10),
        };
        assert_eq!(settings(&[]).unwrap(), expected);
        // Empty is as good as not set.
        let empty = [
            "HF_HOME",
            "HF_HUB_CACHE",
            "HF_ENDPOINT",
            "HF_TOKEN",
            "XDG_CACHE_HOME",
        ];
        assert_eq!(settings(&empty.map(|name| (name, ""))).unwrap(), expected);
    }

    #[test]
    fn the_cache_is_where_the_nearest_variable_says() {
        let cache = |variables: &[_]| settings(variables).unwrap().cache;
        let xdg = ("XDG_CACHE_HOME", "/xdg");
        let home = ("HF_HOME", "~/hf");
        let old = ("HUGGINGFACE_HUB_CACHE", "/old");
        assert_eq!(cache(&[xdg]), Path::new("/xdg/huggingface/hub"));
        assert_eq!(cache(&[xdg, home]), Path::new("/home/x/hf/hub"));
        assert_eq!(cache(&[xdg, home, old]), Path::new("/old"));
        let new = ("HF_HUB_CACHE", "/new");
        assert_eq!(cache(&[xdg, home, old, new]), Path::new("/new"));
    }

    /// What Python's `expandvars(expanduser(…))` makes of the same texts.
    #[test]
    fn home_and_variables_are_replaced_in_every_path() {
        let known = [("DATA", "/data"), ("a_1", "$DATA")];
        for (text, expected) in [
            ("~", "/home/x"),
            ("~/hf", "/home/x/hf"),
            ("/a/~", "/a/~"),
            ("$DATA/hf", "/data/hf"),
            ("${DATA}hf", "/datahf"),
            ("~/$DATA", "/home/x//data"),
            // What a variable holds is not looked at again.
            ("/x$a_1", "/x$DATA"),
            ("/$NONE/${NONE}/$/${DATA/$", "/$NONE/${NONE}/$/${DATA/$"),
            ("/${}/é$DATA", "/${}/é/data"),
        ] {
            for name in [
                "HF_HOME",
                "HF_HUB_CACHE",
                "HUGGINGFACE_HUB_CACHE",
                "XDG_CACHE_HOME",
            ] {
                let variables = [&known[..], &[(name, text)]].concat();
                let behind = match name {
                    "HF_HOME" => "/hub",
                    "XDG_CACHE_HOME" => "/huggingface/hub",
                    _ => "",
                };
                let found = settings(&variables).unwrap().cache;
                assert_eq!(
                    found.to_str().unwrap(),
                    format!("{expected}{behind}"),
                    "{name}"
                );
            }
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "hf_a").unwrap();
        let variables = [
            ("DATA", folder.path().to_str().unwrap()),
            ("HF_TOKEN_PATH", "$DATA/token"),
        ];
        let found = settings(&variables).unwrap().token;
        assert_eq!(found, Some(Token("hf_a".to_owned())));
        let error = settings(&[("HF_HOME", "~bob/hf")]).unwrap_err().to_string();
        assert!(error.contains("`~bob/hf`, whose home folder"), "{error}");
    }

    #[test]
    fn offline_is_spelt_in_four_ways() {
        for (value, expected) in [
            ("1", true),
            ("on", true),
            ("Yes", true),
            ("TRUE", true),
            ("0", false),
            ("off", false),
            ("2", false),
            ("", false),
        ] {
            let found = settings(&[("HF_HUB_OFFLINE", value)]).unwrap().offline;
            assert_eq!(found, expected, "{value}");
        }
        assert!(settings(&[("TRANSFORMERS_OFFLINE", "1")]).unwrap().offline);
        let both = [("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
        assert!(!settings(&both).unwrap().offline);
    }

    #[test]
    fn the_token_is_never_shown() {
        let found = settings(&[("HF_TOKEN", " hf_secret\n")]).unwrap();
        assert_eq!(found.token.as_ref().unwrap().bearer(), "Bearer hf_secret");
        assert!(!format!("{found:?}").contains("hf_secret"));
        let error = settings(&[("HF_TOKEN", "hf_sec\nret")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`HF_TOKEN`") && !error.contains("sec"),
            "{error}"
        );
        let implicit = [("HF_TOKEN", "a"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")];
        assert_eq!(settings(&implicit).unwrap().token, None);
    }

    #[test]
    fn the_token_is_read_from_the_file_that_a_login_writes() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        std::fs::write(folder.path().join("token"), "hf_a\n").unwrap();
        let found = settings(&[("HF_HOME", home)]).unwrap();
        assert_eq!(found.token, Some(Token("hf_a".to_owned())));
        let other = folder.path().join("other");
        std::fs::write(&other, "hf_b").unwrap();
        let path = [
            ("HF_HOME", home),
            ("HF_TOKEN_PATH", other.to_str().unwrap()),
        ];
        assert_eq!(
            settings(&path).unwrap().token,
            Some(Token("hf_b".to_owned()))
        );
    }

    #[test]
    fn an_endpoint_is_an_address() {
        let endpoint = |value| settings(&[("HF_ENDPOINT", value)]).map(|found| found.endpoint);
        assert_eq!(
            endpoint("http://127.0.0.1:80/").unwrap(),
            "http://127.0.0.1:80"
        );
        assert!(
            endpoint("hub.example")
                .unwrap_err()
                .to_string()
                .contains("`hub.example`")
        );
    }
}
