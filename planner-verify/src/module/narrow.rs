//! A configuration with equal rules and smaller sizes.
//!
//! Widths of heads, ranks and states stay, and up to four KV heads. Vocabulary, feed-forward, experts and
//! layers shrink. The model's width is what the heads need. Windows and position tables are short enough for a
//! few tokens to exceed them.

use planner_core::spec::layer::{Content, Extent, Layer, LayerKind};
use planner_core::spec::model::ModelSpec;
use serde_json::{Map, Value as Json};

/// Longest window.
const WINDOW: u64 = 12;

/// Rows of position tables.
const POSITIONS: u64 = 64;

/// The most key-value heads.
const KV_HEADS: u64 = 4;

/// Keys that become a small constant.
const SMALL: &[(&[&str], u64)] = &[
    (&["vocab_size", "padded_vocab_size", "decoder_vocab_size"], 64),
    (&["intermediate_size", "n_inner", "ffn_hidden_size", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim"], 64),
    (&["moe_intermediate_size", "shared_expert_intermediate_size", "shared_intermediate_size"], 32),
    (&["num_experts", "num_local_experts", "n_routed_experts"], 4),
    (&["num_experts_per_tok", "moe_topk"], 2),
    (&["n_shared_experts", "n_group", "topk_group", "pad_vocab_size_multiple"], 1),
    (&["pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "forced_eos_token_id"], 1),
    (&["hidden_size_per_layer_input"], 16),
    (&["vocab_size_per_layer_input"], 64),
];

/// Keys that are at most a constant.
const CAPPED: &[(&[&str], u64)] = &[
    (&["sliding_window", "attention_window_size"], WINDOW),
    (&["max_position_embeddings", "n_positions", "seq_length", "max_target_positions"], POSITIONS),
];

const LAYERS: &[&str] = &[
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "num_decoder_layers",
    "encoder_layers",
    "decoder_layers",
];
const HEADS: &[&str] = &["num_attention_heads", "n_head", "n_heads"];
const KV: &[&str] = &["num_key_value_heads", "num_global_key_value_heads", "multi_query_group_num"];
const WIDTH: &[&str] = &["hidden_size", "n_embd", "lru_width"];

/// Keys that a module needs and a configuration may lack.
const DEFAULTS: &str = r#"{
    "alibi": false, "attention_bias": false, "attention_dropout": 0.0, "bias": false, "bos_token_id": 1,
    "decoder_sparse_step": 1, "decoder_start_token_id": 1, "dropout_rate": 0.0, "eos_token_id": 1,
    "forced_eos_token_id": 1, "hidden_act": "silu", "hidden_activation": "gelu_pytorch_tanh",
    "hidden_dropout": 0.0, "initializer_factor": 1.0, "initializer_range": 0.02,
    "is_encoder_decoder": true, "layer_norm_eps": 1e-05, "layer_norm_epsilon": 1e-05,
    "logits_soft_cap": 30.0, "max_window_layers": 0, "mlp_bias": false, "mrope_section": [2, 3, 3],
    "multi_query": true, "new_decoder_architecture": false, "norm_epsilon": 1e-05,
    "norm_topk_prob": false, "pad_token_id": 1, "pad_vocab_size_multiple": 1, "parallel_attn": true,
    "partial_rotary_factor": 0.5, "qk_layernorm": false, "query_pre_attn_scalar": 64,
    "relative_attention_num_buckets": 8, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0,
    "rope_theta": 10000.0, "sliding_window": 12, "sliding_window_pattern": 6,
    "tie_word_embeddings": true, "use_bias": false, "use_cache": true, "use_flash_attn": false,
    "use_sliding_window": false
}"#;

fn set(config: &mut Map<String, Json>, keys: &[&str], value: impl Fn(u64) -> u64) {
    for key in keys {
        if let Some(old) = config.get(*key).and_then(Json::as_u64) {
            config.insert((*key).to_owned(), value(old).into());
        }
    }
}

/// The narrowed configuration of the language model, at its place within the whole one.
pub fn config(model: &ModelSpec) -> (Map<String, Json>, Map<String, Json>) {
    let mut config = model.text_config().clone();
    let nested = model.config.get("text_config").is_some_and(Json::is_object);
    if !nested {
        config.insert("model_type".into(), model.model_type.clone().into());
    }
    // Scaled positions exceed the narrowed tables, and no cache depends on them.
    config.remove("rope_scaling");
    config.remove("quantization_config");
    for (keys, value) in SMALL {
        set(&mut config, keys, |_| *value);
    }
    for (keys, value) in CAPPED {
        set(&mut config, keys, |old| old.min(*value));
    }
    layers(&mut config, model);
    widths(&mut config, model);
    let mut whole = config.clone();
    if nested {
        whole = (*model.config).clone();
        whole.remove("quantization_config");
        whole.insert("text_config".into(), Json::Object(config.clone()));
    }
    (config, whole)
}

/// The fewest layers with every kind of store, at least two.
fn layers(config: &mut Map<String, Json>, model: &ModelSpec) {
    let all = model.layers.len();
    let kinds = |count: usize| {
        let mut seen = Vec::new();
        for layer in &model.layers[..count] {
            if !seen.contains(&&layer.stores) {
                seen.push(&layer.stores);
            }
        }
        seen.len()
    };
    let least = (2..=all).find(|&count| kinds(count) == kinds(all)).unwrap_or(all);
    set(config, LAYERS, |_| least as u64);
    for value in config.values_mut() {
        if let Json::Array(items) = value
            && items.len() == all
        {
            items.truncate(least);
        }
    }
}

/// The width that two query heads for each KV head need.
fn widths(config: &mut Map<String, Json>, model: &ModelSpec) {
    let contents = || model.layers.iter().flat_map(|layer| &layer.stores).map(|store| store.content);
    let attention = contents().find_map(|content| match content {
        Content::KeysValues { heads, k_dim, .. } => Some((heads, k_dim)),
        _ => None,
    });
    match (model.model_type.as_str(), attention) {
        // An encoder has heads of its own; its width follows from them.
        ("t5" | "marian" | "whisper", _) => set(config, &["num_mel_bins"], |_| 4),
        ("mamba" | "mamba2", _) => {
            let per_head = config.get("head_dim").and_then(Json::as_u64).unwrap_or(64);
            let heads = config.get("n_groups").and_then(Json::as_u64).unwrap_or(1).max(2);
            let inner = per_head * heads;
            set(config, &["num_heads"], |_| heads);
            set(config, &["hidden_size", "d_model"], |_| inner / 2);
            set(config, &["intermediate_size", "d_inner"], |_| inner);
        }
        (_, Some((kv_heads, k_dim))) => {
            let group = model.attention_heads.map_or(1, |heads| heads / kv_heads.max(1)).clamp(1, 2);
            let kv_heads = kv_heads.min(KV_HEADS);
            set(config, KV, |_| kv_heads);
            set(config, HEADS, |_| kv_heads * group);
            set(config, WIDTH, |_| kv_heads * group * k_dim);
        }
        _ if contents().any(|content| matches!(content, Content::Latent { .. })) => {
            set(config, HEADS, |_| 4);
            set(config, &["num_key_value_heads"], |_| 4);
            set(config, &["hidden_size", "q_lora_rank"], |_| 64);
        }
        _ => {}
    }
}

/// The same with the keys that a module insists on.
pub fn filled(mut config: Map<String, Json>, model: &ModelSpec) -> Map<String, Json> {
    for (key, value) in serde_json::from_str::<Map<String, Json>>(DEFAULTS).unwrap_or_default() {
        let slot = config.entry(key).or_insert(Json::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
    let width = model.layers.iter().flat_map(|layer| &layer.stores).find_map(|store| match store.content {
        Content::KeysValues { k_dim, .. } if store.extent != Extent::Source => Some(k_dim),
        _ => None,
    });
    let short = |layer: &Layer| match layer.kind() {
        LayerKind::State => "conv",
        _ => "full_attention",
    };
    let kinds = model.layers.iter().map(short).collect::<Vec<_>>();
    config.entry("layer_types").or_insert_with(|| kinds.into());
    if model.model_type == "granitemoehybrid" {
        // candle knows its kinds by the names of older files
        let types = config.get_mut("layer_types").and_then(Json::as_array_mut);
        for name in types.into_iter().flatten() {
            *name = if name == "linear_attention" { "mamba" } else { "attention" }.into();
        }
    }
    if model.model_type == "mamba" {
        config.entry("d_model").or_insert_with(|| model.hidden_size.into());
        config.entry("n_layer").or_insert_with(|| (model.layers.len() as u64).into());
    }
    if let Some(width) = width {
        config.entry("head_dim").or_insert_with(|| width.into());
    }
    config
}
