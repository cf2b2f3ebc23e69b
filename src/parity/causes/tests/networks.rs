//! Networks that mistakes are made in, and what candle computes of them in double precision.

use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;

use crate::checkpoint::drawn_weights;
use crate::network::{Input, Layer, Layers, Operation, Value, catalog};
use crate::nn::Leaf;
use crate::parity::Reference;

/// What computes a layer in place of its operation.
pub(super) type Hook = Rc<dyn Fn(&[&Tensor]) -> Tensor>;

/// A layer that reads others by name; the network's input is called `input`.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) operation: Operation,
    pub(super) inputs: Vec<String>,
}

/// A network with its weights and an input.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) list: Vec<Named>,
    /// By layer and parameter: `conv1.weight`.
    pub(super) tensors: HashMap<String, Tensor>,
    pub(super) input: Tensor,
    pub(super) hooks: HashMap<String, Hook>,
    /// Layers that a dump of it lacks.
    pub(super) omitted: Vec<String>,
    /// Whether all layers compute in these fewer bits.
    pub(super) rounds: Option<fn(&Tensor) -> Tensor>,
}

/// A network of the catalogue, and the height and width that it is given.
pub(super) type Network = (&'static str, [usize; 2]);

pub(super) const NETWORKS: [Network; 4] = [
    ("seresnet20", [12, 12]),
    ("mobilenetv3_small_050", [40, 40]),
    ("regnety_002", [32, 32]),
    ("se_bn_inception", [64, 64]),
];

const IMAGES: usize = 2;

impl Case {
    pub(super) fn new(name: &str, size: [usize; 2]) -> Self {
        let layers = catalog::find(name).unwrap().layers();
        let list = layers.as_slice();
        let value_name = |value: &Value| match value.layer() {
            None => "input".to_owned(),
            Some(layer) => list[layer].name.clone(),
        };
        let named = list.iter().map(|layer| Named {
            name: layer.name.clone(),
            operation: layer.operation,
            inputs: layer.inputs.iter().map(value_name).collect(),
        });
        let shape = (IMAGES, layers.input().channels, size[0], size[1]);
        let count = shape.0 * shape.1 * shape.2 * shape.3;
        // Of images normed to -1 to 1 and beyond, no two pixels alike.
        let pixels = (0..count).map(|i| (i as f32 * 0.37).sin() + (i as f32 * 0.011).cos());
        let input = Tensor::from_vec(pixels.collect::<Vec<f32>>(), shape, &Device::Cpu).unwrap();
        let mut case = Self {
            list: named.collect(),
            tensors: HashMap::new(),
            input: input.to_dtype(DType::F64).unwrap(),
            hooks: HashMap::new(),
            omitted: Vec::new(),
            rounds: None,
        };
        case.draw(&layers);
        case
    }

    /// Draws the tensors that `layers` have and this network has not yet.
    fn draw(&mut self, layers: &Layers) {
        // Single precision, as files have it.
        let vb = drawn_weights(layers, DType::F32, &Device::Cpu);
        for layer in layers.as_slice() {
            for parameter in layer.operation.parameters() {
                let name = format!("{}.{}", layer.name, parameter.name);
                self.tensors.entry(name.clone()).or_insert_with(|| {
                    let tensor = vb.get(parameter.shape, &name).unwrap();
                    tensor.to_dtype(DType::F64).unwrap()
                });
            }
        }
    }

    /// Draws the tensors of layers that were added.
    pub(super) fn draw_more(&mut self) {
        self.draw(&self.layers());
    }

    pub(super) fn layers(&self) -> Layers {
        let place = |name: &String| {
            let place = self.list.iter().position(|layer| layer.name == *name);
            place.map_or(Value::INPUT, Value::of_layer)
        };
        let list = self.list.iter().map(|layer| Layer {
            name: layer.name.clone(),
            operation: layer.operation,
            inputs: layer.inputs.iter().map(place).collect(),
        });
        let (_, channels, height, width) = self.input.dims4().unwrap();
        let input = Input {
            channels,
            height,
            width,
        };
        Layers::new("test", input, list.collect()).unwrap()
    }

    pub(super) fn vb(&self) -> VarBuilder<'static> {
        VarBuilder::from_tensors(self.tensors.clone(), DType::F64, &Device::Cpu)
    }

    /// Every layer's value, in order, by candle.
    pub(super) fn values(&self) -> Vec<(String, Tensor)> {
        let rounded = |tensor: &Tensor| match self.rounds {
            Some(round) => round(tensor),
            None => tensor.clone(),
        };
        let tensors = self.tensors.iter();
        let tensors = tensors
            .map(|(name, tensor)| (name.clone(), rounded(tensor)))
            .collect();
        let vb = VarBuilder::from_tensors(tensors, DType::F64, &Device::Cpu);
        let mut values = HashMap::from([("input".to_owned(), rounded(&self.input))]);
        let mut all = Vec::new();
        for layer in &self.list {
            let inputs: Vec<&Tensor> = layer.inputs.iter().map(|name| &values[name]).collect();
            let value = if let Some(hook) = self.hooks.get(&layer.name) {
                hook(&inputs)
            } else {
                let layer = Layer {
                    name: layer.name.clone(),
                    operation: layer.operation,
                    inputs: Vec::new(),
                };
                let leaf = Leaf::load(&layer, &vb).unwrap();
                leaf.forward(&inputs).unwrap()
            };
            let value = rounded(&value);
            values.insert(layer.name.clone(), value.clone());
            all.push((layer.name.clone(), value));
        }
        all
    }

    /// What it computes as a dump, of an input that is called what `input` is.
    pub(super) fn dump(&self, input: &Tensor, folder: &Path) -> Reference {
        let mut values = vec![("input".to_owned(), input.clone())];
        let layers = self.layers();
        // A name that a group has as well is that of the group's last layer, as in timm, whose norms
        // have their activations in them.
        let is_told = |name: &String| {
            layers
                .position(name)
                .is_some_and(|place| layers.as_slice()[place].name == *name)
        };
        let computed = self.values().into_iter();
        values.extend(computed.filter(|(name, _)| !self.omitted.contains(name) && is_told(name)));
        let values = values
            .into_iter()
            .map(|(name, value)| (name, value.contiguous().unwrap()));
        let path = folder.join("dump.safetensors");
        let metadata = HashMap::from([("layout".to_owned(), "nchw".to_owned())]);
        safetensors::serialize_to_file(values, Some(metadata), &path).unwrap();
        Reference::open(&path).unwrap()
    }

    /// All layers but the last and those that two layers or more read, such as those between blocks,
    /// and make sums or activations.
    pub(super) fn within_blocks(&self) -> Vec<String> {
        let last = self.list.last().map(|layer| layer.name.clone());
        self.all(|layer| {
            let is_between = matches!(
                layer.operation,
                Operation::Activation(_) | Operation::Add | Operation::Concat
            );
            let readers = self.readers(&layer.name);
            let is_squeezed = readers
                .iter()
                .any(|reader| self.operation(reader) == Some(Operation::GlobalAveragePool));
            let is_kept = is_between && readers.len() > 1 && !is_squeezed;
            !is_kept && Some(&layer.name) != last.as_ref()
        })
    }

    pub(super) fn place(&self, name: &str) -> usize {
        self.list
            .iter()
            .position(|layer| layer.name == name)
            .unwrap()
    }

    pub(super) fn at(&mut self, name: &str) -> &mut Named {
        let place = self.place(name);
        &mut self.list[place]
    }

    /// The layers of which this holds, by name.
    pub(super) fn all(&self, is_wanted: impl Fn(&Named) -> bool) -> Vec<String> {
        let wanted = self.list.iter().filter(|layer| is_wanted(layer));
        wanted.map(|layer| layer.name.clone()).collect()
    }

    /// A layer of which this holds: not the first where there are several.
    pub(super) fn some(&self, is_wanted: impl Fn(&Named) -> bool) -> Option<String> {
        let all = self.all(is_wanted);
        all.get(all.len() / 3).cloned()
    }

    pub(super) fn readers(&self, name: &str) -> Vec<String> {
        self.all(|layer| layer.inputs.iter().any(|input| input == name))
    }

    pub(super) fn operation(&self, name: &str) -> Option<Operation> {
        let layer = self.list.iter().find(|layer| layer.name == name);
        layer.map(|layer| layer.operation)
    }

    pub(super) fn tensor(&self, layer: &str, parameter: &str) -> Tensor {
        self.tensors[&format!("{layer}.{parameter}")].clone()
    }

    pub(super) fn set(&mut self, layer: &str, parameter: &str, tensor: Tensor) {
        let tensor = tensor.contiguous().unwrap();
        self.tensors.insert(format!("{layer}.{parameter}"), tensor);
    }

    /// The layer does nothing, and a dump knows nothing of it.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.hook(name, |inputs| inputs[0].clone());
        self.omitted.push(name.to_owned());
    }

    pub(super) fn hook(&mut self, name: &str, hook: impl Fn(&[&Tensor]) -> Tensor + 'static) {
        self.hooks.insert(name.to_owned(), Rc::new(hook));
    }

    /// Moves a layer to just after another.
    pub(super) fn move_after(&mut self, name: &str, other: &str) {
        let layer = self.list.remove(self.place(name));
        let place = self.place(other);
        self.list.insert(place + 1, layer);
    }
}

/// What candle makes of inputs by an operation with these tensors.
pub(super) fn computed<'a>(
    operation: Operation,
    tensors: impl IntoIterator<Item = (&'static str, &'a Tensor)>,
    inputs: &[&Tensor],
) -> Tensor {
    let tensors = tensors.into_iter();
    let tensors = tensors.map(|(name, tensor)| (format!("layer.{name}"), tensor.clone()));
    let vb = VarBuilder::from_tensors(tensors.collect(), DType::F64, &Device::Cpu);
    let layer = Layer {
        name: "layer".to_owned(),
        operation,
        inputs: Vec::new(),
    };
    Leaf::load(&layer, &vb).unwrap().forward(inputs).unwrap()
}
