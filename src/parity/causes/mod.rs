//! Why a value differs: what the reference may do otherwise is tried on the layers that make the
//! value, and what explains the difference is said.

mod activation;
mod cause;
mod explanation;
mod gate;
mod input;
mod kernel;
mod layout;
mod nearby;
mod norm;
mod padding;
mod pool;
mod precision;
mod search;
mod stride;
mod subject;
mod wiring;

#[cfg(test)]
mod tests;

pub use cause::Cause;
pub use explanation::{Element, Explanation, Found, Hypothesis};
pub use search::explain;

use subject::Rule;

/// All that is tried on each layer.
const OF_LAYERS: &[Rule] = &[
    norm::epsilon,
    norm::batch_statistics,
    norm::weight_missing,
    norm::bias_missing,
    norm::weight_and_bias_swapped,
    norm::mean_and_variance_swapped,
    norm::variance_as_deviation,
    norm::missing,
    kernel::bias_missing,
    kernel::transposed,
    kernel::flipped,
    kernel::channels_swapped,
    kernel::misread,
    kernel::group_outputs_reordered,
    kernel::group_inputs_reordered,
    padding::same,
    padding::symmetric,
    padding::odd_pixel,
    padding::valid,
    padding::of_zeros,
    stride::another,
    pool::rounding,
    pool::border,
    pool::zero_padding,
    pool::kind,
    activation::missing,
    activation::another,
    activation::extra,
    activation::before_addition,
    gate::squeeze_of_maximum,
    gate::added,
    gate::missing,
    layout::flatten_order,
    layout::dense_after_flatten,
    layout::softmax_applied,
    layout::softmax_missing,
    wiring::another_input,
    wiring::concat_order,
    wiring::shuffle_order,
    wiring::layer_missing,
    precision::tf32_products,
    precision::f16,
    precision::bf16,
];

/// What is tried on several layers of a segment together or on the network's input, beside every one
/// of the above on all layers that it is for.
const OF_SEGMENTS: &[Rule] = &[
    stride::exchanged,
    activation::moved,
    gate::moved_before_activation,
    gate::moved_after_activation,
    input::channel_order,
    input::scale,
    input::normalization,
    input::layout,
    input::transposed,
];
