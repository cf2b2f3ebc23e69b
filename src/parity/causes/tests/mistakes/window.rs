//! Mistakes in paddings, strides and pools.

use super::super::networks::{Case, Named};
use super::{Mistake, conv, mistake};
use crate::network::Operation;
use crate::network::geometry::{Border, Padding, Rounding, Window};
use crate::parity::causes::Cause;
use candle_core::Tensor;
use candle_nn::Module;

fn window_of(operation: Operation) -> Option<Window> {
    match operation {
        Operation::Conv(conv) => Some(conv.window),
        Operation::MaxPool(window) | Operation::AveragePool { window, .. } => Some(window),
        _ => None,
    }
}

fn has_padded_maximum(layer: &Named) -> bool {
    matches!(layer.operation, Operation::MaxPool(window) if window.padding != Padding::VALID)
}

fn set_window(case: &mut Case, name: &str, change: impl Fn(Window) -> Window) {
    let layer = case.at(name);
    match &mut layer.operation {
        Operation::Conv(conv) => conv.window = change(conv.window),
        Operation::MaxPool(window) | Operation::AveragePool { window, .. } => {
            *window = change(*window);
        }
        _ => unreachable!(),
    }
}

/// A padding that keeps a layer's size, so that all layers after it are computed.
fn pad_otherwise(
    case: &mut Case,
    is_wanted: fn(&Window) -> bool,
    change: impl Fn(Window, [usize; 2]) -> Option<Padding>,
) -> Option<String> {
    let values: std::collections::HashMap<String, Tensor> = case.values().into_iter().collect();
    let size_of = |name: &str| {
        let dims = values.get(name).unwrap_or(&case.input).dims().to_vec();
        [dims[2], dims[3]]
    };
    let mut found = Vec::new();
    for layer in &case.list {
        let Some(window) = window_of(layer.operation).filter(&is_wanted) else {
            continue;
        };
        let size = size_of(&layer.inputs[0]);
        let Some(padding) = change(window, size) else {
            continue;
        };
        let [own, other] = [window, Window { padding, ..window }].map(|w| w.extents(size));
        let (Ok(own), Ok(other)) = (own, other) else {
            continue;
        };
        let has_size = own.map(|extent| extent.output) == other.map(|extent| extent.output);
        if has_size && own.map(|extent| extent.before) != other.map(|extent| extent.before) {
            found.push((layer.name.clone(), padding));
        }
    }
    let (name, padding) = found.get(found.len() / 3)?.clone();
    set_window(case, &name, |window| Window { padding, ..window });
    Some(name)
}

/// Ends the network after a layer, so that sizes that do not fit later do not matter.
fn end_at(case: &mut Case, name: &str) {
    let place = case.place(name);
    case.list.truncate(place + 1);
}

pub(super) const MISTAKES: &[Mistake] = &[
    mistake(
        "symmetric padding for SAME",
        Cause::PaddingSymmetric,
        |case| {
            pad_otherwise(
                case,
                |window| window.padding == Padding::Same,
                |window, _| Some(Padding::Symmetric(window.kernel.map(|kernel| kernel / 2))),
            )
        },
    ),
    mistake("SAME for symmetric padding", Cause::PaddingSame, |case| {
        pad_otherwise(
            case,
            |window| matches!(window.padding, Padding::Symmetric(_)),
            |_, _| Some(Padding::Same),
        )
    }),
    mistake(
        "SAME's odd pixel on the other side",
        Cause::PaddingOddPixel,
        |case| {
            pad_otherwise(
                case,
                |window| window.padding == Padding::Same && window.kernel != [3, 3],
                |window, size| {
                    let extents = window.extents(size).ok()?;
                    Some(Padding::Explicit(
                        extents.map(|extent| [extent.after, extent.before]),
                    ))
                },
            )
            .or_else(|| {
                pad_otherwise(
                    case,
                    |window| window.padding == Padding::Same,
                    |window, size| {
                        let extents = window.extents(size).ok()?;
                        Some(Padding::Explicit(
                            extents.map(|extent| [extent.after, extent.before]),
                        ))
                    },
                )
            })
        },
    ),
    Mistake {
        name: "zeros on the other side, in a layer of their own",
        cause: Cause::PaddingOddPixel,
        // As Keras's MobileNets pad before a convolution of stride 2.
        prepare: |case| {
            let name = case.some(|layer| {
                conv(layer).is_some_and(|conv| {
                    (conv.window.stride, conv.window.kernel) == ([2, 2], [3, 3])
                })
            })?;
            set_window(case, &name, |window| Window {
                padding: Padding::VALID,
                ..window
            });
            let place = case.place(&name);
            let read = std::mem::replace(&mut case.at(&name).inputs[0], "pad".to_owned());
            let pad = Named {
                name: "pad".to_owned(),
                operation: Operation::ZeroPad([[0, 1], [0, 1]]),
                inputs: vec![read],
            };
            case.list.insert(place, pad);
            Some(())
        },
        make: |case| {
            case.at("pad").operation = Operation::ZeroPad([[1, 0], [1, 0]]);
            Some("pad".to_owned())
        },
    },
    mistake("no padding (VALID)", Cause::PaddingValid, |case| {
        let padded = |layer: &Named| {
            conv(layer).is_some_and(|conv| {
                conv.window.padding != Padding::VALID && conv.window.kernel[0] > 1
            })
        };
        // An early one, which still has pixels enough.
        let name = case.all(padded).first()?.clone();
        set_window(case, &name, |window| Window {
            padding: Padding::VALID,
            ..window
        });
        end_at(case, &name);
        Some(name)
    }),
    mistake(
        "stride on another convolution",
        Cause::StrideElsewhere,
        |case| {
            let name = case.some(|layer| {
                conv(layer).is_some_and(|conv| conv.window.stride == [2, 2])
                    && layer.inputs[0] != "input"
            })?;
            set_window(case, &name, |window| Window {
                stride: [1, 1],
                ..window
            });
            end_at(case, &name);
            Some(name)
        },
    ),
    mistake("pool rounded the other way", Cause::PoolRounding, |case| {
        let name = case.some(|layer| {
            matches!(layer.operation, Operation::MaxPool(window) if window.stride == [2, 2])
        })?;
        set_window(case, &name, |window| Window {
            rounding: match window.rounding {
                Rounding::Ceil => Rounding::Floor,
                Rounding::Floor => Rounding::Ceil,
            },
            ..window
        });
        end_at(case, &name);
        Some(name)
    }),
    mistake(
        "average with or without its padding",
        Cause::PoolBorder,
        |case| {
            let name =
                case.some(|layer| matches!(layer.operation, Operation::AveragePool { .. }))?;
            let Operation::AveragePool { border, .. } = &mut case.at(&name).operation else {
                unreachable!();
            };
            *border = match *border {
                Border::Counted => Border::LeftOut,
                Border::LeftOut => Border::Counted,
            };
            Some(name)
        },
    ),
    Mistake {
        name: "zeros around a max pool",
        cause: Cause::PoolZeroPadding,
        // What comes out of a rectifier is never less than zeros.
        prepare: |case| {
            let name = case.some(has_padded_maximum)?;
            let read = std::mem::replace(&mut case.at(&name).inputs[0], "negative".to_owned());
            let place = case.place(&name);
            let negative = Named {
                name: "negative".to_owned(),
                operation: Operation::Multiply { factor: -1. },
                inputs: vec![read],
            };
            case.list.insert(place, negative);
            Some(())
        },
        make: |case| {
            let name = case.some(has_padded_maximum)?;
            let Some(Operation::MaxPool(window)) = case.operation(&name) else {
                unreachable!();
            };
            case.hook(&name, move |inputs| {
                let (_, _, height, width) = inputs[0].dims4().unwrap();
                let [rows, columns] = window.extents([height, width]).unwrap();
                let padded = inputs[0]
                    .pad_with_zeros(2, rows.before, rows.after)
                    .unwrap();
                let padded = padded
                    .pad_with_zeros(3, columns.before, columns.after)
                    .unwrap();
                let bare = Window {
                    padding: Padding::VALID,
                    ..window
                };
                crate::nn::MaxPool2d::new(bare).forward(&padded).unwrap()
            });
            Some(name)
        },
    },
    mistake("mean for maximum", Cause::PoolKind, |case| {
        let name = case.some(|layer| matches!(layer.operation, Operation::MaxPool(_)))?;
        let Some(Operation::MaxPool(window)) = case.operation(&name) else {
            unreachable!();
        };
        case.at(&name).operation = Operation::AveragePool {
            window,
            border: Border::LeftOut,
        };
        Some(name)
    }),
];
