//! From any configuration to GGUF metadata, as `convert_hf_to_gguf.py` writes it (`conversion/*.py`,
//! `0c1e57098`), and so to a [`Hparams`]. Only keys that decide the size of a context are written, and
//! prediction layers are left out where the main context does not keep them.

use serde_json::{Map, Value as Json};

use super::classes;
use super::config::Config;
use super::convert_attention as attention;
use super::convert_state as state;
use super::hparams::Hparams;
use super::metadata::Metadata;
use crate::error::{Code, Error, Result};
use crate::spec::model::ModelSpec;
use crate::suggest;
use crate::text::Sentence;

/// Metadata being written.
pub struct Writer {
    /// GGUF architecture.
    pub arch: &'static str,
    /// Class that the converter picks.
    pub class: String,
    /// Layers that the configuration counts.
    pub layers: u64,
    map: Map<String, Json>,
}

impl Writer {
    /// Writes a key of the architecture.
    pub fn put(&mut self, key: &str, value: impl Into<Json>) {
        self.map.insert(format!("{}.{key}", self.arch), value.into());
    }

    /// Writes a key that has a value.
    pub fn put_some(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// Takes a key back.
    pub fn remove(&mut self, key: &str) {
        self.map.remove(&format!("{}.{key}", self.arch));
    }
}

/// The shape of a model that is not in GGUF.
pub fn shape(model: &ModelSpec) -> Result<Hparams> {
    let config = Config::of(model);
    let keys = ["n_layers", "num_hidden_layers", "n_layer", "num_layers", "num_transformer_layers"];
    let layers = config.number(&keys);
    let layers = layers.unwrap_or(model.config_layers);
    let (arch, class) = architecture(model, &config, layers)?;
    let mut writer = Writer { arch, class, layers, map: Map::new() };
    writer.map.insert("general.architecture".into(), arch.into());
    base(&mut writer, &config, model);
    attention::heads(&mut writer, &config)?;
    attention::windows(&mut writer, &config)?;
    attention::latent(&mut writer, &config)?;
    state::states(&mut writer, &config)?;
    let missing =
        || Error::refused(Code::LlamacppArchitecture, say!("it has no architecture `{0}`", arch)).about(arch);
    Metadata::of(&writer.map).ok_or_else(missing)?.shape()
}

/// The GGUF architecture that the converter writes, and its class (`get_model_architecture`).
fn architecture(model: &ModelSpec, config: &Config<'_>, layers: u64) -> Result<(&'static str, String)> {
    let first =
        |map: &Map<String, Json>| Some(map.get("architectures")?.as_array()?.first()?.as_str()?.to_owned());
    // these wrappers are converted by their own name, all others by the language model's
    const OWN: &[&str] = &[
        "StepVLForConditionalGeneration",
        "Sarashina2VisionForCausalLM",
        "Exaone4_5_ForConditionalGeneration",
        "Step3p7ForConditionalGeneration",
        "KimiK3ForConditionalGeneration",
    ];
    let outer = first(&model.config).unwrap_or_else(|| model.architecture.clone());
    let inner = first(model.text_config()).filter(|_| !OWN.contains(&outer.as_str()));
    let class = inner.filter(|inner| classes::architecture(inner).is_some()).unwrap_or_else(|| outer.clone());
    let Some(arch) = classes::architecture(&class) else {
        let near = suggest::near(&class, classes::all());
        let refusal = Error::refused(Code::LlamacppClass, say!("its converter has no class `{0}`", class));
        return Err(match near.as_slice() {
            [] => refusal.about(class),
            near => refusal.about(class).way_out(say!("near names: {0}", Sentence::list(near))),
        });
    };
    let sparse = config.number(&["num_experts_per_tok", "num_experts_per_token"]).is_some();
    let arch = match arch {
        // granite.py: without state layers the hybrids are written as the plain architectures
        "granitehybrid" if !state::granite_states(config, layers).contains(&true) => {
            if sparse {
                "granitemoe"
            } else {
                "granite"
            }
        }
        // nemotron.py asks for num_experts_per_tok, which the configuration class always has
        "nemotron_h" => "nemotron_h_moe",
        "mistral3" if config.text("model_type") == Some("mistral4") => "mistral4",
        "deepseek2" if attention::is_ocr(&outer) => "deepseek2-ocr",
        arch => arch,
    };
    Ok((arch, class))
}

/// `TextModel.set_gguf_parameters` of `conversion/base.py`, and the context lengths that classes set
/// themselves.
fn base(writer: &mut Writer, config: &Config<'_>, model: &ModelSpec) {
    writer.put("block_count", writer.layers);
    let dynamic = config.get("rope_parameters").or_else(|| config.get("rope_scaling"));
    let dynamic =
        dynamic.and_then(|rope| rope.get("rope_type").or_else(|| rope.get("type"))).and_then(Json::as_str);
    let generic = [
        "max_position_embeddings",
        "n_ctx",
        "n_positions",
        "max_length",
        "max_sequence_length",
        "model_max_length",
    ];
    let hidden = config.number(&["hidden_size", "n_embd", "dim", "d_model", "model_dim"]);
    let hidden = hidden.unwrap_or(model.hidden_size);
    let context = match writer.arch {
        "mamba" | "mamba2" | "rwkv6" | "rwkv6qwen2" | "rwkv7" | "arwkv7" => Some(1 << 20),
        "nemotron_h" | "nemotron_h_moe" => Some(1 << 20),
        "granitehybrid" if model.architecture != "BambaForCausalLM" => Some(1 << 20),
        "falcon" => Some(2048),
        "plamo" => Some(4096),
        "plamo2" => config.number(&["max_position_embeddings"]).or(Some(2048)),
        "hunyuan-moe" | "hunyuan-dense" if dynamic == Some("dynamic") => Some(256 * 1024),
        "gemma3" => config.number(&["max_position_embeddings"]).or(Some(131_072)),
        "bloom" | "chatglm" => config.number(&["seq_length"]).or(Some(hidden)),
        "command-r" => config.number(&["model_max_length", "max_position_embeddings"]),
        "dbrx" | "mpt" => config.number(&["max_seq_len"]),
        "openelm" => config.number(&["max_context_length"]),
        "t5" | "t5encoder" => config.number(&["n_positions"]).or(Some(512)),
        "gpt2" => config.number(&["n_ctx", "n_positions"]),
        "codeshell" | "jais" | "refact" | "starcoder" => config.number(&["n_positions"]),
        "orion" => config.number(&["max_sequence_length", "max_position_embeddings", "model_max_length"]),
        "phi2" | "phi3" | "phimoe" => config.number(&["n_positions", "max_position_embeddings"]),
        _ => config.number(&generic),
    };
    writer.put_some("context_length", context.or(model.max_position));
    writer.put("embedding_length", hidden);
    let heads = config.number(&["num_attention_heads", "n_head", "n_heads", "num_heads"]);
    writer.put_some("attention.head_count", heads.or(model.attention_heads));
    writer.put_some("attention.head_count_kv", config.number(&["num_key_value_heads", "n_kv_heads"]));
    if config.flag("is_causal") == Some(false) {
        writer.put("attention.causal", false);
    }
    // classes that do not call the base, and Granite's, which drop head_dim, write no widths:
    // hidden / heads, whatever head_dim says
    const WITHOUT: &[&str] = &[
        "bloom",
        "chatglm",
        "codeshell",
        "dbrx",
        "falcon",
        "gpt2",
        "gptneox",
        "granite",
        "granite_swa",
        "granitehybrid",
        "granitemoe",
        "graniteswitch",
        "jais",
        "jamba",
        "mpt",
        "orion",
        "phi2",
        "phi3",
        "phimoe",
        "plamo",
        "refact",
        "stablelm",
        "starcoder",
        "minicpm3",
    ];
    if !WITHOUT.contains(&writer.arch) {
        let width = config.number(&["head_dim"]);
        writer.put_some("attention.key_length", width);
        writer.put_some("attention.value_length", width);
    }
}
