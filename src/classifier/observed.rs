//! One image at a time, with the values on the way to its classes.

use candle_core::{Device, Tensor};

use super::loader::Photo;
use super::{Classes, Classifier, Input};
use crate::error::Result;
use crate::model::Model;
use crate::network::Layer;

impl Classifier {
    /// What computes it.
    pub(crate) fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// An image besides what the network sees of it.
    pub(crate) fn load_photo(&self, input: Input) -> Result<Photo> {
        self.loader.load_photo(input)
    }

    /// The classes of what the network sees of one image; `observe` is handed the values that its
    /// engine keeps.
    pub(crate) fn observe(
        &self,
        values: &[f32],
        observe: &mut dyn FnMut(&Layer, &Tensor),
    ) -> Result<Classes> {
        let [channels, height, width] = self.input_dims();
        let xs = Tensor::from_slice(values, (1, channels, height, width), &Device::Cpu)?;
        let outputs = self.model.run_observed(&xs, &mut |layer, value| {
            observe(layer, value);
            Ok(())
        })?;
        let outputs: Vec<f32> = outputs.flatten_all()?.to_vec1()?;
        self.answer(&outputs, None)
    }

    /// What the network puts out for `class`, of each of what it sees of several images.
    pub(crate) fn outputs_for(&self, images: &[&[f32]], class: usize) -> Result<Vec<f32>> {
        let outputs = self.model.run_images(images, self.input_dims())?;
        let outputs = outputs.to_vec2::<f32>()?;
        let outputs = outputs.iter().map(|outputs| {
            let classes = self.answer(outputs, None)?;
            Ok(classes
                .of_class(class)
                .map_or(f32::NAN, |class| class.logit))
        });
        outputs.collect()
    }
}
