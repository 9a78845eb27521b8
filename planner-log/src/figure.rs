//! A figure of a log: what it is of, its value, and how far printing rounded it.

/// What a figure is of.
macro_rules! quantities {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// What a figure is of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quantity {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Quantity {
            /// Every one, in the order of a table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in patterns and in JSON.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

quantities! {
    /// Memory of the GPU as the engine sees it.
    Total = "total",
    /// The engine's share of it.
    Budget = "budget",
    /// Free before anything is loaded.
    FreeBefore = "free_before",
    /// Free once the weights are loaded.
    FreeAfterWeights = "free_after_weights",
    /// Weights.
    Weights = "weights",
    /// Weights and what is outside PyTorch, in one figure.
    Consumed = "consumed",
    /// Peak of activations while a step is profiled.
    Activation = "activation",
    /// The same with the estimate of the graphs in it.
    ActivationAndGraphs = "activation_and_graphs",
    /// Outside PyTorch's allocator.
    OutsideTorch = "outside_torch",
    /// Graphs as estimated before they are captured.
    GraphsEstimate = "graphs_estimate",
    /// Graphs as captured.
    Graphs = "graphs",
    /// Everything beside the cache, in one figure.
    BeforeCache = "before_cache",
    /// Buffers of the compute graph (llama.cpp).
    Compute = "compute",
    /// Buffers of the output (llama.cpp).
    Output = "output",
    /// Room for the cache, or the cache that fills it.
    Room = "room",
    /// Keys.
    Keys = "keys",
    /// Values.
    Values = "values",
    /// Recurrent states.
    States = "states",
    /// Tokens of a block.
    BlockSize = "block_size",
    /// Blocks.
    Blocks = "blocks",
    /// Tokens, or cells.
    Tokens = "tokens",
    /// Longest sessions that run at once, in hundredths.
    Concurrency = "concurrency",
    /// Slots of a server (llama.cpp).
    Slots = "slots",
    /// Tokens that one slot holds (llama.cpp).
    SlotTokens = "slot_tokens",
    /// Parameters of the model.
    Parameters = "parameters",
    /// Tokens that the model was trained on at once.
    TrainedTokens = "trained_tokens",
}

impl Quantity {
    /// By its name in a pattern.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|quantity| quantity.name() == name)
    }

    /// Whether it is memory, in bytes.
    pub fn is_bytes(self) -> bool {
        !matches!(
            self,
            Self::BlockSize
                | Self::Blocks
                | Self::Tokens
                | Self::Concurrency
                | Self::Slots
                | Self::SlotTokens
                | Self::Parameters
                | Self::TrainedTokens
        )
    }
}

/// The unit that a log prints a figure in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 2³⁰ bytes. Where vLLM and SGLang print `GB`, they divide by 2³⁰ too.
    GiB,
    /// 2²⁰ bytes.
    MiB,
    /// Bytes.
    Byte,
    /// A count.
    Count,
    /// A ratio, kept in hundredths.
    Hundredth,
}

impl Unit {
    /// By its name in a pattern.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "GiB" => Some(Self::GiB),
            "MiB" => Some(Self::MiB),
            "B" => Some(Self::Byte),
            "n" => Some(Self::Count),
            "x" => Some(Self::Hundredth),
            _ => None,
        }
    }

    fn scale(self) -> i128 {
        match self {
            Self::GiB => 1 << 30,
            Self::MiB => 1 << 20,
            Self::Byte | Self::Count => 1,
            Self::Hundredth => 100,
        }
    }
}

/// A figure of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure {
    /// What it is of.
    pub quantity: Quantity,
    /// Bytes, a count, or hundredths.
    pub value: i64,
    /// The value before it was rounded is at most this far off.
    pub rounding: i64,
}

impl Figure {
    /// From its text: `58.11`, `1,024`, `-0.05`.
    pub fn read(quantity: Quantity, text: &str, unit: Unit) -> Option<Self> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let digits: String = digits.chars().filter(|c| *c != ',').collect();
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        if whole.is_empty() || whole.len() > 18 || fraction.len() > 12 {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let parts = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        let scale = unit.scale();
        let rounding = match unit {
            Unit::Byte | Unit::Count => 0,
            // engines round to two decimals and leave out a last 0
            _ => (scale / parts.max(100) + 1) / 2,
        };
        Some(Self {
            quantity,
            value: i64::try_from(sign * mantissa * scale / parts).ok()?,
            rounding: i64::try_from(rounding).ok()?,
        })
    }

    /// Whether a value would be printed so; one more either way where integers were divided.
    pub fn agrees(self, value: i64) -> bool {
        self.value.abs_diff(value) <= self.rounding.unsigned_abs().saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, unit: Unit) -> Option<(i64, i64)> {
        Figure::read(Quantity::Room, text, unit).map(|figure| (figure.value, figure.rounding))
    }

    #[test]
    fn figures_keep_how_they_were_rounded() {
        assert_eq!(read("2.5", Unit::GiB), Some((5 << 29, 5_368_709)));
        assert_eq!(read("-0.05", Unit::GiB), Some((-53_687_091, 5_368_709)));
        assert_eq!(read("1,024", Unit::Count), Some((1024, 0)));
        assert_eq!(read("58.11", Unit::Hundredth), Some((5811, 1)));
    }

    #[test]
    fn what_is_no_figure_is_refused() {
        for text in ["", "-", "1.2.3", "999999999999999999999", "1-2"] {
            assert_eq!(read(text, Unit::GiB), None, "{text}");
        }
    }
}
