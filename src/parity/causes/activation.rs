//! What an activation may be otherwise, and where.

use candle_core::{Result, Tensor};

use super::Cause;
use super::subject::{Attempt, Subject};
use crate::network::{Activation, Operation};
use crate::parity::segment::{Edit, Source, Work, first};

/// Slopes of leaky rectifiers: `PyTorch`'s, Darknet's, `TensorFlow`'s and Keras's.
const SLOPES: [f64; 4] = [0.01, 0.1, 0.2, 0.3];

pub(super) fn missing(subject: &Subject) -> Vec<Attempt> {
    let attempt = subject.activation().map(|activation| {
        Attempt::new(
            Cause::ActivationMissing,
            format!("no {}", activation.name()),
            subject.instead(Work::nothing()),
        )
    });
    attempt.into_iter().collect()
}

/// A function that no network of this program has.
type Elementwise = fn(&Tensor) -> Result<Tensor>;

/// What the exchange of two activations is called.
fn cause(own: Activation, other: Activation) -> Cause {
    use Activation::{
        Gelu, GeluTanh, HardSigmoid, HardSigmoidKeras2, HardSwish, LeakyRelu, Relu, Relu6, Sigmoid,
        Silu,
    };
    match (own, other) {
        (HardSigmoid, HardSigmoidKeras2) | (HardSigmoidKeras2, HardSigmoid) => {
            Cause::HardSigmoidDefinition
        }
        (Sigmoid, HardSigmoid | HardSigmoidKeras2) | (HardSigmoid | HardSigmoidKeras2, Sigmoid) => {
            Cause::SigmoidOrHardSigmoid
        }
        (Silu, HardSwish) | (HardSwish, Silu) => Cause::SiluOrHardSwish,
        (Gelu, GeluTanh) | (GeluTanh, Gelu) => Cause::GeluForm,
        (LeakyRelu { .. }, LeakyRelu { .. }) => Cause::LeakySlope,
        (Relu, Relu6) | (Relu6, Relu) => Cause::Relu6OrRelu,
        _ => Cause::AnotherActivation,
    }
}

/// `leaky relu of slope 0.1`.
fn described(activation: Activation) -> String {
    match activation {
        Activation::LeakyRelu { slope } => format!("leaky relu of slope {slope}"),
        other => other.name().to_owned(),
    }
}

pub(super) fn another(subject: &Subject) -> Vec<Attempt> {
    let Some(own) = subject.activation() else {
        return Vec::new();
    };
    let leaky = SLOPES.map(|slope| Activation::LeakyRelu { slope });
    let is_leaky = |activation: &Activation| matches!(activation, Activation::LeakyRelu { .. });
    let known = Activation::ALL.into_iter().filter(|other| !is_leaky(other));
    let others = known.chain(leaky).filter(|&other| other != own);
    let instead = |other| {
        Attempt::new(
            cause(own, other),
            format!("{} in place of {}", described(other), described(own)),
            subject.operation_instead(Operation::Activation(other)),
        )
    };
    let mut attempts: Vec<Attempt> = others.map(instead).collect();
    let unnamed: [(&str, Elementwise, Cause); 4] = [
        ("gelu (sigmoid)", gelu_of_sigmoid, Cause::GeluForm),
        (
            "hard swish (Keras 2)",
            hard_swish_of_keras_2,
            Cause::HardSigmoidDefinition,
        ),
        ("elu", |xs| xs.elu(1.), Cause::AnotherActivation),
        ("tanh", Tensor::tanh, Cause::AnotherActivation),
    ];
    for (name, function, cause) in unnamed {
        let cause = match (cause, own) {
            (Cause::GeluForm, Activation::Gelu | Activation::GeluTanh)
            | (Cause::HardSigmoidDefinition, Activation::HardSwish) => cause,
            _ => Cause::AnotherActivation,
        };
        let work = Work::function(move |inputs| function(first(inputs)?));
        let explained_by = format!("{name} in place of {}", described(own));
        attempts.push(Attempt::new(cause, explained_by, subject.instead(work)));
    }
    attempts
}

/// x sigmoid(1.702 x): Hendrycks and Gimpel, arXiv:1606.08415, section 2.
fn gelu_of_sigmoid(xs: &Tensor) -> Result<Tensor> {
    xs * candle_nn::ops::sigmoid(&(xs * 1.702)?)?
}

/// x times Keras 2's hard sigmoid.
fn hard_swish_of_keras_2(xs: &Tensor) -> Result<Tensor> {
    xs * xs.affine(0.2, 0.5)?.clamp(0., 1.)?
}

/// The activations that the network has anywhere, and a rectifier.
fn usual(subject: &Subject) -> Vec<Activation> {
    let mut usual = vec![Activation::Relu];
    for layer in subject.segment.layers.as_slice() {
        if let Operation::Activation(activation) = layer.operation
            && !usual.contains(&activation)
        {
            usual.push(activation);
        }
    }
    usual
}

pub(super) fn extra(subject: &Subject) -> Vec<Attempt> {
    if subject.activation().is_some() || subject.is_output() {
        return Vec::new();
    }
    let attempt = |activation: Activation| {
        Attempt::new(
            Cause::ActivationExtra,
            format!("{} more after it", described(activation)),
            subject.after(Operation::Activation(activation)),
        )
    };
    usual(subject).into_iter().map(attempt).collect()
}

/// An activation of one of the values that are added.
pub(super) fn before_addition(subject: &Subject) -> Vec<Attempt> {
    if subject.operation() != Operation::Add {
        return Vec::new();
    }
    let mut attempts = Vec::new();
    for activation in usual(subject) {
        for slot in [0, 1] {
            attempts.push(Attempt::new(
                Cause::ActivationExtra,
                format!("{} before the addition", described(activation)),
                subject.before(slot, Operation::Activation(activation)),
            ));
        }
    }
    attempts
}

/// An activation on the other side of an addition.
pub(super) fn moved(subject: &Subject) -> Vec<Attempt> {
    let mut attempts = Vec::new();
    for node in 0..subject.segment.nodes.len() {
        let addition = subject.at(node);
        if addition.operation() != Operation::Add {
            continue;
        }
        let readers: Vec<usize> = addition.readers().collect();
        if let [reader] = readers[..]
            && let Some(after) = subject.segment.node_of(reader)
            && let Some(activation) = addition.at(after).activation()
        {
            for slot in [0, 1] {
                attempts.push(Attempt {
                    cause: Cause::ActivationMoved,
                    explained_by: format!(
                        "{} before the addition, not after",
                        described(activation)
                    ),
                    edits: vec![
                        addition.before(slot, Operation::Activation(activation)),
                        Edit::Work(after, Work::nothing()),
                    ],
                });
            }
        }
        for source in &subject.segment.nodes[node].inputs {
            if let Source::Node(before) = *source
                && let Some(activation) = addition.at(before).activation()
                && addition.at(before).readers().count() == 1
            {
                attempts.push(Attempt {
                    cause: Cause::ActivationMoved,
                    explained_by: format!(
                        "{} after the addition, not before",
                        described(activation)
                    ),
                    edits: vec![
                        Edit::Work(before, Work::nothing()),
                        addition.after(Operation::Activation(activation)),
                    ],
                });
            }
        }
    }
    attempts
}
