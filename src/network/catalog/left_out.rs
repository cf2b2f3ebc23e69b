//! timm's networks with SE blocks or the like that the catalogue does not have, and why.

/// Networks that are known by name alone, for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Their names, which are timm's.
    pub names: &'static [&'static str],
    /// What they have that no layer here is, in words that follow the name.
    pub reason: &'static str,
}

/// All of them.
pub const LEFT_OUT: &[LeftOut] = &[
    LeftOut {
        names: &[
            "efficientnet_cc_b0_4e",
            "efficientnet_cc_b0_8e",
            "efficientnet_cc_b1_8e",
            "tf_efficientnet_cc_b0_4e",
            "tf_efficientnet_cc_b0_8e",
            "tf_efficientnet_cc_b1_8e",
        ],
        reason: "mixes the weights of its convolutions anew for each image (CondConv)",
    },
    LeftOut {
        names: &[
            "efficientnet_b0_g8_gn",
            "efficientnet_b0_gn",
            "efficientnet_b3_g8_gn",
            "efficientnet_b3_gn",
            "regnety_040_sgn",
            "test_efficientnet_gn",
        ],
        reason: "normalises groups of channels by their mean and deviation in each image (GroupNorm)",
    },
    LeftOut {
        names: &["test_efficientnet_ln"],
        reason: "normalises each pixel by the mean and deviation of its channels (LayerNorm)",
    },
    LeftOut {
        names: &[
            "ese_vovnet39b_evos",
            "regnetz_b16_evos",
            "regnetz_c16_evos",
            "regnetz_d8_evos",
            "test_efficientnet_evos",
        ],
        reason: "has activations that divide by the deviation in each image (EvoNorm)",
    },
    LeftOut {
        names: &[
            "eca_nfnet_l0",
            "eca_nfnet_l1",
            "eca_nfnet_l2",
            "eca_nfnet_l3",
            "eca_resnet33ts",
            "eca_resnext26ts",
            "eca_vovnet39b",
            "ecaresnet101d",
            "ecaresnet101d_pruned",
            "ecaresnet200d",
            "ecaresnet269d",
            "ecaresnet26t",
            "ecaresnet50d",
            "ecaresnet50d_pruned",
            "ecaresnet50t",
            "ecaresnetlight",
            "ecaresnext26t_32x4d",
            "ecaresnext50t_32x4d",
            "nf_ecaresnet101",
            "nf_ecaresnet26",
            "nf_ecaresnet50",
        ],
        reason: "has gates that a convolution along the channels makes of their means (ECA)",
    },
    LeftOut {
        names: &[
            "eca_botnext26ts_256",
            "eca_halonext26ts",
            "haloregnetz_b",
            "sebotnet33ts_256",
            "sehalonet33ts",
        ],
        reason: "has self-attention between pixels in some blocks",
    },
];

/// Why the catalogue lacks the network of timm's of this name, if it is one with SE blocks
/// or the like.
#[must_use]
pub fn left_out(name: &str) -> Option<&'static str> {
    let of_name = LEFT_OUT.iter().find(|each| each.names.contains(&name));
    of_name.map(|each| each.reason)
}
