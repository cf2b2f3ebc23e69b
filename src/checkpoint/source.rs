use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::builtin::Builtin;
use crate::text::shown;

/// Where weights come from, as named on the command line. Naming one opens nothing.
///
/// ```
/// use senet::checkpoint::Source;
///
/// let source: Source = "hf:timm/seresnet50.ra2_in1k@main".parse()?;
/// assert!(matches!(source, Source::Hub(_)));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Weights inside this program.
    Builtin(Builtin),
    /// A safetensors file, or a folder that holds `model.safetensors`.
    Path(PathBuf),
    /// A repository of the Hugging Face hub.
    Hub(Repository),
}

/// A model repository of the Hugging Face hub, at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    name: String,
    revision: String,
}

/// How far the download of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Download<'a> {
    /// The file's name in its repository.
    pub file: &'a str,
    /// Bytes that are here.
    pub received: u64,
    /// Bytes that there are, where the hub says so.
    pub total: Option<u64>,
    /// Whether another program is downloading the file, and this one waits for it.
    pub is_awaited: bool,
}

/// The branch that a repository is read from where none is named.
const DEFAULT_REVISION: &str = "main";

const PREFIX: &str = "hf:";

impl Source {
    /// `hf:owner/name[@revision]`, `builtin:name`, or else a path. A path that starts with `hf:` or
    /// `builtin:` is written `./hf:…`.
    ///
    /// # Errors
    ///
    /// Nothing at all, a repository that cannot exist under this name, or a name of none of the
    /// weights inside this program.
    pub fn parse(text: OsString) -> Result<Self, String> {
        if text.is_empty() {
            return Err(
                "expected a file, a folder, hf:OWNER/NAME[@REVISION] or builtin:NAME".to_owned(),
            );
        }
        match text.to_str() {
            Some(known) if let Some(repository) = known.strip_prefix(PREFIX) => {
                repository.parse().map(Self::Hub)
            }
            Some(known) if let Some(name) = known.strip_prefix(Builtin::PREFIX) => {
                name.parse().map(Self::Builtin)
            }
            Some(_) | None => Ok(Self::Path(PathBuf::from(text))),
        }
    }

    /// Whether `text` names no path: it begins with `hf:` or `builtin:`.
    #[must_use]
    pub fn has_prefix(text: &str) -> bool {
        text.starts_with(PREFIX) || text.starts_with(Builtin::PREFIX)
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text.into())
    }
}

impl Repository {
    /// `owner/name`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A branch, a tag or a commit.
    #[must_use]
    pub fn revision(&self) -> &str {
        &self.revision
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.name)?;
        if self.revision != DEFAULT_REVISION {
            write!(f, "@{}", self.revision)?;
        }
        Ok(())
    }
}

impl FromStr for Repository {
    type Err = String;

    /// `owner/name[@revision]`, by the hub's own rules for names.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, revision),
            None => (text, DEFAULT_REVISION),
        };
        let (owner, model) = name.split_once('/').ok_or_else(|| {
            format!(
                "`{}` lacks an owner; expected hf:OWNER/NAME[@REVISION] such as \
                 hf:timm/seresnet50.ra2_in1k",
                shown(name)
            )
        })?;
        check_part("owner", owner)?;
        check_part("name", model)?;
        check_revision(revision)?;
        Ok(Self {
            name: name.to_owned(),
            revision: revision.to_owned(),
        })
    }
}

/// The hub's rule. It also keeps the name a single folder's: `--` stands for `/` in the cache.
fn check_part(what: &str, part: &str) -> Result<(), String> {
    const LONGEST: usize = 96;
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let problem = if part.is_empty() {
        "is empty"
    } else if part.len() > LONGEST {
        "is longer than 96 characters"
    } else if !part.chars().all(known) {
        "may hold letters, digits, `-`, `_` and `.` alone"
    } else if part.starts_with(['-', '.']) || part.ends_with(['-', '.']) {
        "may not start or end with `-` or `.`"
    } else if part.contains("--") || part.contains("..") {
        "may hold neither `--` nor `..`"
    } else {
        return Ok(());
    };
    Err(format!(
        "the repository's {what} `{}` {problem}",
        shown(part)
    ))
}

/// git's rule for names of branches and tags, as far as a path could go astray by it.
fn check_revision(revision: &str) -> Result<(), String> {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "@~^:?*[\\".contains(c);
    if revision.is_empty() {
        Err("the revision after `@` is empty".to_owned())
    } else if revision.contains(forbidden)
        || revision.contains("..")
        || revision
            .split('/')
            .any(|part| part.is_empty() || part.starts_with('.'))
    {
        Err(format!(
            "`{}` is no revision; expected a branch, a tag or a commit",
            shown(revision)
        ))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_may_name_a_revision() {
        let source: Source = "hf:timm/seresnet50.ra2_in1k".parse().unwrap();
        let Source::Hub(repository) = source else {
            panic!("{source:?}")
        };
        assert_eq!(repository.name(), "timm/seresnet50.ra2_in1k");
        assert_eq!(repository.revision(), "main");
        assert_eq!(repository.to_string(), "hf:timm/seresnet50.ra2_in1k");

        for revision in [
            "v1.0",
            "refs/pr/3",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            let text = format!("hf:timm/x@{revision}");
            let Source::Hub(repository) = text.parse().unwrap() else {
                panic!("{text}")
            };
            assert_eq!(repository.revision(), revision);
            assert_eq!(repository.to_string(), text);
        }
    }

    #[test]
    fn what_does_not_start_with_hf_is_a_path() {
        for path in ["model.safetensors", "a folder", "./hf:timm/x", "HF:timm/x"] {
            assert_eq!(path.parse(), Ok(Source::Path(path.into())));
        }
    }

    #[test]
    fn names_that_no_repository_has_are_refused() {
        for (text, problem) in [
            ("", "expected a file, a folder, hf:"),
            (
                "builtin:",
                "`builtin:` is not inside this program; `builtin:eff",
            ),
            ("builtin:Seresnet20", "is not inside this program"),
            ("hf:", "lacks an owner"),
            ("hf:resnet50", "lacks an owner"),
            ("hf:/x", "owner `` is empty"),
            ("hf:timm/", "name `` is empty"),
            ("hf:timm/x/y", "may hold letters"),
            ("hf:timm/a b", "may hold letters"),
            ("hf:../x", "may not start"),
            ("hf:timm/a--b", "neither `--` nor `..`"),
            ("hf:timm/a..b", "neither `--` nor `..`"),
            ("hf:timm/x@", "is empty"),
            ("hf:timm/x@a@b", "is no revision"),
            ("hf:timm/x@../../y", "is no revision"),
            ("hf:timm/x@/a", "is no revision"),
            ("hf:timm/x@a b", "is no revision"),
        ] {
            let error = text.parse::<Source>().unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
        let long = format!("hf:timm/{}", "x".repeat(97));
        assert!(
            long.parse::<Source>()
                .unwrap_err()
                .contains("longer than 96")
        );
    }
}
