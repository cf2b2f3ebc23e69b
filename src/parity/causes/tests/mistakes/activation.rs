//! Mistakes in activations.

use super::super::networks::{Case, Named};
use super::{Mistake, is_norm, mistake};
use crate::network::{Activation, Operation};
use crate::parity::causes::Cause;

fn is_activation(layer: &Named, activation: Activation) -> bool {
    layer.operation == Operation::Activation(activation)
}

fn activation_instead(case: &mut Case, own: Activation, other: Activation) -> Option<String> {
    let name = case.some(|layer| is_activation(layer, own))?;
    case.at(&name).operation = Operation::Activation(other);
    Some(name)
}

/// Every one of these activations becomes another.
fn all_instead(case: &mut Case, own: Activation, other: Activation) -> Option<()> {
    let names = case.all(|layer| is_activation(layer, own));
    for name in &names {
        case.at(name).operation = Operation::Activation(other);
    }
    (!names.is_empty()).then_some(())
}

/// A rectifier after a layer, under the layer's own name.
fn rectify(case: &mut Case, name: &str) {
    let hidden = format!("{name}.before");
    let place = case.place(name);
    let layer = case.list[place].clone();
    for parameter in layer.operation.parameters() {
        let tensor = case.tensor(name, parameter.name);
        case.set(&hidden, parameter.name, tensor);
    }
    case.list.insert(
        place,
        Named {
            name: hidden.clone(),
            ..layer
        },
    );
    *case.at(name) = Named {
        name: name.to_owned(),
        operation: Operation::Activation(Activation::Relu),
        inputs: vec![hidden.clone()],
    };
    case.omitted.push(hidden);
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake("ReLU missing", Cause::ActivationMissing, |case| {
        let name = case.some(|layer| is_activation(layer, Activation::Relu))?;
        case.leave_out(&name);
        Some(name)
    }),
    mistake("ReLU more", Cause::ActivationExtra, |case| {
        let name = case.some(|layer| {
            is_norm(layer)
                && !case
                    .readers(&layer.name)
                    .iter()
                    .any(|reader| matches!(case.operation(reader), Some(Operation::Activation(_))))
        })?;
        rectify(case, &name);
        Some(name)
    }),
    mistake(
        "ReLU before the addition, not after",
        Cause::ActivationExtra,
        |case| {
            let name = case.some(|layer| layer.operation == Operation::Add)?;
            case.hook(&name, |inputs| {
                (inputs[0].relu().unwrap() + inputs[1]).unwrap()
            });
            if let [reader] = &case.readers(&name)[..]
                && matches!(case.operation(reader), Some(Operation::Activation(_)))
            {
                let reader = reader.clone();
                case.leave_out(&reader);
            }
            Some(name)
        },
    ),
    mistake("other hard sigmoid", Cause::HardSigmoidDefinition, |case| {
        activation_instead(case, Activation::HardSigmoid, Activation::HardSigmoidKeras2)
    }),
    mistake(
        "sigmoid for hard sigmoid",
        Cause::SigmoidOrHardSigmoid,
        |case| activation_instead(case, Activation::HardSigmoid, Activation::Sigmoid),
    ),
    mistake(
        "hard sigmoid for sigmoid",
        Cause::SigmoidOrHardSigmoid,
        |case| activation_instead(case, Activation::Sigmoid, Activation::HardSigmoid),
    ),
    mistake("SiLU for hard swish", Cause::SiluOrHardSwish, |case| {
        activation_instead(case, Activation::HardSwish, Activation::Silu)
    }),
    Mistake {
        name: "GELU by tanh, not by erf",
        cause: Cause::GeluForm,
        prepare: |case| all_instead(case, Activation::Relu, Activation::Gelu),
        make: |case| activation_instead(case, Activation::Gelu, Activation::GeluTanh),
    },
    Mistake {
        name: "another leaky slope",
        cause: Cause::LeakySlope,
        prepare: |case| {
            let leaky = Activation::LeakyRelu { slope: 0.01 };
            all_instead(case, Activation::Relu, leaky)
        },
        make: |case| {
            let own = Activation::LeakyRelu { slope: 0.01 };
            activation_instead(case, own, Activation::LeakyRelu { slope: 0.2 })
        },
    },
    Mistake {
        name: "ReLU6 for ReLU",
        cause: Cause::Relu6OrRelu,
        // Values beyond 6.
        prepare: |case| {
            for name in case.all(is_norm) {
                let bias = (case.tensor(&name, "bias") * 30.).unwrap();
                case.set(&name, "bias", bias);
            }
            Some(())
        },
        make: |case| {
            let values = case.values();
            let exceeds = |name: &str| {
                let (_, value) = values.iter().find(|(other, _)| other == name).unwrap();
                value.max_all().unwrap().to_scalar::<f64>().unwrap() > 6.
            };
            let name =
                case.some(|layer| is_activation(layer, Activation::Relu) && exceeds(&layer.name))?;
            case.at(&name).operation = Operation::Activation(Activation::Relu6);
            Some(name)
        },
    },
    mistake("SiLU for ReLU", Cause::AnotherActivation, |case| {
        activation_instead(case, Activation::Relu, Activation::Silu)
    }),
];
