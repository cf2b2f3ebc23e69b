//! What a file is that holds weights or something else in another form than safetensors, told by
//! its first bytes, and what to do with it.

use std::path::Path;

use super::folder::MOST_BYTES;
use crate::image;

/// So many of a file's first bytes tell what it is.
pub(super) const FIRST_BYTES: u64 = 1 << 16;

/// What a file is that is not safetensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A zip with Keras's `config.json`: a model as `model.save("….keras")` writes it.
    Keras,
    /// Keras's weights or model before `.keras`: `.h5`, `.weights.h5`.
    Hdf5,
    /// A zip with a `data.pkl`, or a pickle alone: what `torch.save` writes.
    Pickle,
    /// A zip of arrays, or one array: what `numpy.savez` and `numpy.save` write.
    Numpy,
    /// Any other zip.
    Zip,
    /// A network and its weights for ONNX Runtime.
    Onnx,
    /// Weights for llama.cpp.
    Gguf,
    /// A network and its weights for phones.
    TfLite,
    /// TensorFlow's network, whose weights lie in a folder beside it.
    SavedModel,
    /// The list of the files over which weights are split.
    Index,
    /// JSON of another kind.
    Json,
    /// What git has in place of a large file that was not fetched.
    GitLfsPointer,
    /// A page of the web, often one that says why there is nothing else.
    WebPage,
    /// A photograph or drawing.
    Image(&'static str),
}

impl Kind {
    /// What a file is that begins with these bytes, up to [`FIRST_BYTES`] of them; nothing where
    /// they are those of safetensors or unknown.
    pub(super) fn of(first: &[u8]) -> Option<Self> {
        /// Beginnings that nothing else has.
        const BEGINNINGS: [(&[u8], Kind); 4] = [
            (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
            (b"\x93NUMPY", Kind::Numpy),
            (b"GGUF", Kind::Gguf),
            (b"version https://git-lfs.", Kind::GitLfsPointer),
        ];
        if is_safetensors(first) {
            return None;
        }
        let at = |start: usize, bytes: &[u8]| first.get(start..)?.strip_prefix(bytes);
        if first.starts_with(b"PK\x03\x04") {
            Some(of_zip(first))
        } else if let [0x80, 2..=5, 1..=255, ..] = first {
            // A pickle, of protocols 2 to 5. A header's length has zeros from the third byte on.
            Some(Self::Pickle)
        } else if at(4, b"TFL3").is_some() {
            Some(Self::TfLite)
        } else if let Some(format) = of_image(first) {
            Some(Self::Image(format))
        } else if let Some((_, kind)) = BEGINNINGS
            .iter()
            .find(|(bytes, _)| first.starts_with(bytes))
        {
            Some(*kind)
        } else {
            of_text(first).or_else(|| of_protobuf(first))
        }
    }

    /// What a file of this name most likely is.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        Some(match extension {
            "bin" | "pth" | "pt" | "ckpt" | "pkl" => Self::Pickle,
            "keras" => Self::Keras,
            "h5" | "hdf5" => Self::Hdf5,
            "npz" | "npy" => Self::Numpy,
            "onnx" => Self::Onnx,
            "gguf" => Self::Gguf,
            "tflite" => Self::TfLite,
            "pb" => Self::SavedModel,
            _ => return None,
        })
    }

    /// What it is, in words that follow `is` or a colon, and what to do about it.
    pub(super) fn explained(self) -> String {
        let what: &str = match self {
            Self::Keras => "a model of Keras",
            Self::Hdf5 => "HDF5, as Keras wrote models and writes weights",
            Self::Pickle => {
                "pickled Python objects, which this program does not read, as reading them can run \
                 any code"
            }
            Self::Numpy => "arrays of NumPy",
            Self::Zip => "a zip archive",
            Self::Onnx => "an ONNX network",
            Self::Gguf => "GGUF, which llama.cpp reads",
            Self::TfLite => "a TensorFlow Lite network",
            Self::SavedModel => "a SavedModel of TensorFlow",
            Self::Index => {
                "the index of weights that are split over several files, which this program does \
                 not read"
            }
            Self::Json => "JSON, and no weights",
            Self::GitLfsPointer => "what git has in place of a large file",
            Self::WebPage => "a page of the web",
            Self::Image(format) => &format!("a {format} image, and no weights"),
        };
        let hint = match self {
            Self::Keras => KERAS,
            Self::Hdf5 => {
                "`python -m scripts.keras.export MODEL.h5 --output model.safetensors` makes \
                 safetensors of any model; weights alone are its `--weights`, beside a function \
                 that makes the model"
            }
            Self::Pickle | Self::Index => TIMM,
            Self::Numpy => {
                "in Python, `safetensors.numpy.save_file(dict(numpy.load(file)), \
                 \"model.safetensors\")` makes safetensors of a `.npz`"
            }
            Self::Zip => "unpack it, and name the safetensors file in it",
            Self::Onnx | Self::Gguf => {
                "take the weights that it was made from; in Python, \
                 `safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")` saves \
                 those of PyTorch"
            }
            Self::TfLite | Self::SavedModel => {
                "take the Keras model that it was made from; `scripts.keras.export` makes \
                 safetensors of its `.keras`"
            }
            Self::Json => {
                "weights are a safetensors file, or a folder with `model.safetensors` and \
                 `config.json`"
            }
            Self::GitLfsPointer => "`git lfs pull` fetches the file",
            Self::WebPage => "it may say why the file could not be had; download it anew",
            Self::Image(_) => "images are named without a flag, as in `senet classify cat.jpg`",
        };
        format!("{what}\nhint: {hint}")
    }
}

const KERAS: &str = "`python -m scripts.keras.export MODEL.keras --output model.safetensors` makes \
                     safetensors of any model";
const TIMM: &str = "in Python, load it with timm and save it with `timm.models.save_for_hf(model, \
                    folder, safe_serialization=True)`";

/// Whether a file begins as safetensors does: the length of a header, and the header's brace.
fn is_safetensors(first: &[u8]) -> bool {
    let length = first
        .first_chunk()
        .map(|length| u64::from_le_bytes(*length));
    length.is_some_and(|length| length <= MOST_BYTES) && first.get(8) == Some(&b'{')
}

/// The format of an image that this program reads.
fn of_image(first: &[u8]) -> Option<&'static str> {
    // Many texts begin with the two letters of a BMP, whose header has zeros behind its size.
    let is_text = first.starts_with(b"BM") && first.get(6..10) != Some(&[0; 4]);
    image::format_name(first).filter(|_| !is_text)
}

/// A zip, by the names of its first files: each stands behind a header of its own.
fn of_zip(first: &[u8]) -> Kind {
    /// Where in such a header the name's length stands, and where the name.
    const LENGTH: usize = 26;
    const NAME: usize = 30;
    let headers = first.windows(4).enumerate();
    let headers = headers.filter(|(_, bytes)| *bytes == b"PK\x03\x04");
    let names = headers.filter_map(|(start, _)| {
        let header = &first[start..];
        let length = header.get(LENGTH..)?.first_chunk()?;
        header.get(NAME..NAME + usize::from(u16::from_le_bytes(*length)))
    });
    let mut told = names.filter_map(|name| {
        let ends = |ending: &[u8]| name.ends_with(ending);
        if ends(b"data.pkl") || ends(b"constants.pkl") {
            Some(Kind::Pickle)
        } else if name == b"config.json" || name == b"model.weights.h5" {
            Some(Kind::Keras)
        } else {
            ends(b".npy").then_some(Kind::Numpy)
        }
    });
    told.next().unwrap_or(Kind::Zip)
}

/// Text that people and programs write where weights are expected.
fn of_text(first: &[u8]) -> Option<Kind> {
    let text = first.trim_ascii_start();
    let begins = |with: &[u8]| {
        text.get(..with.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(with))
    };
    let has = |word: &[u8]| text.windows(word.len()).any(|bytes| bytes == word);
    if begins(b"<!doctype html") || begins(b"<html") {
        Some(Kind::WebPage)
    } else if begins(b"{") && has(b"\"weight_map\"") {
        Some(Kind::Index)
    } else if begins(b"{") || begins(b"[") {
        Some(Kind::Json)
    } else {
        None
    }
}

/// Messages of protobuf that begin with a version: ONNX's `ir_version`, and TensorFlow's
/// `saved_model_schema_version`, which is 1 with a `MetaGraphDef` behind it.
fn of_protobuf(first: &[u8]) -> Option<Kind> {
    /// Fields 2 to 8 of ONNX's model: who made it and when, what it is about, its graph, and the
    /// operators that it uses.
    const ONNX: [u8; 7] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];
    match first {
        [0x08, 1, 0x12, ..] => Some(Kind::SavedModel),
        [0x08, 3..=30, field, ..] if ONNX.contains(field) => Some(Kind::Onnx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A zip's files, each with its header and no more than its name.
    fn zip(names: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in names {
            bytes.extend(b"PK\x03\x04");
            bytes.extend([0; 22]);
            bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            bytes.extend([0; 2]);
            bytes.extend(name.as_bytes());
            bytes.extend(b"content");
        }
        bytes
    }

    #[test]
    fn what_is_not_safetensors_is_told_by_its_first_bytes() {
        let keras = ["metadata.json", "config.json", "model.weights.h5"];
        for (bytes, expected) in [
            (zip(&keras), Kind::Keras),
            (
                zip(&["archive/data.pkl", "archive/byteorder"]),
                Kind::Pickle,
            ),
            (zip(&["net/version", "net/constants.pkl"]), Kind::Pickle),
            (zip(&["conv1.npy", "fc.npy"]), Kind::Numpy),
            (zip(&["photos/cat.jpg"]), Kind::Zip),
            (
                b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(),
                Kind::Pickle,
            ),
            (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}".to_vec(), Kind::Pickle),
            (
                b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0".to_vec(),
                Kind::Hdf5,
            ),
            (b"\x93NUMPY\x01\0v\0{'descr'".to_vec(), Kind::Numpy),
            (b"GGUF\x03\0\0\0".to_vec(), Kind::Gguf),
            (b"\x1c\0\0\0TFL3\x14\0 \0".to_vec(), Kind::TfLite),
            (
                b"\x08\x08\x12\x07pytorch\x1a\x052.4.0:".to_vec(),
                Kind::Onnx,
            ),
            (b"\x08\x0a:\xa4\x03\n".to_vec(), Kind::Onnx),
            (b"\x08\x01\x12\xf0\x9a\x02\n".to_vec(), Kind::SavedModel),
            (
                b"{\"metadata\": {}, \"weight_map\": {\"a\": \"b\"}}".to_vec(),
                Kind::Index,
            ),
            (b"{\"architecture\": \"resnet18\"}".to_vec(), Kind::Json),
            (
                b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
                Kind::GitLfsPointer,
            ),
            (b"\n<!DOCTYPE html><html>".to_vec(), Kind::WebPage),
            (b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), Kind::Image("JPEG")),
            (
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(),
                Kind::Image("PNG"),
            ),
            (b"GIF89a\x01\0\x01\0".to_vec(), Kind::Image("GIF")),
            (b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(), Kind::Image("WebP")),
            (b"II*\0\x08\0\0\0".to_vec(), Kind::Image("TIFF")),
            (b"BMF\0\0\0\0\0\0\x006\0".to_vec(), Kind::Image("BMP")),
        ] {
            let shown = bytes.escape_ascii();
            assert_eq!(Kind::of(&bytes), Some(expected), "{shown}");
            let explained = expected.explained();
            assert_eq!(explained.matches("\nhint: ").count(), 1, "{explained}");
        }
    }

    #[test]
    fn safetensors_and_what_is_unknown_are_nothing_else() {
        let header = |length: u64| [&length.to_le_bytes()[..], b"{\"__metadata__\":{"].concat();
        for bytes in [
            Vec::new(),
            b"weights".to_vec(),
            b"BMW 320".to_vec(),
            vec![0; 100],
            header(100),
            // Lengths whose bytes begin as a pickle, ONNX and a SavedModel do.
            header(0x0002_0480),
            header(0x0012_0808),
            header(0x0012_0108),
            header(640)[..4].to_vec(),
        ] {
            assert_eq!(Kind::of(&bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn any_bytes_are_looked_at_without_going_beyond_them() {
        let whole = zip(&["a", "config.json"]);
        for end in 0..whole.len() - "content".len() {
            let kind = Kind::of(&whole[..end]);
            assert!(matches!(kind, None | Some(Kind::Zip)), "{end}: {kind:?}");
        }
        assert_eq!(Kind::of(&whole), Some(Kind::Keras));
    }
}
