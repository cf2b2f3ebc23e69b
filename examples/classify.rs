//! What is in a picture, in ten lines.
#![allow(clippy::print_stdout, reason = "what it is for")]

use senet::checkpoint::{Builtin, Weights};
use senet::classifier::{Classifier, Options};

fn main() -> senet::Result<()> {
    let weights = Weights::builtin(Builtin::default())?;
    let classifier = Classifier::new(&weights, Options::default())?;
    for class in classifier.classify("tests/images/photos/cat.jpg")?.top(3) {
        println!("{:5.1} %  {}", 100. * class.probability, class.label);
    }
    Ok(())
}
