//! Functions of each element alone: one enum from the description to the kernels.

/// A function that is applied to each element alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6): Howard et al., arXiv:1704.04861.
    Relu6,
    /// x where that is positive, else x times `slope`: Maas et al., 2013.
    LeakyRelu {
        /// What numbers below 0 are multiplied by.
        slope: f64,
    },
    /// x * sigmoid(x), also called swish: Hendrycks and Gimpel, arXiv:1606.08415, section 4;
    /// Ramachandran et al., arXiv:1710.05941.
    Silu,
    /// x * relu6(x + 3) / 6: Howard et al., arXiv:1905.02244, section 5.2.
    HardSwish,
    /// x times the share of a normal distribution below x, (1 + erf(x / sqrt(2))) / 2: Hendrycks
    /// and Gimpel, arXiv:1606.08415. `PyTorch`'s and Keras 3's default.
    Gelu,
    /// x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2, the same paper's approximation:
    /// `approximate="tanh"` in `PyTorch`, `approximate=True` in Keras.
    GeluTanh,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// relu6(x + 3) / 6, which is x / 6 + 1/2 from 0 to 1: `PyTorch`'s `Hardsigmoid` and Keras 3's
    /// `hard_sigmoid`.
    HardSigmoid,
    /// 0.2 x + 1/2 from 0 to 1: Keras 2's `hard_sigmoid`, and Paddle's, after Courbariaux et al.,
    /// arXiv:1511.00363.
    HardSigmoidKeras2,
}

impl Activation {
    /// All of them, a leaky rectifier with the slope that `PyTorch`'s has.
    pub const ALL: [Self; 10] = [
        Self::Relu,
        Self::Relu6,
        Self::LeakyRelu { slope: 0.01 },
        Self::Silu,
        Self::HardSwish,
        Self::Gelu,
        Self::GeluTanh,
        Self::Sigmoid,
        Self::HardSigmoid,
        Self::HardSigmoidKeras2,
    ];

    /// What trace calls it: `relu`, `hard swish`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::LeakyRelu { .. } => "leaky relu",
            Self::Silu => "silu",
            Self::HardSwish => "hard swish",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu (tanh)",
            Self::Sigmoid => "sigmoid",
            Self::HardSigmoid => "hard sigmoid",
            Self::HardSigmoidKeras2 => "hard sigmoid (Keras 2)",
        }
    }

    /// Whether it makes gates: factors from 0 to 1.
    #[must_use]
    pub fn is_gate(self) -> bool {
        match self {
            Self::Sigmoid | Self::HardSigmoid | Self::HardSigmoidKeras2 => true,
            Self::Relu
            | Self::Relu6
            | Self::LeakyRelu { .. }
            | Self::Silu
            | Self::HardSwish
            | Self::Gelu
            | Self::GeluTanh => false,
        }
    }

    /// Whether its constants are finite numbers.
    pub(super) fn is_finite(self) -> bool {
        match self {
            Self::LeakyRelu { slope } => slope.is_finite(),
            _ => true,
        }
    }
}
