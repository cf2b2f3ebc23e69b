use serde::Serialize;

/// What the reference does otherwise.
///
/// The order is that in which explanations are preferred where several explain a difference
/// equally: first what changes one number, then what leaves a tensor out or takes another for it,
/// then what arranges elements otherwise, other borders and functions, other wiring, the input, and
/// at last rounding, which explains a little of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "`Cause::meaning` says it once, for the documentation too"
)]
pub enum Cause {
    NormEpsilon,
    NormBatchStatistics,
    NormWeightMissing,
    NormBiasMissing,
    NormWeightAndBiasSwapped,
    NormMeanAndVarianceSwapped,
    NormVarianceAsDeviation,
    BiasMissing,
    GateBiasMissing,
    KernelTransposed,
    KernelFlipped,
    KernelChannelsSwapped,
    KernelMisread,
    GroupOutputsReordered,
    GroupInputsReordered,
    PaddingSame,
    PaddingSymmetric,
    PaddingOddPixel,
    PaddingValid,
    StrideElsewhere,
    PoolRounding,
    PoolBorder,
    PoolZeroPadding,
    PoolKind,
    ActivationMissing,
    ActivationExtra,
    ActivationMoved,
    HardSigmoidDefinition,
    SigmoidOrHardSigmoid,
    SiluOrHardSwish,
    GeluForm,
    LeakySlope,
    Relu6OrRelu,
    AnotherActivation,
    SqueezeOfAnother,
    SqueezeOfMaximum,
    GateMoved,
    GateAdded,
    GateMissing,
    FlattenOrder,
    ConcatOrder,
    ShuffleOrder,
    SoftmaxApplied,
    SoftmaxMissing,
    NormMissing,
    LayerMissing,
    AnotherInput,
    InputChannelOrder,
    InputScale,
    InputNormalization,
    InputLayout,
    InputTransposed,
    RoundingTf32,
    RoundingF16,
    RoundingBf16,
}

impl Cause {
    /// Every one, in the order in which they are preferred.
    pub const ALL: [Self; 55] = [
        Self::NormEpsilon,
        Self::NormBatchStatistics,
        Self::NormWeightMissing,
        Self::NormBiasMissing,
        Self::NormWeightAndBiasSwapped,
        Self::NormMeanAndVarianceSwapped,
        Self::NormVarianceAsDeviation,
        Self::BiasMissing,
        Self::GateBiasMissing,
        Self::KernelTransposed,
        Self::KernelFlipped,
        Self::KernelChannelsSwapped,
        Self::KernelMisread,
        Self::GroupOutputsReordered,
        Self::GroupInputsReordered,
        Self::PaddingSame,
        Self::PaddingSymmetric,
        Self::PaddingOddPixel,
        Self::PaddingValid,
        Self::StrideElsewhere,
        Self::PoolRounding,
        Self::PoolBorder,
        Self::PoolZeroPadding,
        Self::PoolKind,
        Self::ActivationMissing,
        Self::ActivationExtra,
        Self::ActivationMoved,
        Self::HardSigmoidDefinition,
        Self::SigmoidOrHardSigmoid,
        Self::SiluOrHardSwish,
        Self::GeluForm,
        Self::LeakySlope,
        Self::Relu6OrRelu,
        Self::AnotherActivation,
        Self::SqueezeOfAnother,
        Self::SqueezeOfMaximum,
        Self::GateMoved,
        Self::GateAdded,
        Self::GateMissing,
        Self::FlattenOrder,
        Self::ConcatOrder,
        Self::ShuffleOrder,
        Self::SoftmaxApplied,
        Self::SoftmaxMissing,
        Self::NormMissing,
        Self::LayerMissing,
        Self::AnotherInput,
        Self::InputChannelOrder,
        Self::InputScale,
        Self::InputNormalization,
        Self::InputLayout,
        Self::InputTransposed,
        Self::RoundingTf32,
        Self::RoundingF16,
        Self::RoundingBf16,
    ];

    /// What JSON and the documentation call it: `norm-epsilon`.
    #[must_use]
    pub fn name(self) -> String {
        let words = format!("{self:?}");
        let mut name = String::with_capacity(words.len() + 4);
        for (index, letter) in words.char_indices() {
            if letter.is_ascii_uppercase() && index > 0 {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    /// What the reference does, in a sentence without its full stop.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::NormEpsilon => "adds another epsilon to the variance",
            Self::NormBatchStatistics => {
                "norms by the mean and variance of the batch, as in training, not by the moving ones"
            }
            Self::NormWeightMissing => "has no weight (gamma) in a norm",
            Self::NormBiasMissing => "has no bias (beta) in a norm",
            Self::NormWeightAndBiasSwapped => "has a norm's weight and bias in each other's place",
            Self::NormMeanAndVarianceSwapped => {
                "has a norm's moving mean and variance in each other's place"
            }
            Self::NormVarianceAsDeviation => "divides by the variance, not by its root",
            Self::BiasMissing => "has no bias in a convolution or dense layer",
            Self::GateBiasMissing => "has no biases in the dense layers of an SE block",
            Self::KernelTransposed => "has a kernel's rows for its columns",
            Self::KernelFlipped => {
                "turns the kernel round: a convolution as in mathematics, where networks correlate"
            }
            Self::KernelChannelsSwapped => "has a kernel's inputs for its outputs",
            Self::KernelMisread => "read a kernel in another order of axes without transposing it",
            Self::GroupOutputsReordered => "has the outputs of a convolution's groups interleaved",
            Self::GroupInputsReordered => "has the inputs of a convolution's groups interleaved",
            Self::PaddingSame => "pads as TensorFlow's SAME",
            Self::PaddingSymmetric => "pads alike on all sides, as PyTorch does",
            Self::PaddingOddPixel => "has the odd pixel of its padding on the other side",
            Self::PaddingValid => "does not pad",
            Self::StrideElsewhere => "has the stride on another convolution of the block",
            Self::PoolRounding => "rounds the number of a pool's windows the other way",
            Self::PoolBorder => "counts the padding in an average, or does not",
            Self::PoolZeroPadding => "pads with zeros before a maximum, so that these may win",
            Self::PoolKind => "takes means for maxima, or the other way round",
            Self::ActivationMissing => "has no activation there",
            Self::ActivationExtra => "has an activation more there",
            Self::ActivationMoved => "has the activation on the other side of the addition",
            Self::HardSigmoidDefinition => {
                "has the other hard sigmoid: x/6 + 1/2 (PyTorch, Keras 3), 0.2x + 1/2 (Keras 2)"
            }
            Self::SigmoidOrHardSigmoid => {
                "has a sigmoid for a hard sigmoid, or the other way round"
            }
            Self::SiluOrHardSwish => "has SiLU (swish) for hard swish, or the other way round",
            Self::GeluForm => "has another form of GELU: by erf, by tanh, or by sigmoid",
            Self::LeakySlope => "has a leaky rectifier of another slope",
            Self::Relu6OrRelu => "has a rectifier that is clipped at 6, or one that is not",
            Self::AnotherActivation => "has an activation of another kind",
            Self::SqueezeOfAnother => "squeezes another tensor in an SE block",
            Self::SqueezeOfMaximum => "squeezes to maxima, not to means",
            Self::GateMoved => "applies the gate on the other side of the activation",
            Self::GateAdded => "adds the gate, and does not multiply by it",
            Self::GateMissing => "does not apply the gate",
            Self::FlattenOrder => {
                "flattens pixel by pixel (HWC), not channel by channel (CHW), or the other way round"
            }
            Self::ConcatOrder => "concatenates in another order",
            Self::ShuffleOrder => "shuffles channels with groups and channels exchanged",
            Self::SoftmaxApplied => "ends with a softmax or sigmoid",
            Self::SoftmaxMissing => "does not end with a softmax or sigmoid",
            Self::AnotherInput => "computes a layer from another value",
            Self::NormMissing => "has no norm there",
            Self::LayerMissing => "lacks a layer: its value is what goes into it",
            Self::InputChannelOrder => "takes blue first, not red",
            Self::InputScale => "takes pixels in another range",
            Self::InputNormalization => "subtracts a mean and divides by a deviation, or does not",
            Self::InputLayout => "read pixels of one layout, NHWC or NCHW, as the other",
            Self::InputTransposed => "takes the image's rows for its columns",
            Self::RoundingTf32 => "multiplies in TF32, which has 11 bits of precision",
            Self::RoundingF16 => "computes in half precision (float16)",
            Self::RoundingBf16 => "computes in bfloat16",
        }
    }
}
