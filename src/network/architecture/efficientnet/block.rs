//! One block of a mobile network.

use super::row::{Kind, Place, Row, Skip};
use super::{EfficientNet, MobileStrided, conv_norm_act};
use crate::network::Activation;
use crate::network::architecture::make_divisible;
use crate::network::builder::{Builder, ConvSpec, SeSpec};
use crate::network::geometry::{Border, Padding, Window};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// What timm calls the layers of these networks' SE blocks.
const SQUEEZE_NAMES: [&str; 4] = ["conv_reduce", "act1", "conv_expand", "gate"];

/// A block as its network has it.
struct Block<'a> {
    network: &'a EfficientNet,
    row: &'a Row,
    place: Place,
    /// Channels of its output.
    channels: usize,
    function: Activation,
}

/// The block of `row` on `x`.
pub(super) fn block(
    net: &mut Builder,
    x: Value,
    network: &EfficientNet,
    (row, place): (&Row, Place),
) -> Value {
    let folded = match place {
        Place::Unfolded => 1,
        Place::Folding | Place::Folded => 4,
    };
    let block = Block {
        network,
        row,
        place,
        channels: network.width.of(row.channels) * folded,
        function: row.activation.unwrap_or(network.activation),
    };
    let y = match row.kind {
        Kind::Conv => {
            let conv = block.spatial(block.channels);
            conv_norm_act(net, ["conv", "bn1"], x, conv, block.function)
        }
        Kind::Depthwise | Kind::Separable => block.depthwise(net, x),
        Kind::Inverted => block.inverted(net, x),
        Kind::Edge => block.edge(net, x),
    };
    let is_of_one_shape = row.stride == 1 && net.channels_of(x) == block.channels;
    match row.skip {
        Skip::Added if is_of_one_shape => net.push("add", Operation::Add, &[y, x]),
        Skip::Added | Skip::None => y,
    }
}

impl Block<'_> {
    fn depthwise(&self, net: &mut Builder, x: Value) -> Value {
        let x = self.folded(net, x);
        let x = self.per_channel(net, x, "bn1");
        let narrow = pointwise(net, "conv_pw", x, self.channels, self.row.parts[1]);
        let narrow = net.norm("bn2", narrow);
        match self.row.kind {
            Kind::Separable => net.group("bn2", |net| net.activation("act", narrow, self.function)),
            Kind::Conv | Kind::Depthwise | Kind::Inverted | Kind::Edge => narrow,
        }
    }

    fn inverted(&self, net: &mut Builder, x: Value) -> Value {
        let x = self.folded(net, x);
        let expanded = self.expanded(net.channels_of(x));
        let x = pointwise(net, "conv_pw", x, expanded, self.row.parts[0]);
        let x = net.norm("bn1", x);
        let x = net.group("bn1", |net| net.activation("act", x, self.function));
        let x = self.per_channel(net, x, "bn2");
        let x = pointwise(net, "conv_pwl", x, self.channels, self.row.parts[1]);
        net.norm("bn3", x)
    }

    fn edge(&self, net: &mut Builder, x: Value) -> Value {
        let expanded = self.expanded(net.channels_of(x));
        let conv = self.spatial(expanded);
        let x = conv_norm_act(net, ["conv_exp", "bn1"], x, conv, self.function);
        let x = self.blurred(net, x);
        let x = self.gated(net, x);
        let x = pointwise(net, "conv_pwl", x, self.channels, self.row.parts[1]);
        net.norm("bn2", x)
    }

    /// Channels inside, of an input of so many.
    fn expanded(&self, channels: usize) -> usize {
        let Row {
            expanded_from,
            expansion,
            pruned,
            ..
        } = *self.row;
        let from = expanded_from.map_or(channels, |channels| self.network.width.of(channels));
        match pruned {
            Some(pruned) => pruned.expanded,
            None => make_divisible(from as f64 * expansion, 8, 0.9),
        }
    }

    /// 2x2 pixels as channels, where the block begins with that.
    fn folded(&self, net: &mut Builder, x: Value) -> Value {
        match self.place {
            Place::Unfolded | Place::Folded => x,
            Place::Folding => {
                let fold = ConvSpec::new(4 * net.channels_of(x), 2).stride(2);
                let fold = fold.padded(Padding::Same);
                conv_norm_act(net, ["conv_s2d", "bn_s2d"], x, fold, self.function)
            }
        }
    }

    /// A spatial convolution of all channels to so many.
    fn spatial(&self, channels: usize) -> ConvSpec {
        // More than one window is for channels that are convolved each by itself.
        let kernel = self.row.kernels.first().copied().unwrap_or_default();
        ConvSpec::new(channels, kernel).stride(self.convolution_stride())
    }

    /// The stride of the spatial convolution.
    fn convolution_stride(&self) -> usize {
        match self.network.strided {
            MobileStrided::Convolution => self.row.stride,
            MobileStrided::Blur => 1,
        }
    }

    /// The spatial convolution of each channel by itself with all that belongs to it, up to the SE
    /// block.
    fn per_channel(&self, net: &mut Builder, x: Value, norm: &str) -> Value {
        let convs: Vec<ConvSpec> = self
            .row
            .kernels
            .iter()
            .map(|&kernel| match self.place {
                // On four channels for four pixels half the window sees as far.
                Place::Folding => {
                    let conv = ConvSpec::new(0, kernel.div_ceil(2));
                    if kernel.div_ceil(2) == 2 {
                        conv.padded(Padding::Same)
                    } else {
                        conv
                    }
                }
                Place::Unfolded | Place::Folded => ConvSpec::new(0, kernel),
            })
            .map(|conv| conv.stride(self.convolution_stride()))
            .collect();
        let group_size = self.network.group_size;
        let x = mixed(net, "conv_dw", x, &convs, |conv, channels, _| {
            conv.channels(channels).groups(channels / group_size.max(1))
        });
        let x = net.norm(norm, x);
        let x = net.group(norm, |net| net.activation("act", x, self.function));
        let x = self.blurred(net, x);
        self.gated(net, x)
    }

    /// Halved by a filter, where a convolution does not do it. The filter is two means of 2x2 after
    /// each other, of which the first counts the zeros beyond the border.
    fn blurred(&self, net: &mut Builder, x: Value) -> Value {
        match self.network.strided {
            MobileStrided::Blur if self.row.stride > 1 => net.group("aa", |net| {
                let first = Window::square(2, 1, Padding::Symmetric([1, 1]));
                let second = Window::square(2, self.row.stride, Padding::VALID);
                let mean = |window| Operation::AveragePool {
                    window,
                    border: Border::Counted,
                };
                let x = net.push("0", mean(first), &[x]);
                net.push("1", mean(second), &[x])
            }),
            MobileStrided::Blur | MobileStrided::Convolution => x,
        }
    }

    fn gated(&self, net: &mut Builder, x: Value) -> Value {
        let Some(share) = self.row.squeeze else {
            return x;
        };
        let share = match self.place {
            // The block's input had a quarter of the channels.
            Place::Folding => share / 4.,
            Place::Unfolded | Place::Folded => share,
        };
        let squeeze = &self.network.squeeze;
        let width = match self.row.pruned {
            Some(pruned) => pruned.squeeze,
            None => squeeze.width(share, self.row.expansion, net.channels_of(x)),
        };
        let spec = SeSpec::new(width)
            .names(SQUEEZE_NAMES)
            .functions(squeeze.activation.unwrap_or(self.function), squeeze.gate);
        net.group("se", |net| net.squeeze_excite(x, &spec))
    }
}

/// A 1x1 convolution to so many channels, split into so many parts.
fn pointwise(net: &mut Builder, name: &str, x: Value, channels: usize, parts: usize) -> Value {
    let convs = vec![ConvSpec::new(0, 1); parts];
    mixed(net, name, x, &convs, |conv, _, part| {
        conv.channels(share(channels, parts, part))
    })
}

/// Convolutions that share the channels of `x` among them, the first taking what is left over (Tan
/// and Le, arXiv:1907.09595); a single one is called `name` itself. `complete` is told how many
/// channels each takes, and which it is.
fn mixed(
    net: &mut Builder,
    name: &str,
    x: Value,
    convs: &[ConvSpec],
    complete: impl Fn(ConvSpec, usize, usize) -> ConvSpec,
) -> Value {
    let channels = net.channels_of(x);
    if let &[conv] = convs {
        return net.conv(name, x, complete(conv, channels, 0));
    }
    net.group(name, |net| {
        let mut first = 0;
        let mut parts = Vec::new();
        for (index, &conv) in convs.iter().enumerate() {
            let channels = share(channels, convs.len(), index);
            let slice = Operation::Slice { first, channels };
            let part = net.push(&format!("slice{index}"), slice, &[x]);
            parts.push(net.conv(&index.to_string(), part, complete(conv, channels, index)));
            first += channels;
        }
        net.concat("concat", &parts)
    })
}

/// Of so many channels in so many parts, how many the part at `index` has.
fn share(channels: usize, parts: usize, index: usize) -> usize {
    let each = channels / parts.max(1);
    if index == 0 {
        channels - each * parts.saturating_sub(1)
    } else {
        each
    }
}
