use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, linear};

use super::pool::global_average;
use super::relu::relu;
use super::{
    AdaptiveAveragePool2d, AveragePool2d, BatchNorm, Conv2d, MaxPool2d, SqueezeExcitation,
};
use crate::network::layers::Gate;
use crate::network::{Activation, Layer, Layers, Network, Operation, Value};

/// A network of the catalogue as a candle module.
///
/// # Shapes
///
/// `[N, channels, H, W]` to `[N, classes]`, as the network's trace says.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Module, VarBuilder};
/// use senet::network::catalog;
/// use senet::nn::SeNet;
///
/// let vb = VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let network = SeNet::new(catalog::find("seresnet20")?, vb)?;
/// let images = Tensor::zeros((2, 3, 32, 32), DType::F32, &Device::Cpu)?;
/// assert_eq!(network.forward(&images)?.dims(), [2, 10]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SeNet {
    layers: Layers,
    steps: Vec<Step>,
    /// For each layer, the values that it is the last to read.
    last_reads: Vec<Vec<Value>>,
    dtype: DType,
    device: Device,
}

/// What computes the layers from `first` on.
#[derive(Debug, Clone)]
struct Step {
    first: usize,
    module: StepModule,
}

#[derive(Debug, Clone)]
enum StepModule {
    Layer(Leaf),
    /// The six layers of an SE block.
    Gate(SqueezeExcitation),
}

#[derive(Debug, Clone)]
enum Leaf {
    Conv(Conv2d),
    BatchNorm(BatchNorm),
    Relu,
    MaxPool(MaxPool2d),
    AveragePool(AveragePool2d),
    AdaptiveAveragePool(AdaptiveAveragePool2d),
    GlobalAveragePool,
    Flatten,
    Linear(Linear),
    Multiply(f64),
    Add,
    Concat,
}

impl SeNet {
    /// Loads `network`; each layer's name is the path of its tensors in `vb`.
    ///
    /// # Errors
    ///
    /// A tensor that `vb` lacks, or that has another shape.
    pub fn new(network: &Network, vb: VarBuilder) -> Result<Self> {
        Self::of_layers(network.layers(), vb)
    }

    pub(crate) fn of_layers(layers: Layers, vb: VarBuilder) -> Result<Self> {
        let mut steps = Vec::with_capacity(layers.as_slice().len());
        let mut gates = layers.gates().iter().peekable();
        let mut first = 0;
        while let Some(layer) = layers.as_slice().get(first) {
            let (module, count) = match gates.next_if(|gate| gate.first == first) {
                Some(gate) => (StepModule::Gate(load_gate(gate, &vb)?), Gate::LAYERS),
                None => (StepModule::Layer(Leaf::load(layer, &vb)?), 1),
            };
            steps.push(Step { first, module });
            first += count;
        }
        Ok(Self {
            last_reads: layers.last_reads(),
            layers,
            steps,
            dtype: vb.dtype(),
            device: vb.device().clone(),
        })
    }

    /// The type of number that it takes and computes in.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The device that it takes its input on.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The layers it computes.
    #[must_use]
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// [`Module::forward`] that hands every layer's value to `observe` as it is computed.
    ///
    /// # Errors
    ///
    /// An input that the network cannot take, or whatever `observe` returns.
    pub fn forward_with(
        &self,
        xs: &Tensor,
        observe: &mut dyn FnMut(&Layer, &Tensor) -> Result<()>,
    ) -> Result<Tensor> {
        let list = self.layers.as_slice();
        let mut values: Vec<Option<Tensor>> = vec![None; list.len() + 1];
        values[0] = Some(xs.clone());
        for step in &self.steps {
            let layer = &list[step.first];
            let inputs = layer
                .inputs
                .iter()
                .map(|value| values[value.index()].as_ref())
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| {
                    Error::msg(format!("layer `{}` reads a dropped value", layer.name))
                })?;
            let (output, end) = match &step.module {
                StepModule::Layer(leaf) => {
                    let output = leaf.forward(&inputs)?;
                    observe(layer, &output)?;
                    (output, step.first + 1)
                }
                StepModule::Gate(se) => {
                    let output = se.forward_with(inputs[0], |stage, value| {
                        observe(&list[step.first + stage as usize], value)
                    })?;
                    (output, step.first + Gate::LAYERS)
                }
            };
            values[Value::of_layer(end - 1).index()] = Some(output);
            for value in self.last_reads[step.first..end].iter().flatten() {
                values[value.index()] = None;
            }
        }
        values
            .pop()
            .flatten()
            .ok_or_else(|| Error::msg("a network without layers has no output"))
    }
}

impl Module for SeNet {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward_with(xs, &mut |_, _| Ok(()))
    }
}

fn load_gate(gate: &Gate, vb: &VarBuilder) -> Result<SqueezeExcitation> {
    let vb = match gate.path.as_str() {
        "" => vb.clone(),
        path => vb.pp(path),
    };
    SqueezeExcitation::new(gate.channels, gate.squeeze, vb)
}

impl Leaf {
    fn load(layer: &Layer, vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp(&layer.name);
        Ok(match layer.operation {
            Operation::Conv(conv) => Self::Conv(Conv2d::new(&conv, vb)?),
            Operation::BatchNorm {
                channels,
                epsilon,
                weight,
            } => Self::BatchNorm(BatchNorm::new(channels, epsilon, weight, vb)?),
            Operation::Activation(Activation::Relu) => Self::Relu,
            Operation::MaxPool(window) => Self::MaxPool(MaxPool2d::new(window)),
            Operation::AveragePool { window, border } => {
                Self::AveragePool(AveragePool2d::new(window, border))
            }
            Operation::AdaptiveAveragePool(size) => {
                Self::AdaptiveAveragePool(AdaptiveAveragePool2d::new(size))
            }
            Operation::GlobalAveragePool => Self::GlobalAveragePool,
            Operation::Flatten { .. } => Self::Flatten,
            Operation::Linear { inputs, outputs } => Self::Linear(linear(inputs, outputs, vb)?),
            Operation::Multiply { factor } => Self::Multiply(factor),
            Operation::Add => Self::Add,
            Operation::Concat => Self::Concat,
            Operation::Activation(Activation::Sigmoid) | Operation::Scale => {
                return Err(Error::msg(format!(
                    "layer `{}`: a {} stands outside an SE block",
                    layer.name,
                    layer.operation.kind()
                )));
            }
        })
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let xs = inputs[0];
        match self {
            Self::Conv(conv) => conv.forward(xs),
            Self::BatchNorm(norm) => norm.forward(xs),
            Self::Relu => relu(xs),
            Self::MaxPool(pool) => pool.forward(xs),
            Self::AveragePool(pool) => pool.forward(xs),
            Self::AdaptiveAveragePool(pool) => pool.forward(xs),
            Self::GlobalAveragePool => global_average(xs),
            Self::Flatten => xs.flatten_from(1),
            Self::Linear(linear) => linear.forward(xs),
            Self::Multiply(factor) => xs * *factor,
            Self::Add => xs + inputs[1],
            Self::Concat => Tensor::cat(inputs, 1),
        }
    }
}
