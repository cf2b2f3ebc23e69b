//! How good a classifier is, on images whose classes are known.
//!
//! ```
//! use senet::checkpoint::{Builtin, Weights};
//! use senet::classifier::{Classifier, Options};
//! use senet::evaluation::{Answer, Tally, match_classes};
//!
//! let weights = Weights::builtin(Builtin::SeResNet20)?;
//! let classifier = Classifier::new(&weights, Options::default())?;
//! let names = ["cat".to_owned()];
//! let matched = match_classes(&names, classifier.classes(), classifier.labels())?;
//! let classes = classifier.classify("tests/images/photos/cat.jpg")?;
//! let mut tally = Tally::new(5);
//! tally.extend(Answer::of(&classes, matched.classes[0]));
//! assert_eq!(tally.top_1().count, 1);
//! # Ok::<(), senet::Error>(())
//! ```

mod calibration;
mod interval;
mod names;
mod pairs;
mod tally;

pub use calibration::{BINS, Bin, Calibration};
pub use interval::Share;
pub use names::{Matched, Way, match_classes};
pub use pairs::{Difference, McNemar, Pairs};
pub use tally::{Answer, ClassScore, Confusion, Tally};
