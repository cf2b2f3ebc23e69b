//! keras.applications' mobile networks (`keras/src/applications/`): those of the other files of this
//! folder, whose models begin with layers that rescale pixels of 0 to 255. That is how images are
//! prepared here.

use super::efficientnet::{B0, b};
use super::efficientnet_v2::{BASE, L, M, S, base};
use super::mobilenet_v3::{LARGE, SMALL};
use crate::network::Network;
use crate::network::architecture::{Architecture, EfficientNet};
use crate::network::catalog::imagenet;
use crate::network::convention::KERAS_APPLICATIONS;
use crate::preprocessing::Preset;

/// A network whose summary begins with what Keras calls it.
const fn keras(name: &'static str, summary: &'static str, network: EfficientNet) -> Network {
    let (own_name, _) = summary.split_at(summary.len() - " of keras.applications".len());
    imagenet(
        name,
        summary,
        KERAS_APPLICATIONS,
        Architecture::EfficientNet(network),
    )
    .called(KERAS_APPLICATIONS.name, own_name)
}

impl Network {
    /// Says that a pixel x goes in as x / 128 - 1, so that white is a little less than 1.
    const fn in_128ths(self) -> Self {
        let mut network = self.prepared(Preset::Tf);
        if let Some(evaluation) = &mut network.evaluation {
            evaluation.divisor = 128.;
        }
        network
    }
}

pub(in crate::network::catalog) const NETWORKS: &[Network] = &[
    keras(
        "keras_mobilenetv3_small",
        "MobileNetV3Small of keras.applications",
        SMALL,
    )
    .prepared(Preset::Tf),
    keras(
        "keras_mobilenetv3_large",
        "MobileNetV3Large of keras.applications",
        LARGE,
    )
    .prepared(Preset::Tf),
    keras(
        "keras_efficientnet_b0",
        "EfficientNetB0 of keras.applications",
        B0,
    )
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b1",
        "EfficientNetB1 of keras.applications",
        b(1., &[1.1]),
    )
    .sized(240)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b2",
        "EfficientNetB2 of keras.applications",
        b(1.1, &[1.2]),
    )
    .sized(260)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b3",
        "EfficientNetB3 of keras.applications",
        b(1.2, &[1.4]),
    )
    .sized(300)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b4",
        "EfficientNetB4 of keras.applications",
        b(1.4, &[1.8]),
    )
    .sized(380)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b5",
        "EfficientNetB5 of keras.applications",
        b(1.6, &[2.2]),
    )
    .sized(456)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b6",
        "EfficientNetB6 of keras.applications",
        b(1.8, &[2.6]),
    )
    .sized(528)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnet_b7",
        "EfficientNetB7 of keras.applications",
        b(2., &[3.1]),
    )
    .sized(600)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnetv2_b0",
        "EfficientNetV2B0 of keras.applications",
        BASE,
    )
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnetv2_b1",
        "EfficientNetV2B1 of keras.applications",
        base(1., &[1.1]),
    )
    .sized(240)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnetv2_b2",
        "EfficientNetV2B2 of keras.applications",
        base(1.1, &[1.2]),
    )
    .sized(260)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnetv2_b3",
        "EfficientNetV2B3 of keras.applications",
        base(1.2, &[1.4]),
    )
    .sized(300)
    .prepared(Preset::Torch),
    keras(
        "keras_efficientnetv2_s",
        "EfficientNetV2S of keras.applications",
        S,
    )
    .sized(384)
    .in_128ths(),
    keras(
        "keras_efficientnetv2_m",
        "EfficientNetV2M of keras.applications",
        M,
    )
    .sized(480)
    .in_128ths(),
    keras(
        "keras_efficientnetv2_l",
        "EfficientNetV2L of keras.applications",
        L,
    )
    .sized(480)
    .in_128ths(),
];
