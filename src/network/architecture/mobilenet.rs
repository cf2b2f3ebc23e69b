//! `MobileNet` (Howard et al., arXiv:1704.04861) with SE blocks (Hu et al., arXiv:1709.01507, section
//! 5.1) and without.

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::layers::Value;

/// A convolution, thirteen depthwise separable ones, global average pool, classifier.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MobileNet {
    /// The width of the SE blocks, if there are any: one after the last `ReLU` of each separable
    /// convolution. The paper does not say where; of 4.7 million parameters, as its table 3 states,
    /// are the networks with one there alone, as it puts them into VGG.
    pub squeeze: Option<SqueezeWidth>,
}

/// Table 1: channels of the first convolution, then of each separable one, a list for each size of
/// the image.
const STEM: usize = 32;
const STAGES: [&[usize]; 5] = [&[64], &[128; 2], &[256; 2], &[512; 6], &[1024; 2]];

pub(super) fn mobilenet(net: &mut Builder, network: &MobileNet, classes: usize) {
    let conv = ConvSpec::new(STEM, 3).stride(2);
    let mut x = net.conv_norm_relu(["conv1", "bn1", "relu"], Value::INPUT, conv);
    for (stage, blocks) in STAGES.iter().enumerate() {
        for (index, &channels) in blocks.iter().enumerate() {
            let stride = if stage > 0 && index == 0 { 2 } else { 1 };
            x = net.block(&format!("layer{}.{index}", stage + 1), |net| {
                let conv = ConvSpec::depthwise(net.channels_of(x), 3).stride(stride);
                let y = net.conv_norm_relu(["conv_dw", "bn_dw", "relu_dw"], x, conv);
                let conv = ConvSpec::new(channels, 1);
                let y = net.conv_norm_relu(["conv_pw", "bn_pw", "relu_pw"], y, conv);
                net.gate("se", y, network.squeeze)
            });
        }
    }
    net.classifier("fc", x, classes);
}
