//! VGG with batch norms (Simonyan and Zisserman, arXiv:1409.1556), its layers numbered as in
//! torchvision.

use super::SqueezeWidth;
use crate::network::builder::{Builder, ConvSpec};
use crate::network::layers::Value;
use crate::network::operation::Operation;

/// Stages of 3x3 convolutions, each ended by a max pool, and three dense layers.
///
/// The pixels that the first dense layer sees are always 7x7: at other sizes than 224x224 an
/// adaptive average pool makes them so, as in torchvision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vgg {
    /// For each stage how many convolutions it has.
    pub depths: &'static [usize],
    /// The width of the SE blocks, if there are any: one after the `ReLU` of every convolution, where the `SENet`
    /// paper has them ("insertion after the non-linearity following each convolution", section 3.3).
    pub squeeze: Option<SqueezeWidth>,
}

/// Channels of the first stage, which the next ones double, and of the last ones.
const CHANNELS: [usize; 2] = [64, 512];

/// Channels of the two hidden dense layers.
const HIDDEN: usize = 4096;

pub(super) fn vgg(net: &mut Builder, network: &Vgg, classes: usize) {
    let [first, most] = CHANNELS;
    let mut x = Value::INPUT;
    let mut index = 0;
    for (stage, &depth) in network.depths.iter().enumerate() {
        let channels = (first << stage).min(most);
        for place in 1..=depth {
            let [conv, norm, relu] = [0, 1, 2].map(|layer| format!("features.{}", index + layer));
            x = net.conv_norm_relu([&conv, &norm, &relu], x, ConvSpec::new(channels, 3));
            x = net.gate(&format!("se{}_{place}", stage + 1), x, network.squeeze);
            index += 3;
        }
        let pool = format!("features.{index}");
        x = net.max_pool(&pool, x, 2, 2);
        net.ends_block(&pool);
        index += 1;
    }
    let pixels = [7, 7];
    let x = net.push("avgpool", Operation::AdaptiveAveragePool(pixels), &[x]);
    let x = net.flatten("flatten", x, pixels);
    // The numbers left out are dropout, which is nothing in inference.
    let x = net.linear("classifier.0", x, HIDDEN);
    let x = net.relu("classifier.1", x);
    let x = net.linear("classifier.3", x, HIDDEN);
    let x = net.relu("classifier.4", x);
    net.linear("classifier.6", x, classes);
}
