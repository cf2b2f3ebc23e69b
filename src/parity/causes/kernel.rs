//! How a kernel may be laid out otherwise.

use candle_core::{Result, Tensor};

use super::Cause;
use super::gate::block_of;
use super::subject::{Attempt, Subject, attempts};
use crate::network::Operation;
use crate::network::geometry::{Padding, Window};
use crate::network::operation::Conv;
use crate::parity::segment::Work;

pub(super) fn bias_missing(subject: &Subject) -> Vec<Attempt> {
    let operation = match subject.operation() {
        Operation::Conv(conv) if conv.bias => Operation::Conv(Conv {
            bias: false,
            ..conv
        }),
        Operation::Linear {
            inputs,
            outputs,
            bias: true,
        } => Operation::Linear {
            inputs,
            outputs,
            bias: false,
        },
        _ => return Vec::new(),
    };
    let layer = subject.segment.nodes[subject.node].layer;
    let (cause, explained_by) = match block_of(subject, layer) {
        Some(_) => (Cause::GateBiasMissing, "no bias in the SE block"),
        None => (Cause::BiasMissing, "no bias"),
    };
    vec![Attempt::new(
        cause,
        explained_by,
        subject.operation_instead(operation),
    )]
}

/// The subject's kernel, where it is a convolution or dense layer.
fn own_kernel(subject: &Subject) -> Option<Tensor> {
    match subject.operation() {
        Operation::Conv(_) | Operation::Linear { .. } => subject.tensors().get("weight").cloned(),
        _ => None,
    }
}

fn own_conv(subject: &Subject) -> Option<Conv> {
    match subject.operation() {
        Operation::Conv(conv) => Some(conv),
        _ => None,
    }
}

/// The layer with another kernel, where `change` makes one.
fn changed(
    subject: &Subject,
    cause: Cause,
    explained_by: &str,
    change: impl Fn(&Tensor) -> Result<Option<Tensor>>,
) -> Vec<Attempt> {
    let Some(kernel) = own_kernel(subject) else {
        return Vec::new();
    };
    attempts(change(&kernel).map(|changed| {
        changed.map(|changed| {
            let mut tensors = subject.tensors();
            tensors.insert("weight".to_owned(), changed);
            Attempt::new(cause, explained_by, subject.tensors_instead(tensors))
        })
    }))
}

pub(super) fn transposed(subject: &Subject) -> Vec<Attempt> {
    let Some(conv) = own_conv(subject) else {
        return Vec::new();
    };
    let [rows, columns] = conv.window.kernel;
    if rows * columns == 1 {
        return Vec::new();
    }
    let Some(kernel) = own_kernel(subject) else {
        return Vec::new();
    };
    let Ok(kernel) = kernel
        .transpose(2, 3)
        .and_then(|kernel| kernel.contiguous())
    else {
        return Vec::new();
    };
    let padding = match conv.window.padding {
        Padding::Same => Padding::Same,
        Padding::Symmetric([down, across]) => Padding::Symmetric([across, down]),
        Padding::Explicit([down, across]) => Padding::Explicit([across, down]),
    };
    let conv = Conv {
        window: Window {
            kernel: [columns, rows],
            padding,
            ..conv.window
        },
        ..conv
    };
    let mut tensors = subject.tensors();
    tensors.insert("weight".to_owned(), kernel);
    let work = Work::Operation(Operation::Conv(conv), tensors);
    vec![Attempt::new(
        Cause::KernelTransposed,
        "the kernel's height and width in each other's place",
        subject.instead(work),
    )]
}

pub(super) fn flipped(subject: &Subject) -> Vec<Attempt> {
    let explained_by = "the kernel turned round (convolution in place of correlation)";
    changed(
        subject,
        Cause::KernelFlipped,
        explained_by,
        |kernel| match *kernel.dims() {
            [_, _, rows, columns] if rows * columns > 1 => kernel.flip(&[2, 3]).map(Some),
            _ => Ok(None),
        },
    )
}

pub(super) fn channels_swapped(subject: &Subject) -> Vec<Attempt> {
    let explained_by = "the kernel's inputs and outputs in each other's place";
    changed(
        subject,
        Cause::KernelChannelsSwapped,
        explained_by,
        |kernel| {
            let is_square = kernel.dim(0)? == kernel.dim(1)? && kernel.dim(0)? > 1;
            if !is_square {
                return Ok(None);
            }
            kernel.transpose(0, 1)?.contiguous().map(Some)
        },
    )
}

/// `TensorFlow`'s order of axes, `[rows, columns, in, out]` or `[in, out]`, from `PyTorch`'s.
fn as_tensorflow(kernel: &Tensor) -> Result<Tensor> {
    match kernel.rank() {
        4 => kernel.permute((2, 3, 1, 0))?.contiguous(),
        _ => kernel.t()?.contiguous(),
    }
}

/// Numbers in the order of `TensorFlow`'s axes taken for those in `PyTorch`'s, or the other way
/// round, and nothing transposed.
pub(super) fn misread(subject: &Subject) -> Vec<Attempt> {
    // What only exchanges inputs and outputs has a name of its own.
    let is_told_apart = |kernel: &Tensor| -> Result<bool> {
        let dims = kernel.dims();
        let spatial: usize = dims.iter().skip(2).product();
        Ok(spatial > 1 || kernel.dim(0)? != kernel.dim(1)?)
    };
    let taken_for_pytorch = changed(
        subject,
        Cause::KernelMisread,
        "a kernel of TensorFlow's axes (HWIO) read as PyTorch's (OIHW) without transposing it",
        |kernel| {
            if !is_told_apart(kernel)? {
                return Ok(None);
            }
            as_tensorflow(kernel)?.reshape(kernel.shape()).map(Some)
        },
    );
    let taken_for_tensorflow = changed(
        subject,
        Cause::KernelMisread,
        "a kernel of PyTorch's axes (OIHW) read as TensorFlow's (HWIO) without transposing it",
        |kernel| {
            if !is_told_apart(kernel)? {
                return Ok(None);
            }
            let there = match *kernel.dims() {
                [outputs, inputs, rows, columns] => kernel
                    .reshape((rows, columns, inputs, outputs))?
                    .permute((3, 2, 0, 1))?,
                _ => kernel.reshape((kernel.dim(1)?, kernel.dim(0)?))?.t()?,
            };
            there.contiguous().map(Some)
        },
    );
    [taken_for_pytorch, taken_for_tensorflow].concat()
}

/// The groups that channels of a grouped convolution may be counted by, where that makes a
/// difference: those there are, and as many as a group has channels.
fn interleavings(groups: usize, channels: usize) -> Vec<usize> {
    let of_group = channels / groups.max(1);
    let mut counts = vec![groups, of_group];
    counts.dedup();
    counts.retain(|&count| count > 1 && count < channels);
    counts
}

pub(super) fn group_outputs_reordered(subject: &Subject) -> Vec<Attempt> {
    let Some(conv) = own_conv(subject).filter(|conv| conv.groups > 1) else {
        return Vec::new();
    };
    let mut attempts = Vec::new();
    for groups in interleavings(conv.groups, conv.out_channels) {
        attempts.push(Attempt::new(
            Cause::GroupOutputsReordered,
            "the outputs of the groups interleaved",
            subject.after(Operation::ShuffleChannels { groups }),
        ));
        let mut tensors = subject.tensors();
        let reordered = tensors.values_mut().try_for_each(|tensor| {
            *tensor = interleaved(tensor, groups)?;
            Ok::<_, candle_core::Error>(())
        });
        if reordered.is_ok() {
            attempts.push(Attempt::new(
                Cause::GroupOutputsReordered,
                "the kernels of the groups interleaved",
                subject.tensors_instead(tensors),
            ));
        }
    }
    attempts
}

/// A tensor whose first axis counts `groups` of something, the first of each group first.
fn interleaved(tensor: &Tensor, groups: usize) -> Result<Tensor> {
    let outputs = tensor.dim(0)?;
    tensor
        .reshape((groups, outputs / groups, ()))?
        .transpose(0, 1)?
        .contiguous()?
        .reshape(tensor.shape())
}

pub(super) fn group_inputs_reordered(subject: &Subject) -> Vec<Attempt> {
    let Some(conv) = own_conv(subject).filter(|conv| conv.groups > 1) else {
        return Vec::new();
    };
    let counts = interleavings(conv.groups, conv.in_channels).into_iter();
    let attempt = |groups| {
        Attempt::new(
            Cause::GroupInputsReordered,
            "the inputs of the groups interleaved",
            subject.before(0, Operation::ShuffleChannels { groups }),
        )
    };
    counts.map(attempt).collect()
}
