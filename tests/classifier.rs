//! The library's classifier: one image or many, from wherever they come.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

use std::path::Path;

use senet::checkpoint::{Builtin, Weights};
use senet::classifier::{Classes, Classifier, Input, Labels, Notice, Options};
use senet::image::{Damage, decode};
use senet::network::catalog;

const CAT: &str = "tests/images/photos/cat.jpg";

fn classifier(options: Options) -> Classifier {
    Classifier::new(&Weights::builtin(Builtin::SeResNet20).unwrap(), options).unwrap()
}

fn photos() -> Vec<String> {
    let photos = std::fs::read_dir("tests/images/photos").unwrap();
    let mut photos: Vec<String> = photos
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| senet::image::has_image_extension(Path::new(path)))
        .collect();
    photos.sort_unstable();
    assert!(photos.len() >= 3, "{photos:?}");
    photos
}

#[test]
fn a_path_its_bytes_and_its_pixels_are_one_image() {
    let classifier = classifier(Options::default());
    let of_path = classifier.classify(CAT).unwrap();
    assert_eq!(of_path.top(1)[0].label, "cat");
    assert_eq!(of_path.probabilities().len(), classifier.classes());
    let sum: f32 = of_path.probabilities().iter().sum();
    assert!((sum - 1.).abs() < 1e-6, "{sum}");
    let bytes = std::fs::read(CAT).unwrap();
    assert_eq!(classifier.classify(bytes).unwrap(), of_path);
    let preprocessing = Weights::builtin(Builtin::SeResNet20)
        .unwrap()
        .preprocessing
        .unwrap();
    let pixels = decode(Path::new(CAT), &preprocessing).unwrap();
    assert_eq!(classifier.classify(pixels).unwrap(), of_path);
}

#[test]
fn so_many_of_the_first_images_have_small_pictures_and_no_other() {
    for batch_size in [1, 2, 100] {
        let classifier = classifier(Options {
            batch_size,
            ..Options::default()
        });
        let rows = classifier.with_thumbnails(2);
        let rows = rows.classify_all(photos());
        let sizes = rows.map(|row| {
            let classes = row.unwrap().classes.unwrap();
            classes.thumbnail().map(|thumbnail| thumbnail.size)
        });
        let sizes: Vec<_> = sizes.collect();
        assert!(sizes[..2].iter().all(Option::is_some), "{sizes:?}");
        assert!(sizes[2..].iter().all(Option::is_none), "{sizes:?}");
    }
}

#[test]
fn many_inputs_have_a_row_each_in_their_order_in_batches_of_any_size() {
    let (one, photos) = (classifier(Options::default()), photos());
    let expected: Vec<Classes> = photos
        .iter()
        .map(|path| one.classify(path.as_str()).unwrap())
        .collect();
    for batch_size in [1, 2, 100] {
        let classifier = classifier(Options {
            batch_size,
            ..Options::default()
        });
        assert_eq!(classifier.batch_size(), batch_size);
        let inputs: Vec<String> = photos.iter().cycle().take(40).cloned().collect();
        let rows: Vec<_> = classifier
            .classify_all(inputs)
            .map(Result::unwrap)
            .collect();
        assert_eq!(rows.len(), 40);
        for (index, row) in rows.into_iter().enumerate() {
            assert_eq!(row.input, photos[index % photos.len()]);
            assert_eq!(row.classes.unwrap(), expected[index % photos.len()]);
        }
    }
}

#[test]
fn what_is_no_image_has_an_error_in_its_row_and_stops_nothing() {
    let classifier = classifier(Options {
        batch_size: 2,
        ..Options::default()
    });
    let inputs = [
        Input::from("no/such.jpg"),
        Input::from(b"no image".to_vec()).named("upload 7"),
        Input::unreadable("nothing".to_owned(), "it was never sent".to_owned()),
        Input::from(CAT),
    ];
    let rows: Vec<_> = classifier
        .classify_all(inputs)
        .map(Result::unwrap)
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row.input.as_str()).collect();
    assert_eq!(names, ["no/such.jpg", "upload 7", "nothing", CAT]);
    let problem = |index: usize| rows[index].classes.as_ref().unwrap_err().to_string();
    assert_eq!(problem(0), "cannot open `no/such.jpg`");
    assert!(problem(1).starts_with("not an image"), "{}", problem(1));
    assert_eq!(problem(2), "it was never sent");
    assert_eq!(rows[3].classes.as_ref().unwrap().top(1)[0].label, "cat");
}

#[test]
fn whoever_has_seen_enough_leaves_the_rest_unread() {
    let classifier = classifier(Options {
        batch_size: 1,
        ..Options::default()
    });
    let endless = std::iter::repeat(CAT);
    assert_eq!(classifier.classify_all(endless).take(3).count(), 3);
}

#[test]
#[should_panic(expected = "as a source of inputs might")]
fn a_panic_of_the_inputs_is_not_taken_for_their_end() {
    let broken = std::iter::from_fn(|| -> Option<&str> { panic!("as a source of inputs might") });
    let inputs = [CAT].into_iter().chain(broken);
    let classifier = classifier(Options::default());
    let _ = classifier.classify_all(inputs).count();
}

#[test]
fn damage_is_refused_or_told_with_the_answer() {
    let mut bytes = std::fs::read(CAT).unwrap();
    bytes.truncate(bytes.len() / 2);
    let refused = classifier(Options::default()).classify(bytes.clone());
    assert!(refused.is_err());
    let accepting = classifier(Options {
        damage: Damage::Accept,
        ..Options::default()
    });
    let classes = accepting.classify(bytes).unwrap();
    assert!(classes.damage().is_some());
    assert_eq!(accepting.classify(CAT).unwrap().damage(), None);
}

#[test]
fn labels_are_those_given_and_as_many_as_there_are_classes() {
    let labels = |count: usize| Options {
        labels: Some(Labels::Names(
            (0..count).map(|class| format!("class {class}")).collect(),
        )),
        ..Options::default()
    };
    let top = classifier(labels(10)).classify(CAT).unwrap().top(1);
    assert_eq!(top[0].label, format!("class {}", top[0].class));
    let refused = Classifier::new(&Weights::builtin(Builtin::SeResNet20).unwrap(), labels(9));
    assert_eq!(
        refused.err().unwrap().to_string(),
        "`labels` has 9 labels; `seresnet20` has 10 classes"
    );
}

#[test]
fn what_should_be_known_is_handed_over_and_not_printed() {
    let weights = Weights::builtin(Builtin::SeResNet20).unwrap();
    let mut notices = Vec::new();
    let options = Options {
        network: Some(catalog::find("seresnet20").unwrap().clone()),
        test_size: true,
        ..Options::default()
    };
    Classifier::new_observed(&weights, options, &mut |notice| notices.push(notice)).unwrap();
    assert_eq!(
        notices,
        [Notice::Warning(
            "the weights in `builtin:seresnet20` recommend no size for tests; `--test-size` changes \
             nothing"
                .to_owned()
        )]
    );
}
