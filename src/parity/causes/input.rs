//! What the reference may have made of the network's input.

use candle_core::{Device, Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::Value;
use crate::parity::segment::{Edit, Source, Work, first};
use crate::preprocessing::{IMAGENET_MEAN, IMAGENET_STD};

/// The means that Caffe's networks subtract from samples of 0 to 255: blue, green and red.
const CAFFE_MEAN: [f64; 3] = [103.939, 116.779, 123.68];

/// The input, where the segment reads it.
fn own_input<'a>(subject: &Subject<'a>) -> Option<&'a Tensor> {
    let mut nodes = subject.segment.nodes.iter();
    let reads = nodes.any(|node| node.inputs.contains(&Source::Known(Value::INPUT)));
    let input = subject.segment.known.get(&Value::INPUT)?;
    reads.then_some(input)
}

fn attempt(
    cause: Cause,
    explained_by: &str,
    function: impl Fn(&Tensor) -> Result<Tensor> + 'static,
) -> Attempt {
    let work = Work::function(move |inputs| function(first(inputs)?));
    Attempt::new(cause, explained_by, Edit::Input(work))
}

/// Whether the input is of pixels in colour.
fn is_of_colours(subject: &Subject) -> bool {
    own_input(subject).is_some_and(|input| input.rank() == 4 && input.dim(1).is_ok_and(|c| c == 3))
}

pub(super) fn channel_order(subject: &Subject) -> Vec<Attempt> {
    if !is_of_colours(subject) {
        return Vec::new();
    }
    let explained_by = "channels in the other order (BGR or RGB) in the input";
    vec![attempt(Cause::InputChannelOrder, explained_by, |xs| {
        xs.flip(&[1])
    })]
}

pub(super) fn scale(subject: &Subject) -> Vec<Attempt> {
    if own_input(subject).is_none() {
        return Vec::new();
    }
    let scales = [
        ("the input times 255: of 0 to 255, not 0 to 1", 255., 0.),
        ("the input over 255: of 0 to 1, not 0 to 255", 1. / 255., 0.),
        (
            "the input over 127.5, less 1: of -1 to 1, not 0 to 255",
            1. / 127.5,
            -1.,
        ),
        (
            "the input and 1, times 127.5: of 0 to 255, not -1 to 1",
            127.5,
            127.5,
        ),
        ("the input times 2, less 1: of -1 to 1, not 0 to 1", 2., -1.),
        ("the input and 1, halved: of 0 to 1, not -1 to 1", 0.5, 0.5),
    ];
    scales
        .into_iter()
        .map(|(explained_by, factor, offset)| {
            attempt(Cause::InputScale, explained_by, move |xs| {
                xs.affine(factor, offset)
            })
        })
        .collect()
}

/// Each channel times a factor, and an offset.
fn by_channel(xs: &Tensor, factors: [f64; 3], offsets: [f64; 3]) -> Result<Tensor> {
    let of = |values: [f64; 3]| Tensor::new(&values, &Device::Cpu)?.reshape((1, 3, 1, 1));
    xs.broadcast_mul(&of(factors)?)?
        .broadcast_add(&of(offsets)?)
}

pub(super) fn normalization(subject: &Subject) -> Vec<Attempt> {
    if !is_of_colours(subject) {
        return Vec::new();
    }
    let (mean, std) = (IMAGENET_MEAN, IMAGENET_STD);
    // Channel by channel: over the deviation, less the mean over it.
    let over = |samples: f64| std.map(|std| 1. / (std * samples));
    let less: [f64; 3] = std::array::from_fn(|channel| -mean[channel] / std[channel]);
    let cases = [
        (
            "ImageNet's mean and deviation on an input of 0 to 1",
            over(1.),
            less,
        ),
        (
            "ImageNet's mean and deviation on an input of 0 to 255",
            over(255.),
            less,
        ),
        (
            "no ImageNet mean and deviation: an input of 0 to 1",
            std,
            mean,
        ),
        (
            "no ImageNet mean and deviation: an input of 0 to 255",
            std.map(|std| std * 255.),
            mean.map(|mean| mean * 255.),
        ),
        (
            "ImageNet's mean subtracted from an input of 0 to 1, and no deviation",
            [1.; 3],
            mean.map(|mean| -mean),
        ),
    ];
    let mut attempts: Vec<Attempt> = cases
        .into_iter()
        .map(|(explained_by, factors, offsets)| {
            attempt(Cause::InputNormalization, explained_by, move |xs| {
                by_channel(xs, factors, offsets)
            })
        })
        .collect();
    let caffe = [
        ("Caffe's means on an input of 0 to 255, blue first", 1.),
        ("Caffe's means on an input of 0 to 1, blue first", 255.),
    ];
    attempts.extend(caffe.map(|(explained_by, factor)| {
        attempt(Cause::InputNormalization, explained_by, move |xs| {
            by_channel(&xs.flip(&[1])?, [factor; 3], CAFFE_MEAN.map(|mean| -mean))
        })
    }));
    attempts
}

pub(super) fn layout(subject: &Subject) -> Vec<Attempt> {
    let is_map = own_input(subject).is_some_and(|input| input.rank() == 4);
    if !is_map {
        return Vec::new();
    }
    vec![
        attempt(
            Cause::InputLayout,
            "an input in the order NHWC read as NCHW without transposing it",
            |xs| xs.permute((0, 2, 3, 1))?.contiguous()?.reshape(xs.shape()),
        ),
        attempt(
            Cause::InputLayout,
            "an input in the order NCHW read as NHWC without transposing it",
            |xs| {
                let (batch, channels, height, width) = xs.dims4()?;
                let there = xs.reshape((batch, height, width, channels))?;
                there.permute((0, 3, 1, 2))?.contiguous()
            },
        ),
    ]
}

pub(super) fn transposed(subject: &Subject) -> Vec<Attempt> {
    let is_map = own_input(subject).is_some_and(|input| input.rank() == 4);
    if !is_map {
        return Vec::new();
    }
    let explained_by = "the input's rows and columns in each other's place";
    vec![attempt(Cause::InputTransposed, explained_by, |xs| {
        xs.transpose(2, 3)?.contiguous()
    })]
}
