//! Weights as `llama-quantize` writes them: a file type is a mix of tensor types.
//!
//! Restates `tensor_allows_quantization`, `llama_tensor_get_type_impl`, `tensor_type_fallback` and
//! `llama_ftype_get_default_type` of `src/llama-quant.cpp` (llama.cpp `007dbbf3f`), without `--tensor-type`, `--pure` and
//! types of one's own for tables and output. IQ types are taken to have an importance matrix, which those below IQ3_S
//! need; the others to have none. Tensors of one dimension and routers are f32, as the converter writes them.

use super::super::hf_config::HfConfig;
use super::super::model::{ModelSpec, WeightModule};
use super::super::value::ModuleKind;
use crate::error::Result;
use crate::units::{product, sum};

/// Elements and bytes of one block (`ggml-common.h`).
type Block = (u64, u64);

const F32: Block = (1, 4);
const F16: Block = (1, 2);
const Q8_0: Block = (32, 34);
const MXFP4: Block = (32, 17);
const Q2_K: Block = (256, 84);
const Q3_K: Block = (256, 110);
const Q4_K: Block = (256, 144);
const Q5_K: Block = (256, 176);
const Q6_K: Block = (256, 210);
const IQ2_XXS: Block = (256, 66);
const IQ2_S: Block = (256, 82);
const IQ3_XXS: Block = (256, 98);
/// As wide as q3_K, and so is what either falls back to.
const IQ3_S: Block = Q3_K;

macro_rules! file_types {
    ($($kind:ident $name:literal $block:expr $(, $alias:literal)*;)*) => {
        /// A file type of `llama-quantize`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FileType {
            $(#[doc = concat!("`", $name, "`.")] $kind),*
        }

        impl FileType {
            /// Every file type.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// Name in lower case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// The file type of a name, in lower case.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name $(| $alias)* => Some(Self::$kind),)*
                    _ => None,
                }
            }

            /// Type of the tensors that no rule names.
            fn block(self) -> Block {
                match self { $(Self::$kind => $block),* }
            }
        }
    };
}

file_types! {
    Q4Zero "q4_0" (32, 18);
    Q4One "q4_1" (32, 20);
    Q5Zero "q5_0" (32, 22);
    Q5One "q5_1" (32, 24);
    Q8Zero "q8_0" Q8_0;
    Mxfp4Moe "mxfp4_moe" MXFP4;
    Q2K "q2_k" Q2_K;
    Q2KS "q2_k_s" Q2_K;
    Q3KS "q3_k_s" Q3_K;
    Q3KM "q3_k_m" Q3_K, "q3_k";
    Q3KL "q3_k_l" Q3_K;
    Q4KS "q4_k_s" Q4_K;
    Q4KM "q4_k_m" Q4_K, "q4_k";
    Q5KS "q5_k_s" Q5_K;
    Q5KM "q5_k_m" Q5_K, "q5_k";
    Q6K "q6_k" Q6_K;
    Iq1S "iq1_s" (256, 50);
    Iq1M "iq1_m" (256, 56);
    Iq2Xxs "iq2_xxs" IQ2_XXS;
    Iq2Xs "iq2_xs" (256, 74);
    Iq2S "iq2_s" (256, 74);
    Iq2M "iq2_m" IQ2_S;
    Iq3Xxs "iq3_xxs" IQ3_XXS;
    Iq3Xs "iq3_xs" IQ3_S;
    Iq3S "iq3_s" IQ3_S;
    Iq3M "iq3_m" IQ3_S;
    Iq4Nl "iq4_nl" (32, 18);
    Iq4Xs "iq4_xs" (256, 136);
    Tq1Zero "tq1_0" (256, 54);
    Tq2Zero "tq2_0" (256, 66);
}

/// What the quantizer tells tensors apart by (`tensor_category`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    Embedding,
    Query,
    Key,
    /// Values, and queries, keys and values in one (`category_is_attn_v`).
    Value,
    Output,
    Up,
    Gate,
    Down,
    Head,
    Other,
}

/// Models whose files hold queries, keys and values in one tensor.
const FUSED: [&str; 7] = ["bloom", "dbrx", "falcon", "gpt2", "gpt_bigcode", "gpt_neox", "mpt"];

/// Parts that a file of the language model does not hold.
const BESIDE: [&str; 3] = ["audio", "projector", "vision"];

/// What the rules ask of a model.
struct Mix<'a> {
    model: &'a ModelSpec,
    file_type: FileType,
    /// Query heads for each KV head.
    gqa: u64,
    experts: u64,
    layers: u64,
    /// Layers with a tensor of values, or with one of queries, keys and values.
    values: u64,
    is_tied: bool,
    /// Whether the checkpoint's experts are in MXFP4.
    is_mxfp4: bool,
    is_falcon: bool,
    /// Llama and Qwen 2 with 80 layers (`LLM_TYPE_70B`).
    is_70b: bool,
}

/// Gives every module of a model the bytes that it has in a file of this type.
///
/// # Errors
/// Sums beyond 64 bits.
pub(super) fn store(file_type: FileType, model: &mut ModelSpec) -> Result<()> {
    let mix = Mix::new(file_type, model);
    let mut layers_before = Counters::default();
    let bytes: Vec<u64> =
        model.modules.iter().map(|module| mix.bytes(module, &mut layers_before)).collect::<Result<_>>()?;
    for (module, bytes) in model.modules.iter_mut().zip(bytes) {
        module.bytes = bytes;
    }
    Ok(())
}

/// Layers of each kind seen so far: the rules go by the how-manieth it is.
#[derive(Default)]
struct Counters {
    layer: Option<u64>,
    values: u64,
    downs: u64,
    seen: (bool, bool),
}

impl Counters {
    /// Enters the layer of a module.
    fn enter(&mut self, layer: Option<u64>) {
        if layer != self.layer {
            self.values += u64::from(self.seen.0);
            self.downs += u64::from(self.seen.1);
            (self.layer, self.seen) = (layer, (false, false));
        }
    }
}

impl<'a> Mix<'a> {
    fn new(file_type: FileType, model: &'a ModelSpec) -> Self {
        let mut with_values: Vec<u64> = Vec::new();
        for module in model.modules.iter().filter(|module| category(model, module) == Category::Value) {
            with_values.extend(module.layer);
        }
        with_values.dedup();
        let heads = model.attention_heads.unwrap_or(1);
        let experts = model.modules.iter().filter(|module| module.part == "experts");
        Self {
            model,
            file_type,
            gqa: heads / model.kv_heads.unwrap_or(heads).max(1),
            experts: experts.map(|module| module.count).max().unwrap_or(0),
            layers: model.config_layers,
            values: with_values.len() as u64,
            is_mxfp4: HfConfig::of(model).quant_method() == Some("mxfp4"),
            is_tied: !model.modules.iter().any(|module| module.part == "head"),
            is_falcon: model.model_type == "falcon",
            is_70b: model.config_layers == 80 && matches!(model.model_type.as_str(), "llama" | "qwen2"),
        }
    }

    fn bytes(&self, module: &WeightModule, before: &mut Counters) -> Result<u64> {
        const BYTES: crate::text::Words = words!("weight bytes");
        if BESIDE.contains(&module.part) {
            return Ok(module.bytes);
        }
        before.enter(module.layer);
        let is_table = module.shape.kind == ModuleKind::Table;
        // a table's rows are its outputs
        let (row, rows) = match is_table {
            true => (module.shape.outputs, module.shape.inputs),
            false => (module.shape.inputs, module.shape.outputs),
        };
        let block = if is_quantized(module) { self.block(module, row, before) } else { F32 };
        let matrix = product(BYTES, &[row.div_ceil(block.0), block.1, rows])?;
        let bias = product(BYTES, &[module.shape.bias, F32.1])?;
        product(BYTES, &[sum(BYTES, [matrix, bias])?, module.count])
    }

    /// The type of a tensor with rows of so many elements.
    fn block(&self, module: &WeightModule, row: u64, before: &mut Counters) -> Block {
        let category = category(self.model, module);
        let block = match category {
            Category::Head => self.head(row),
            Category::Embedding if self.is_tied => self.head(row),
            // the converter takes them over (gpt-oss), and the quantizer leaves them
            _ if self.is_mxfp4 && module.part == "experts" => MXFP4,
            _ if self.file_type == FileType::Mxfp4Moe => match module.part {
                "experts" => MXFP4,
                _ => Q8_0,
            },
            _ => {
                let layer = module.layer.unwrap_or(0);
                let down = if self.experts > 1 { layer } else { before.downs };
                let found = self.mixed(category, before.values, down, layer);
                before.seen.0 |= category == Category::Value;
                before.seen.1 |= category == Category::Down;
                found
            }
        };
        fitting(block, row)
    }

    fn head(&self, row: u64) -> Block {
        use FileType::{Iq1M, Iq1S, Iq2M, Iq2S, Iq2Xs, Iq2Xxs, Iq3Xxs, Mxfp4Moe};
        match self.file_type {
            Mxfp4Moe => Q8_0,
            kind if self.is_falcon || !row.is_multiple_of(kind.block().0) => Q8_0,
            Iq1S | Iq1M | Iq2Xxs | Iq2Xs | Iq2S | Iq2M | Iq3Xxs => Q5_K,
            FileType::Q8Zero => Q8_0,
            _ => Q6_K,
        }
    }

    /// The type by category and by the how-manieth of its kind a tensor is.
    fn mixed(&self, category: Category, value: u64, down: u64, layer: u64) -> Block {
        use FileType::{
            Iq1M, Iq1S, Iq2M, Iq2S, Iq2Xs, Iq2Xxs, Iq3M, Iq3S, Iq3Xs, Iq3Xxs, Iq4Nl, Iq4Xs, Q2K, Q2KS, Q3KL,
            Q3KM, Q3KS, Q4KM, Q4KS, Q5KM, Tq1Zero, Tq2Zero,
        };
        let kind = self.file_type;
        let plain = kind.block();
        let eighth = self.layers / 8;
        let small = matches!(kind, Iq1S | Iq1M | Iq2Xxs | Iq2Xs | Iq2S | Iq2M);
        let wider_small = if matches!(kind, Iq2S | Iq2M) { IQ3_S } else { Q2_K };
        match category {
            Category::Embedding => match kind {
                Iq1S | Iq1M | Iq2Xxs | Iq2Xs => Q2_K,
                Iq2S | Iq2M | Iq3Xxs => IQ3_S,
                Tq1Zero | Tq2Zero => Q4_K,
                _ => plain,
            },
            Category::Value if small => {
                if self.gqa >= 4 || self.experts >= 4 {
                    Q4_K
                } else {
                    wider_small
                }
            }
            Category::Value => self.value(value),
            Category::Key if small && self.experts == 8 => Q4_K,
            Category::Key if self.experts == 8 => Q8_0,
            Category::Key | Category::Query => match kind {
                Iq3Xs => IQ3_XXS,
                Iq3Xxs => IQ2_S,
                _ => plain,
            },
            Category::Down if small => {
                if down < eighth {
                    wider_small
                } else {
                    plain
                }
            }
            Category::Down => match kind {
                Q2K => Q3_K,
                Q2KS if down < eighth => Q4_K,
                Q3KM if down < self.layers / 16 => Q5_K,
                Q3KM if !self.is_falcon || more_bits(down, self.layers) => Q4_K,
                Q3KL => {
                    if self.is_falcon {
                        Q4_K
                    } else {
                        Q5_K
                    }
                }
                Iq3M if down < eighth || self.experts == 8 && more_bits(down, self.layers) => Q4_K,
                Q4KM if self.is_falcon && down < self.layers / 16 => Q6_K,
                Q4KM if more_bits(down, self.layers) => {
                    if self.is_falcon {
                        Q5_K
                    } else {
                        Q6_K
                    }
                }
                Q5KM if more_bits(down, self.layers) => Q6_K,
                Q4KS if !self.is_falcon && down < eighth => Q5_K,
                _ => plain,
            },
            Category::Output if small => match kind {
                _ if self.experts == 8 => Q5_K,
                Iq1S | Iq1M => IQ2_XXS,
                Iq2S | Iq2M => IQ3_S,
                _ => plain,
            },
            Category::Output if self.is_falcon => {
                if kind == Q3KL {
                    Q4_K
                } else {
                    plain
                }
            }
            Category::Output if self.experts == 8 => match kind {
                Q2K | Iq3Xs | Iq3Xxs | Q3KS | Q3KM | Iq4Nl | Q4KS | Q4KM | Iq3S | Iq3M | Iq4Xs => Q5_K,
                _ => plain,
            },
            Category::Output => match kind {
                Q2K => Q3_K,
                Iq3Xxs => IQ3_S,
                Q3KM | Iq3M => Q4_K,
                Q3KL => Q5_K,
                _ => plain,
            },
            Category::Up | Category::Gate
                if kind == Iq3Xs && (eighth..7 * self.layers / 8).contains(&layer) =>
            {
                IQ3_XXS
            }
            _ => plain,
        }
    }

    /// Values under the types that need no importance matrix, and IQ3 and IQ4.
    fn value(&self, nth: u64) -> Block {
        use FileType::{Iq3M, Iq3S, Iq3Xs, Iq3Xxs, Iq4Nl, Iq4Xs, Q2K, Q2KS, Q3KL, Q3KM, Q4KM, Q4KS, Q5KM};
        let plain = self.file_type.block();
        let found = match self.file_type {
            Q2K => {
                if self.gqa >= 4 {
                    Q4_K
                } else {
                    Q3_K
                }
            }
            Q2KS | Iq3Xxs | Iq3Xs | Iq3S if self.gqa >= 4 => Q4_K,
            Iq3M => Q4_K,
            Q3KM => {
                if nth < 2 {
                    Q5_K
                } else {
                    Q4_K
                }
            }
            Q3KL => Q5_K,
            Iq4Nl | Iq4Xs if self.gqa >= 4 => Q5_K,
            Q4KM | Q5KM if more_bits(nth, self.values) => Q6_K,
            Q4KS if nth < 4 => Q5_K,
            _ => plain,
        };
        match found {
            _ if self.experts == 8 => Q8_0,
            Q3_K | Q4_K if self.is_70b => Q5_K,
            _ => found,
        }
    }
}

/// `use_more_bits`: the first and the last eighth, and every third between.
fn more_bits(nth: u64, all: u64) -> bool {
    nth < all / 8 || nth >= 7 * all / 8 || (nth - all / 8) % 3 == 2
}

/// The type where its blocks divide a row, else what `tensor_type_fallback` has for it.
fn fitting(block: Block, row: u64) -> Block {
    if row.is_multiple_of(block.0) {
        return block;
    }
    let narrow = match block {
        Q4_K => (32, 22),
        Q5_K => (32, 24),
        Q6_K => Q8_0,
        _ => (32, 18),
    };
    if row.is_multiple_of(narrow.0) { narrow } else { F16 }
}

/// Whether the quantizer takes a tensor (`tensor_allows_quantization`).
fn is_quantized(module: &WeightModule) -> bool {
    let last = module.path.rsplit('.').next().unwrap_or_default();
    let is_matrix =
        matches!(module.shape.kind, ModuleKind::Linear | ModuleKind::Table) && module.shape.outputs > 1;
    let kept = module.path.contains("conv")
        || module.path.contains("altup")
        || module.path.contains("laurel")
        || module.path.contains("pos")
        || matches!(last, "wpe" | "per_layer_model_projection" | "relative_attention_bias" | "gates");
    is_matrix && !kept && !matches!(module.part, "router" | "norm")
}

fn category(model: &ModelSpec, module: &WeightModule) -> Category {
    let last = module.path.rsplit('.').next().unwrap_or_default();
    match module.part {
        "head" => Category::Head,
        "embeddings" if module.shape.kind == ModuleKind::Table => Category::Embedding,
        "attention" => match last {
            "q_proj" | "k_proj" | "v_proj" if FUSED.contains(&model.model_type.as_str()) => Category::Value,
            "v_proj" | "qkv_proj" | "v" => Category::Value,
            "q_proj" | "q" => Category::Query,
            "k_proj" | "k" => Category::Key,
            "o_proj" | "out_proj" | "o" => Category::Output,
            _ => Category::Other,
        },
        "mlp" | "experts" | "shared_experts" => match last {
            "up_proj" | "gate_up_proj" | "fc1" | "w3" | "wi_1" | "input_linear" => Category::Up,
            "gate_proj" | "w1" | "wi_0" => Category::Gate,
            "down_proj" | "fc2" | "w2" | "wo" | "output_linear" => Category::Down,
            _ => Category::Other,
        },
        // Gated delta networks' projections are named as attention's
        "state" if matches!(last, "in_proj_qkv" | "in_proj_qkvz" | "qkv_proj") => Category::Value,
        _ => Category::Other,
    }
}
