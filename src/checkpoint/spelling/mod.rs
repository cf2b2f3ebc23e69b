//! What each layer's tensors are called, and how they are laid out, in the files of each code base:
//! a file of this folder for each, and a line in [`Spelling::of`].

mod cadene;
mod keras;
mod keras_applications;
mod timm_resnet;
mod timm_vgg;
mod torch;
mod torchvision_mobile;
mod torchvision_regnet;

pub(super) use self::cadene::CADENE;
pub(super) use self::keras::{KERAS, canonical_separators};
pub(super) use self::keras_applications::{
    KERAS_EFFICIENTNET, KERAS_EFFICIENTNET_V2, KERAS_MOBILENET_V3, variable_of_normalization,
};
use self::timm_resnet::TIMM_RESNET;
pub(super) use self::timm_vgg::TIMM_VGG;
pub(super) use self::torch::{TORCH, counts_batches, is_not_read, norm_of_part, pool_of_part};
pub(super) use self::torchvision_mobile::{
    TORCHVISION_EFFICIENTNET, TORCHVISION_MNASNET, TORCHVISION_MOBILENET_V2,
    TORCHVISION_MOBILENET_V3,
};
pub(super) use self::torchvision_regnet::TORCHVISION_REGNET;
use crate::network::{Convention, Layers, Operation};

/// How a code base names and lays out the tensors of its files.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling {
    /// The code base in words.
    pub(super) words: &'static str,
    /// Whether a tensor's name is one that the files of others do not have.
    is_told_by: fn(&str) -> bool,
    /// The convention of the networks that such names are of, where they tell it. `true` says
    /// that `PyTorch` has written the file.
    pub(super) convention: fn(bool) -> Option<&'static str>,
    /// Whether a network of another convention may have such names: not where that pads otherwise or
    /// has another epsilon than all networks of the code base.
    pub(super) allows: fn(&Convention) -> bool,
    /// Whether its dense layers slide over maps that are larger than they were made for, as
    /// those of this program do not.
    pub(super) slides_dense_layers: bool,
    /// What a layer is called.
    pub(super) layer: fn(&str, &Layers) -> String,
    /// Whether a layer there has the activation that follows it within: what comes out of it is
    /// the activation's value.
    pub(super) activates: fn(&str) -> bool,
    /// Whether a layer there that is called as one here is another.
    pub(super) means_another: fn(&str) -> bool,
    /// What a layer's parameter is called.
    pub(super) parameter: fn(&Operation, &'static str) -> &'static str,
    /// The ways in which a parameter of our shape may be laid out, the usual one first. A dense
    /// layer may also be spelt as a convolution of all it sees: height and width that the layer
    /// before flattened, else one pixel.
    pub(super) arrangements: fn(&[usize], [usize; 2]) -> Vec<Arrangement>,
}

impl PartialEq for Spelling {
    fn eq(&self, other: &Self) -> bool {
        self.words == other.words
    }
}

impl Spelling {
    /// All but [`TORCH`], whose names are those of this program.
    pub(super) const FOREIGN: [Self; 11] = [
        KERAS_EFFICIENTNET,
        KERAS_EFFICIENTNET_V2,
        KERAS_MOBILENET_V3,
        KERAS,
        CADENE,
        TIMM_VGG,
        TORCHVISION_REGNET,
        TORCHVISION_EFFICIENTNET,
        TORCHVISION_MNASNET,
        TORCHVISION_MOBILENET_V2,
        TORCHVISION_MOBILENET_V3,
    ];

    /// All that may call the values of a dump otherwise than this program.
    pub(super) fn of_dumps() -> impl Iterator<Item = Self> {
        Self::FOREIGN.into_iter().chain([TIMM_RESNET])
    }

    /// The spelling that the names of a file's tensors tell.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut told = Self::FOREIGN.into_iter();
        told.find(|spelling| names.clone().any(spelling.is_told_by))
            .unwrap_or(TORCH)
    }
}

/// How a tensor lies in a file: seen with the dimensions of `view` and permuted, it is ours but
/// for its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arrangement {
    /// Its shape there.
    pub(super) shape: Vec<usize>,
    /// The same numbers in as many dimensions as are permuted.
    pub(super) view: Vec<usize>,
    /// The permutation.
    pub(super) permutation: &'static [usize],
}

impl Arrangement {
    /// That of a tensor which lies as ours of this shape does.
    pub(super) fn as_ours(shape: &[usize]) -> Self {
        Self {
            shape: shape.to_vec(),
            view: shape.to_vec(),
            permutation: match shape.len() {
                0 => &[],
                1 => &[0],
                2 => &[0, 1],
                _ => &[0, 1, 2, 3],
            },
        }
    }
}

/// The path of the block that a layer or block called `name` is in, as timm's mobile networks have
/// it: `blocks.1.0`.
fn block_path(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("blocks.")?;
    let (stage, rest) = rest.split_once('.')?;
    let index = rest.split('.').next()?;
    name.get(.."blocks.".len() + stage.len() + 1 + index.len())
}
