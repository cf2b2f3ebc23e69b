//! From what people and other programs call a network to the catalogue's name for it.

use std::cmp::Reverse;

use super::{Convention, Network, left_out, networks};
use crate::error::{Error, Result};
use crate::text::near::{LONGEST_NAME, alike, edits, is_near};

/// The names that timm has given up, and what it calls the same now.
const DEPRECATED: &str = include_str!("timm_deprecated.tsv");

/// A network, and how its name was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// The network that the name means.
    pub network: &'static Network,
    /// How, where the name is not the catalogue's own: a sentence with the name as it was given,
    /// to be escaped where it is shown.
    pub note: Option<String>,
}

/// The network called `name`: by the catalogue, by timm with a tag (`seresnet50.ra2_in1k`) or as
/// a repository (`timm/seresnet50.ra2_in1k`), by a name that timm has given up, by the code base
/// that it comes from (torchvision's `regnet_y_400mf`, Keras's `MobileNetV3Large`), or by the
/// catalogue with other capitals and separators (`SE-ResNet-50`).
///
/// ```
/// use senet::network::catalog;
///
/// let named = catalog::understand("gluon_senet154")?;
/// assert_eq!(named.network.name, "senet154");
/// assert!(named.note.is_some_and(|note| note.contains("`senet154.gluon_in1k`")));
/// # Ok::<(), senet::Error>(())
/// ```
///
/// # Errors
///
/// An unknown name, with the likeliest known one as a hint where one is near; a name that means
/// one network in one code base and another elsewhere.
pub fn understand(name: &str) -> Result<Named> {
    if let Some(network) = networks().find(|network| network.name == name) {
        return Ok(Named {
            network,
            note: None,
        });
    }
    let unknown = |hint: String| Error::UnknownNetwork {
        name: name.to_owned(),
        hint,
    };
    if name.len() > LONGEST_NAME {
        return Err(unknown(format!(
            "a name has at most {LONGEST_NAME} bytes, this one {}; {LIST}",
            name.len()
        )));
    }
    let (bare, tag) = split(name);
    if tag.is_some_and(|tag| EXTENSIONS.contains(&tag)) {
        return Err(unknown("`--weights` takes a file".to_owned()));
    }
    let lacking = |network: &str| {
        left_out(network).map(|reason| Error::LeftOutNetwork {
            name: network.to_owned(),
            reason,
        })
    };
    if let Some(error) = lacking(bare) {
        return Err(error);
    }
    if let Some((_, present)) = deprecated().find(|(former, _)| *former == bare) {
        let (network, tag) = split(present);
        if let Some(error) = lacking(network) {
            return Err(error);
        }
        return match networks().find(|other| other.name == network) {
            Some(network) => Ok(Named {
                network,
                note: Some(format!(
                    "`{name}` is what timm called `{present}` formerly{}",
                    weights_of(network, tag)
                )),
            }),
            None if present.is_empty() => Err(unknown(format!("timm has removed it; {LIST}"))),
            None => Err(unknown(format!(
                "timm calls it `{present}` now, and this program has no `{network}`; {LIST}"
            ))),
        };
    }
    let understood = |network: &'static Network, how: &str| Named {
        network,
        note: Some(format!(
            "`{name}` is {how} `{}`{}",
            network.name,
            weights_of(network, tag)
        )),
    };
    match (called_elsewhere(bare), spelt_otherwise(bare)) {
        (Some((other, code_base)), Some(network)) if !compute_alike(other, network) => {
            Err(unknown(format!(
                "{code_base} has a network of this name, `{}` here, which computes something else \
                 than {}'s `{}`; name one of the two",
                other.name, network.convention.name, network.name
            )))
        }
        (Some((network, code_base)), _) => {
            Ok(understood(network, &format!("{code_base}'s name of")))
        }
        (None, Some(network)) => Ok(understood(network, "read as")),
        (None, None) => Err(unknown(likeliest(bare))),
    }
}

/// [`understand`] without the note.
///
/// # Errors
///
/// Fails where [`understand`] fails.
pub fn find(name: &str) -> Result<&'static Network> {
    understand(name).map(|named| named.network)
}

/// Behind a dot, what files end in and no tag of timm's is.
const EXTENSIONS: [&str; 8] = [
    "safetensors",
    "pth",
    "pt",
    "bin",
    "h5",
    "keras",
    "onnx",
    "json",
];

/// What to do about a name that is like none.
const LIST: &str = "`senet models` lists the networks there are";

/// Without the owner in front, as timm and the hub write it, and the tag behind the first dot.
fn split(name: &str) -> (&str, Option<&str>) {
    let name = ["hf:", "hf-hub:", "hf_hub:"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let name = name.strip_prefix("timm/").unwrap_or(name);
    match name.split_once('.') {
        Some((name, tag)) => (name, Some(tag)),
        None => (name, None),
    }
}

/// Former names with the present ones.
fn deprecated() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = DEPRECATED.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once('\t'))
}

/// Where the weights of a tag are, if they are known to be on the hub.
fn weights_of(network: &Network, tag: Option<&str>) -> String {
    match tag {
        Some(tag) if network.published.tags.contains(&tag) => {
            format!("; its weights are `hf:timm/{}.{tag}`", network.name)
        }
        _ => String::new(),
    }
}

/// The network that a code base calls exactly so, and the code base.
fn called_elsewhere(name: &str) -> Option<(&'static Network, &'static str)> {
    networks().find_map(|network| {
        let elsewhere = network.published.elsewhere?;
        (elsewhere.name == name).then_some((network, elsewhere.code_base))
    })
}

/// Whether two networks differ in names alone: their own, and those of their tensors.
fn compute_alike(a: &Network, b: &Network) -> bool {
    let convention = Convention {
        name: a.convention.name,
        ..b.convention
    };
    a.architecture == b.architecture && a.convention == convention
}

/// The network whose name is this one but for capitals and separators.
fn spelt_otherwise(name: &str) -> Option<&'static Network> {
    let is_spelling = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_ ()".contains(c));
    let folded = fold(name);
    let mut networks = networks().filter(|_| is_spelling);
    networks.find(|network| fold(&network.name) == folded)
}

/// Letters and digits alone, in lower case.
fn fold(name: &str) -> String {
    let kept = name.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

/// The network that `name` is likeliest meant for, as a hint: those that code bases call so but for
/// capitals and separators, and one whose name goes on behind it; if there are none, the nearest.
///
/// Of two that are as far, the one that begins alike for longer, then one that has published
/// weights.
fn likeliest(name: &str) -> String {
    let folded = fold(name);
    let called_alike = networks().filter(|network| {
        let elsewhere = network.published.elsewhere;
        elsewhere.is_some_and(|elsewhere| fold(elsewhere.name) == folded)
    });
    let mut meant: Vec<_> = called_alike.collect();
    let nearest = networks().min_by_key(|network| {
        (
            distance(name, &folded, &network.name),
            Reverse(alike(&folded, &fold(&network.name))),
            network.published.tags.is_empty(),
        )
    });
    meant.extend(nearest.filter(|network| {
        let distance = distance(name, &folded, &network.name);
        distance == SHORTENED || meant.is_empty() && is_near(distance, fold(&network.name).len())
    }));
    if meant.is_empty() {
        return LIST.to_owned();
    }
    let names: Vec<_> = meant
        .iter()
        .map(|meant| format!("`{}`", meant.name))
        .collect();
    format!("did you mean {}?", names.join(" or "))
}

/// A name that leaves out what follows an underscore: `seresnext50`.
const SHORTENED: usize = 2;

/// How far a name, and the same folded, is from one of the catalogue's.
fn distance(name: &str, folded: &str, known: &str) -> usize {
    let rest = known.strip_prefix(name);
    if rest.is_some_and(|rest| rest.starts_with('_')) {
        return SHORTENED;
    }
    edits(folded.as_bytes(), fold(known).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        find(name).unwrap_err().to_string()
    }

    #[test]
    fn no_two_networks_are_one_when_folded() {
        let mut folded: Vec<String> = networks().map(|network| fold(&network.name)).collect();
        let count = folded.len();
        folded.sort_unstable();
        folded.dedup();
        assert_eq!(folded.len(), count);
        assert!(networks().all(|network| network.name.len() <= LONGEST_NAME));
    }

    #[test]
    fn the_catalogues_own_names_need_no_note() {
        for network in networks() {
            let named = understand(&network.name).unwrap();
            assert_eq!((&named.network.name, named.note), (&network.name, None));
        }
    }

    #[test]
    fn other_spellings_are_understood_and_said() {
        for (name, expected) in [
            ("SEResNet50", "seresnet50"),
            ("se-resnet50", "seresnet50"),
            ("SE-ResNeXt-50 (32x4d)", "seresnext50_32x4d"),
            ("seresnet50.ra2_in1k", "seresnet50"),
            ("timm/seresnet50.ra2_in1k", "seresnet50"),
            ("hf:timm/seresnet50.ra2_in1k", "seresnet50"),
            ("seresnet50.of_my_own", "seresnet50"),
            ("inceptionresnetv2", "inception_resnet_v2"),
        ] {
            let named = understand(name).unwrap();
            assert_eq!(named.network.name, expected, "{name}");
            let note = named.note.unwrap();
            let said = format!("`{name}` is read as `{expected}`");
            let weights = "; its weights are `hf:timm/seresnet50.ra2_in1k`";
            let expected = if name.ends_with("ra2_in1k") {
                said + weights
            } else {
                said
            };
            assert_eq!(note, expected);
        }
    }

    #[test]
    fn names_that_timm_gave_up_are_those_of_today() {
        for (name, network, present) in [
            ("gluon_seresnext50_32x4d", "seresnext50_32x4d", "gluon_in1k"),
            ("tv_resnet50", "resnet50", "tv_in1k"),
            ("ssl_resnet18", "resnet18", "fb_ssl_yfcc100m_ft_in1k"),
            (
                "swsl_resnext101_32x8d",
                "resnext101_32x8d",
                "fb_swsl_ig1b_ft_in1k",
            ),
            ("gluon_resnet50_v1b", "resnet50", "gluon_in1k"),
            ("timm/gluon_senet154", "senet154", "gluon_in1k"),
        ] {
            let named = understand(name).unwrap();
            assert_eq!(named.network.name, network, "{name}");
            let expected = format!(
                "`{name}` is what timm called `{network}.{present}` formerly; its weights are \
                 `hf:timm/{network}.{present}`"
            );
            assert_eq!(named.note.unwrap(), expected);
        }
        let untagged = understand("seresnext26tn_32x4d").unwrap();
        assert_eq!(
            untagged.note.unwrap(),
            "`seresnext26tn_32x4d` is what timm called `seresnext26t_32x4d` formerly"
        );
    }

    #[test]
    fn every_former_name_is_understood_or_says_what_it_is_now() {
        let mut understood = 0;
        for (former, present) in deprecated() {
            let (network, _) = split(present);
            match understand(former) {
                Ok(named) => {
                    understood += 1;
                    assert_eq!(named.network.name, network);
                }
                Err(error) => {
                    let expected = format!(
                        "unknown network `{former}`\nhint: timm calls it `{present}` now, and \
                         this program has no `{network}`; {LIST}"
                    );
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
        assert!(understood >= 30, "{understood}");
        assert!(refusal("gluon_resnet50_v1s").contains("`resnet50s.gluon_in1k`"));
    }

    /// What torchvision has and the catalogue, too, where their names differ.
    const TORCHVISION: [(&str, &str); 22] = [
        ("mnasnet0_5", "tv_mnasnet0_5"),
        ("mnasnet0_75", "tv_mnasnet0_75"),
        ("mnasnet1_0", "tv_mnasnet1_0"),
        ("mnasnet1_3", "tv_mnasnet1_3"),
        ("mobilenet_v2", "tv_mobilenet_v2"),
        ("mobilenet_v3_large", "tv_mobilenet_v3_large"),
        ("mobilenet_v3_small", "tv_mobilenet_v3_small"),
        ("regnet_x_16gf", "regnetx_160"),
        ("regnet_x_1_6gf", "regnetx_016"),
        ("regnet_x_32gf", "regnetx_320"),
        ("regnet_x_3_2gf", "regnetx_032"),
        ("regnet_x_400mf", "regnetx_004_tv"),
        ("regnet_x_800mf", "regnetx_008"),
        ("regnet_x_8gf", "regnetx_080"),
        ("regnet_y_128gf", "regnety_1280"),
        ("regnet_y_16gf", "regnety_160"),
        ("regnet_y_1_6gf", "regnety_016"),
        ("regnet_y_32gf", "regnety_320"),
        ("regnet_y_3_2gf", "regnety_032"),
        ("regnet_y_400mf", "regnety_004"),
        ("regnet_y_800mf", "regnety_008_tv"),
        ("regnet_y_8gf", "regnety_080_tv"),
    ];

    #[test]
    fn names_of_torchvision_and_keras_are_their_networks() {
        let torchvision = TORCHVISION.map(|(name, network)| ("torchvision", name, network));
        let keras = [
            ("MobileNetV3Small", "keras_mobilenetv3_small"),
            ("MobileNetV3Large", "keras_mobilenetv3_large"),
            ("EfficientNetV2B0", "keras_efficientnetv2_b0"),
            ("EfficientNetV2B3", "keras_efficientnetv2_b3"),
        ];
        let keras = keras.map(|(name, network)| ("keras.applications", name, network));
        for (code_base, name, network) in torchvision.into_iter().chain(keras) {
            let named = understand(name).unwrap();
            assert_eq!(named.network.name, network, "{name}");
            let said = format!("`{name}` is {code_base}'s name of `{network}`");
            assert_eq!(named.note.unwrap(), said);
        }
    }

    #[test]
    fn a_code_base_has_one_network_of_a_name() {
        let mut names: Vec<_> = networks()
            .filter_map(|network| network.published.elsewhere)
            .map(|elsewhere| (elsewhere.code_base, elsewhere.name))
            .collect();
        let count = names.len();
        assert!(count > 50, "{count}");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_name_that_is_another_network_elsewhere_is_not_guessed() {
        for (name, code_base, theirs, timms) in [
            (
                "se_resnet50",
                "pretrained-models.pytorch",
                "legacy_seresnet50",
                "seresnet50",
            ),
            (
                "EfficientNetB0",
                "keras.applications",
                "keras_efficientnet_b0",
                "efficientnet_b0",
            ),
            (
                "EfficientNetV2S",
                "keras.applications",
                "keras_efficientnetv2_s",
                "efficientnetv2_s",
            ),
            (
                "efficientnet_v2_s",
                "torchvision",
                "tv_efficientnet_v2_s",
                "efficientnetv2_s",
            ),
        ] {
            let expected = format!(
                "unknown network `{name}`\nhint: {code_base} has a network of this name, \
                 `{theirs}` here, which computes something else than timm's `{timms}`; name one of \
                 the two"
            );
            assert_eq!(refusal(name), expected);
        }
    }

    #[test]
    fn another_spelling_of_a_code_bases_name_gets_all_that_it_may_mean_as_a_hint() {
        for (name, meant) in [
            ("RegNetY-400MF", "`regnety_004`"),
            ("regnet-y-16gf", "`regnety_016` or `regnety_160`"),
            (
                "mobilenet-v3-large",
                "`tv_mobilenet_v3_large` or `keras_mobilenetv3_large`",
            ),
            (
                "mobilenetv3_large",
                "`tv_mobilenet_v3_large` or `keras_mobilenetv3_large` or `mobilenetv3_large_100`",
            ),
        ] {
            let expected = format!("unknown network `{name}`\nhint: did you mean {meant}?");
            assert_eq!(refusal(name), expected);
        }
    }

    #[test]
    fn an_unknown_name_gets_the_likeliest_as_a_hint() {
        for (name, likeliest) in [
            ("seresnet5O", "seresnet50"),
            ("SERESNET5O", "seresnet50"),
            ("seresnetl8", "seresnet18"),
            ("seresnet21", "seresnet20"),
            ("sereesnet34", "seresnet34"),
            ("serenset152", "seresnet152"),
            ("resent18", "resnet18"),
            ("seresnext50", "seresnext50_32x4d"),
            ("seresnext50_32x4b", "seresnext50_32x4d"),
            ("legacy_seresnet5O", "legacy_seresnet50"),
            ("senet145", "senet154"),
            ("seresnet5O.ra2_in1k", "seresnet50"),
        ] {
            let expected = format!("unknown network `{name}`\nhint: did you mean `{likeliest}`?");
            assert_eq!(refusal(name), expected);
        }
    }

    #[test]
    fn what_is_left_out_is_known_by_its_name_and_by_a_former_one() {
        for name in [
            "efficientnet_cc_b0_4e",
            "tf_efficientnet_cc_b0_4e.in1k",
            "timm/sehalonet33ts.ra2_in1k",
        ] {
            let (bare, _) = split(name);
            let expected = format!(
                "there is no `{bare}` here: of timm's networks with SE blocks or the like it is one that {}",
                left_out(bare).unwrap()
            );
            assert_eq!(refusal(name), expected);
        }
        for network in networks() {
            assert_eq!(left_out(&network.name), None, "{}", network.name);
        }
    }

    #[test]
    fn a_name_like_none_gets_no_other_as_a_hint() {
        for name in ["zzz", "", "densenet121", "vit_base_patch16_224", "猫"] {
            let expected = format!("unknown network `{name}`\nhint: {LIST}");
            assert_eq!(refusal(name), expected);
        }
    }

    #[test]
    fn a_path_is_no_spelling_of_a_name() {
        for path in [
            "./resnet18",
            "/resnet18",
            "../resnet18",
            "resnet18/",
            "nets/resnet18",
            "resnet18.safetensors",
            "resnet18.pth",
            "resnet18\0",
            "resnet18\n",
        ] {
            assert!(find(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_name_of_megabytes_is_compared_with_none_and_not_repeated() {
        let error = refusal(&"seresnet50 ".repeat(2_200_000));
        assert!(error.contains("this one 24200000; "), "{error}");
        assert!(error.len() < 500);
    }
}
