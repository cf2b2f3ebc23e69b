//! What the Inception networks have in common (Szegedy et al., arXiv:1512.00567 and 1602.07261).

use crate::network::builder::{Builder, ConvSpec};
use crate::network::geometry::{Padding, Window};
use crate::network::layers::Value;

/// A convolution of so many channels, rows and columns that keeps the image's size.
pub(super) const fn conv(channels: usize, kernel: [usize; 2]) -> ConvSpec {
    ConvSpec::rectangular(channels, kernel)
}

/// A 3x3 convolution that halves the image, without padding.
pub(super) const fn halving(channels: usize) -> ConvSpec {
    ConvSpec::new(channels, 3).stride(2).valid()
}

/// A convolution, its batch norm and its `ReLU`.
pub(super) fn unit(net: &mut Builder, name: &str, x: Value, conv: ConvSpec) -> Value {
    net.group(name, |net| {
        net.conv_norm_relu(["conv", "bn", "relu"], x, conv)
    })
}

/// Units one after the other. Each is called by the `name` alone where it is the only one, else
/// as `numbered` says of its place, which counts from 0.
pub(super) fn chain(
    net: &mut Builder,
    x: Value,
    name: &str,
    convs: &[ConvSpec],
    numbered: impl Fn(usize) -> String,
) -> Value {
    match convs {
        [conv] => unit(net, name, x, *conv),
        _ => convs
            .iter()
            .enumerate()
            .fold(x, |x, (place, conv)| unit(net, &numbered(place), x, *conv)),
    }
}

/// A 3x3 average pool that keeps the image's size.
pub(super) fn smooth(net: &mut Builder, name: &str, x: Value) -> Value {
    let window = Window::square(3, 1, Padding::Symmetric([1, 1]));
    net.average_pool(name, x, window)
}

/// The stem that Inception-v3 and Inception-ResNet-v2 share, down to an eighth of the image.
pub(super) fn stem(net: &mut Builder, names: [&str; 7]) -> Value {
    let [first, second, third, pool, fourth, fifth, last_pool] = names;
    let x = unit(net, first, Value::INPUT, halving(32));
    let x = unit(net, second, x, conv(32, [3, 3]).valid());
    let x = unit(net, third, x, conv(64, [3, 3]));
    let x = net.max_pool(pool, x, 3, 2);
    let x = unit(net, fourth, x, conv(80, [1, 1]));
    let x = unit(net, fifth, x, conv(192, [3, 3]).valid());
    net.max_pool(last_pool, x, 3, 2)
}
