//! The document as it is written: JSON, a layer an object.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value as Json};

use super::described::Described;
use super::{MOST_LAYERS, VERSION};
use crate::error::{Error, Result};
use crate::text::shown;

/// A graph as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a graph, which is a JSON object")]
pub(super) struct Document {
    pub(super) version: u32,
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) input: InputDocument,
    #[serde(deserialize_with = "bounded")]
    pub(super) layers: Vec<Node>,
    pub(super) outputs: Vec<String>,
    #[serde(default)]
    pub(super) blocks: Vec<String>,
}

/// What goes into a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an input, which is a JSON object")]
pub(super) struct InputDocument {
    pub(super) name: String,
    /// Of one image.
    pub(super) shape: [usize; 3],
    pub(super) layout: ImageLayout,
}

/// The order of an image's dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ImageLayout {
    Chw,
    Hwc,
}

/// A layer as it is written: what it is called, reads and names, and its operation with that one's
/// attributes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Node {
    pub(super) name: String,
    /// `op` and the attributes.
    #[serde(flatten)]
    pub(super) operation: Map<String, Json>,
    pub(super) inputs: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tensors: BTreeMap<String, String>,
}

/// What tells a graph of another version from one that makes no sense.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Document {
    /// # Errors
    ///
    /// Text that is no such document, or one of another version.
    pub(super) fn parse(text: &str) -> Result<Self> {
        // Said of the whole document before its parts: what another version has is no fault.
        if let Ok(Version { version }) = serde_json::from_str(text)
            && version != VERSION
        {
            return Err(Error::Geometry(format!(
                "it has version {version}; expected {VERSION}"
            )));
        }
        serde_json::from_str(text).map_err(|error| {
            Error::Geometry(format!("it is no graph: {}", shown(&error.to_string())))
        })
    }
}

/// The operation that is called as `op` is but for capitals, marks and an ending, or that other
/// frameworks call so.
fn alike(op: &str) -> Option<&'static str> {
    /// Names of Keras and `PyTorch` that are not a name here with an ending.
    const ELSEWHERE: [(&str, &str); 10] = [
        ("dense", "linear"),
        ("swish", "silu"),
        ("hardswish", "hard_swish"),
        ("hardsilu", "hard_swish"),
        ("depthwiseconv", "conv"),
        ("avgpool", "average_pool"),
        ("globalaveragepooling", "global_average_pool"),
        ("globalmaxpooling", "global_max_pool"),
        ("mul", "product"),
        ("cat", "concat"),
    ];
    let fold = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let op = fold(op);
    let here = Described::OPERATIONS.iter().copied();
    let here = here.filter(|known| op.starts_with(fold(known).as_str()));
    let longest = here.max_by_key(|known| known.len());
    // What follows a short name may make another of it.
    let is_called = |name: &str| op == name || (name.len() > 3 && op.starts_with(name));
    let elsewhere = ELSEWHERE.iter().find(|(name, _)| is_called(name));
    elsewhere.map(|(_, known)| *known).or(longest)
}

/// A document as text, a line a layer.
pub(super) fn written(
    name: &str,
    input: &InputDocument,
    layers: impl Iterator<Item = Node>,
    outputs: &[&str],
    blocks: &[String],
) -> String {
    let line = |node: Node| format!("  {}", json(&node));
    let layers: Vec<String> = layers.map(line).collect();
    let blocks = if blocks.is_empty() {
        String::new()
    } else {
        format!(",\n\"blocks\": {}", json(&blocks))
    };
    format!(
        "{{\"version\": {VERSION}, \"name\": {},\n\"input\": {},\n\"layers\": [\n{}\n],\n\"outputs\": {}{blocks}}}\n",
        json(&name),
        json(input),
        layers.join(",\n"),
        json(&outputs),
    )
}

/// Text, numbers and lists of them, of which nothing can fail.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Node {
    /// What the layer computes.
    ///
    /// # Errors
    ///
    /// An operation that there is not, or attributes that are not its own.
    pub(super) fn described(&self) -> Result<Described> {
        let refused =
            |problem: String| Error::Geometry(format!("layer `{}`: {problem}", shown(&self.name)));
        let op = match self.operation.get("op") {
            Some(Json::String(op)) => op,
            Some(_) => return Err(refused("its `op` is no text".to_owned())),
            None => return Err(refused("it has no `op`".to_owned())),
        };
        if !Described::has(op) {
            let alike = alike(op).map(|known| format!(": is it `{known}`?"));
            return Err(refused(format!(
                "unknown operation `{}`{}",
                shown(op),
                alike.unwrap_or_default()
            )));
        }
        let operation = Json::Object(self.operation.clone());
        serde_json::from_value(operation)
            .map_err(|error| refused(format!("{op}: {}", shown(&error.to_string()))))
    }
}

impl<'de> Deserialize<'de> for Node {
    /// No key may be there twice, of the operation's neither: of which serde takes the last otherwise.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a layer, which is a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let (mut name, mut inputs, mut tensors) = (None, None, None);
                let mut operation = Map::new();
                while let Some(key) = map.next_key::<String>()? {
                    let is_double = match key.as_str() {
                        "name" => name.replace(map.next_value()?).is_some(),
                        "inputs" => inputs.replace(map.next_value()?).is_some(),
                        "tensors" => {
                            let Names(names) = map.next_value()?;
                            tensors.replace(names).is_some()
                        }
                        _ => operation.insert(key.clone(), map.next_value()?).is_some(),
                    };
                    if is_double {
                        return Err(A::Error::custom(format!("duplicate field `{key}`")));
                    }
                }
                Ok(Node {
                    name: name.ok_or_else(|| A::Error::missing_field("name"))?,
                    operation,
                    inputs: inputs.ok_or_else(|| A::Error::missing_field("inputs"))?,
                    tensors: tensors.unwrap_or_default(),
                })
            }
        }

        deserializer.deserialize_map(Keys)
    }
}

/// Names of tensors by their roles, each role once.
struct Names(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Roles;

        impl<'de> Visitor<'de> for Roles {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the names of tensors by their roles")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = BTreeMap::new();
                while let Some((role, name)) = map.next_entry::<String, String>()? {
                    if names.insert(role.clone(), name).is_some() {
                        return Err(A::Error::custom(format!("duplicate field `{role}`")));
                    }
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Roles)
    }
}

/// As many layers as a graph may have: the rest is not read.
fn bounded<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Node>, D::Error> {
    struct Nodes;

    impl<'de> Visitor<'de> for Nodes {
        type Value = Vec<Node>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of layers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut nodes = Vec::new();
            while let Some(node) = list.next_element()? {
                if nodes.len() == MOST_LAYERS {
                    return Err(A::Error::custom(format!("more than {MOST_LAYERS} layers")));
                }
                nodes.push(node);
            }
            Ok(nodes)
        }
    }

    deserializer.deserialize_seq(Nodes)
}
