//! The word in `senet trace WORD` and `senet bench WORD`: a network's name, or where weights are.

use std::ffi::OsStr;
use std::path::Path;

use crate::checkpoint::Source;
use crate::error::{Error, Result};
use crate::image::has_image_extension;
use crate::network::catalog;
use crate::text::shown;

/// What to trace or run, however it was said.
#[derive(Debug, PartialEq)]
pub(super) struct Subject {
    pub(super) network: Option<String>,
    pub(super) weights: Option<Source>,
}

impl Subject {
    /// Takes the word and the flags together. A network's name goes before a file of that name,
    /// which `./NAME` is.
    ///
    /// # Errors
    ///
    /// A word that is neither, or says something else than the flags.
    pub(super) fn new(
        word: Option<&OsStr>,
        network: Option<&String>,
        weights: Option<&Source>,
    ) -> Result<Self> {
        let mut subject = Self {
            network: network.cloned(),
            weights: weights.cloned(),
        };
        let Some(word) = word else {
            return Ok(subject);
        };
        match name(word)? {
            Some(name) => {
                let same = |other: &String| {
                    if is_graph(Path::new(name)) || is_graph(Path::new(other)) {
                        return Ok::<_, Error>(name == other);
                    }
                    Ok(catalog::find(name)? == catalog::find(other)?)
                };
                match network {
                    Some(other) if !same(other)? => {
                        return Err(Error::Usage(format!(
                            "two networks were asked for: `{name}` and, by `--network`, `{}`",
                            shown(other)
                        )));
                    }
                    _ => subject.network = Some(name.to_owned()),
                }
            }
            None if weights.is_some() => {
                return Err(Error::Usage(format!(
                    "two weights were asked for: `{}` and those of `--weights`",
                    shown(&word.to_string_lossy())
                )));
            }
            None if has_image_extension(Path::new(word)) => {
                return Err(Error::Usage(format!(
                    "`{}` is an image, neither a network nor its weights\nhint: `senet trace \
                     --image FILE` runs a network on one",
                    shown(&word.to_string_lossy())
                )));
            }
            None => {
                let source = Source::parse(word.to_owned());
                subject.weights = Some(source.map_err(Error::Usage)?);
            }
        }
        Ok(subject)
    }
}

/// The word as a network's name; `None` where it says where weights are.
///
/// # Errors
///
/// A word that is neither.
fn name(word: &OsStr) -> Result<Option<&str>> {
    let path = Path::new(word);
    let Some(name) = word.to_str().filter(|name| !Source::has_prefix(name)) else {
        return Ok(None);
    };
    match catalog::find(name) {
        _ if is_graph(path) => Ok(Some(name)),
        Ok(network) if network.name == name => Ok(Some(name)),
        // A file goes before another spelling of a name, and one that is not there is a better
        // answer to a path than a network's name.
        _ if path.exists() || is_safetensors(path) => Ok(None),
        Ok(_) => Ok(Some(name)),
        Err(error) => Err(error),
    }
}

/// Whether a path is that of a graph, whether or not it is there: no network's name ends so.
pub(super) fn is_graph(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}

fn is_safetensors(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    fn of(word: &str, network: Option<&str>, weights: Option<&str>) -> Result<Subject, String> {
        let network = network.map(str::to_owned);
        let weights = weights.map(|weights| Source::parse(weights.into()).unwrap());
        let subject = Subject::new(Some(word.as_ref()), network.as_ref(), weights.as_ref());
        subject.map_err(|error| error.to_string())
    }

    #[test]
    fn a_word_is_a_name_or_says_where_weights_are() {
        let name = of("seresnet50", None, None).unwrap();
        assert_eq!(name.network.as_deref(), Some("seresnet50"));
        assert_eq!(name.weights, None);
        // The crate's own folder is there; of a file in safetensors that is not, opening it says so.
        for path in ["src", "hf:timm/seresnet50.a1_in1k", "no/such.safetensors"] {
            let weights = of(path, None, None).unwrap();
            assert_eq!(weights.network, None);
            assert_eq!(weights.weights, Some(Source::parse(path.into()).unwrap()));
        }
        let problem = of("seresnet21", None, None).unwrap_err();
        assert!(
            problem.starts_with("unknown network `seresnet21`"),
            "{problem}"
        );
    }

    #[test]
    fn a_word_that_says_something_else_than_the_flags_is_an_error() {
        let same = of("seresnet50", Some("seresnet50"), None).unwrap();
        assert_eq!(same.network.as_deref(), Some("seresnet50"));
        let both = of("seresnet50", None, Some("model.safetensors")).unwrap();
        assert!(both.weights.is_some() && both.network.is_some());
        let both = of("model.safetensors", Some("seresnet50"), None).unwrap();
        assert!(both.weights.is_some() && both.network.is_some());
        assert_eq!(
            of("seresnet50", Some("resnet50"), None).unwrap_err(),
            "two networks were asked for: `seresnet50` and, by `--network`, `resnet50`"
        );
        assert_eq!(
            of("src", None, Some("model.safetensors")).unwrap_err(),
            "two weights were asked for: `src` and those of `--weights`"
        );
        let problem = of("tests/images/photos/cat.jpg", None, None).unwrap_err();
        assert!(problem.contains("cat.jpg` is an image"), "{problem}");
    }
}
