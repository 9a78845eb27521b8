//! Heads, windows and latents of classes that override the converter's base class (`conversion/*.py`,
//! `0c1e57098`).

use serde_json::Value as Json;

use super::config::Config;
use super::convert::Writer;
use crate::error::{Error, Result};
use crate::spec::layer::{Content, Extent};

/// Models of the DeepSeek V2 class without a latent, such as DeepSeek-OCR (`DeepseekV2Model.__init__`).
pub fn is_ocr(class: &str) -> bool {
    matches!(class, "DeepseekOCRForCausalLM" | "DeepseekOCR2ForCausalLM" | "UnlimitedOCRForCausalLM")
}

/// Query and KV heads, and their widths.
pub fn heads(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let query = || config.need(&["num_attention_heads", "n_head", "n_heads"]);
    match writer.arch {
        "falcon" => {
            // With multi_query the weights hold one KV head. The configuration class writes num_kv_heads as the
            // number of query heads, to which falcon.py could not reshape them.
            let grouped = config.flag("new_decoder_architecture") == Some(true);
            let single = config.flag("multi_query").unwrap_or(true) && !grouped;
            let heads = config.number(&["num_kv_heads", "n_head_kv"]).filter(|_| !single).unwrap_or(1);
            writer.put("attention.head_count_kv", heads);
        }
        "starcoder" | "refact" => writer.put("attention.head_count_kv", 1),
        "bloom" | "phi2" => writer.put("attention.head_count_kv", query()?),
        "plamo" => writer.put("attention.head_count_kv", 5),
        "chatglm" => {
            let heads = config.number(&["multi_query_group_num", "num_key_value_heads"]);
            writer.put("attention.head_count_kv", heads.map_or_else(query, Ok)?);
        }
        "codeshell" => writer.put("attention.head_count_kv", config.need(&["num_query_groups"])?),
        "dbrx" | "mpt" => {
            writer.remove("attention.head_count_kv");
            writer.put_some("attention.head_count_kv", config.inner("attn_config", "kv_n_heads"));
        }
        "phi3" | "phimoe" => {
            let heads = config.number(&["num_key_value_heads", "n_head_kv"]);
            writer.put("attention.head_count_kv", heads.map_or_else(query, Ok)?);
        }
        "openelm" => {
            for (key, from) in [("head_count", "num_query_heads"), ("head_count_kv", "num_kv_heads")] {
                let list = config.list(from).ok_or_else(|| missing(from))?;
                writer.put(&format!("attention.{key}"), list.clone());
            }
        }
        "deci" => deci(writer, config)?,
        "gemma3" if config.number(&["head_dim"]).is_none() => {
            writer.put("attention.key_length", 256);
            writer.put("attention.value_length", 256);
        }
        "gemma4" => gemma4(writer, config)?,
        "mimo2" => {
            let (full, window) =
                (config.need(&["num_key_value_heads"])?, config.need(&["swa_num_key_value_heads"])?);
            let slides = mimo_pattern(config)?;
            let heads: Vec<u64> = slides.iter().map(|&slides| if slides { window } else { full }).collect();
            writer.put("attention.head_count_kv", heads);
            writer.put("attention.value_length", config.need(&["v_head_dim"])?);
        }
        "step35" => {
            let other = |key: &str| config.inner("attention_other_setting", key);
            let slides = step_pattern(writer.layers, config);
            let full = (query()?, config.need(&["num_attention_groups"])?);
            let window = (
                other("num_attention_heads").unwrap_or(full.0),
                other("num_attention_groups").unwrap_or(full.1),
            );
            let each = |full: u64, window: u64| -> Vec<u64> {
                slides.iter().map(|&slides| if slides { window } else { full }).collect()
            };
            writer.put("attention.head_count", each(full.0, window.0));
            writer.put("attention.head_count_kv", each(full.1, window.1));
            writer.put_some("attention.value_length", config.number(&["head_dim"]));
        }
        "t5" | "t5encoder" => {
            let width = config.need(&["d_kv"])?;
            writer.put("attention.key_length", width);
            writer.put("attention.value_length", width);
            writer.put("attention.head_count", config.need(&["num_heads"])?);
            writer.remove("attention.head_count_kv");
        }
        "plm" => {
            let key = config.need(&["qk_nope_head_dim"])? + config.need(&["qk_rope_head_dim"])?;
            writer.put("attention.key_length", key);
            writer.put("attention.value_length", config.need(&["v_head_dim"])?);
        }
        "minicpm3" => {
            let key = config.need(&["qk_nope_head_dim"])? + config.need(&["qk_rope_head_dim"])?;
            writer.put("attention.key_length", key);
        }
        "mamba" | "mamba2" | "rwkv6" | "rwkv6qwen2" | "rwkv7" | "arwkv7" => {
            writer.put("attention.head_count", 0);
            writer.remove("attention.head_count_kv");
        }
        "nanbeige" => writer.put("num_loops", config.number(&["num_loops"]).unwrap_or(1).max(1)),
        "graniteswitch" => {
            // the router's cache, which the loader adds, is one of the counted layers
            writer.layers = writer.layers.saturating_sub(1);
            writer.put("block_count", writer.layers);
        }
        "hrm_text" => {
            let stack = config.need(&["num_layers_per_stack", "num_hidden_layers"])?;
            let (high, low) = (config.need(&["H_cycles"])?, config.need(&["L_cycles"])?);
            writer.layers = stack.saturating_mul(high).saturating_mul(low.saturating_add(1));
            writer.put("block_count", writer.layers);
        }
        // one KV head for each query head
        "gpt2" | "gptneox" | "jais" => writer.remove("attention.head_count_kv"),
        _ => {}
    }
    Ok(())
}

fn missing(field: &str) -> Error {
    Error::missing(field, words!("the configuration, for llama.cpp's converter"))
}

/// `DeciModel.__init__`: heads by layer from `block_configs`, 0 where a layer has no attention.
fn deci(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let query = config.need(&["num_attention_heads"])?;
    if let Some(blocks) = config.list("block_configs") {
        let (mut heads, mut kv) = (Vec::new(), Vec::new());
        for block in blocks {
            let attention = block.get("attention").ok_or_else(|| missing("block_configs.attention"))?;
            let group = attention.get("n_heads_in_group").and_then(Json::as_u64);
            let linear = attention.get("replace_with_linear").and_then(Json::as_bool).unwrap_or(false);
            kv.push(group.map_or(0, |group| query / group.max(1)));
            heads.push(if group.is_some() || linear { query } else { 0 });
        }
        writer.put("attention.head_count", heads);
        writer.put("attention.head_count_kv", kv);
        let width = config.need(&["hidden_size"])? / query.max(1);
        writer.put("attention.key_length", width);
        writer.put("attention.value_length", width);
    } else if let Some(list) = config.list("num_key_value_heads_per_layer") {
        writer.put("attention.head_count_kv", list.clone());
    }
    Ok(())
}

/// `Gemma4Model.set_gguf_parameters`: full layers and window layers differ in heads.
fn gemma4(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let slides = sliding(writer, config)?;
    let window = config.need(&["head_dim"])?;
    // newer files list exceptions by layer instead of the global keys
    let by_layer = |key: &str| {
        let layers = config.get("per_layer_config")?.as_object()?;
        let full = |index: &str| index.parse().ok().and_then(|i: usize| slides.get(i)) == Some(&false);
        layers.iter().find_map(|(index, own)| own.get(key).and_then(Json::as_u64).filter(|_| full(index)))
    };
    let full = config.number(&["global_head_dim"]).or_else(|| by_layer("head_dim")).unwrap_or(window);
    for key in ["key_length", "value_length"] {
        writer.put(&format!("attention.{key}"), full);
        writer.put(&format!("attention.{key}_swa"), window);
    }
    let kv = config.number(&["num_key_value_heads"]);
    let global = config.number(&["num_global_key_value_heads"]).or_else(|| by_layer("num_key_value_heads"));
    if let (Some(kv), Some(global)) = (kv, global) {
        let heads: Vec<u64> = slides.iter().map(|&slides| if slides { kv } else { global }).collect();
        writer.put("attention.head_count_kv", heads);
    }
    writer.put("attention.shared_kv_layers", config.number(&["num_kv_shared_layers"]).unwrap_or(0));
    Ok(())
}

fn sliding(writer: &Writer, config: &Config<'_>) -> Result<Vec<bool>> {
    // Gemma4TextConfig makes the last layer full, whatever the file says
    let listed =
        config.layer_types(writer.layers, &["sliding_attention"]).filter(|_| writer.arch != "gemma4");
    let defined = || config.reads(|store| matches!(store.extent, Extent::Window(_)));
    let slides = listed.unwrap_or_else(defined);
    if slides.is_empty() { Err(missing("layer_types")) } else { Ok(slides) }
}

fn mimo_pattern(config: &Config<'_>) -> Result<Vec<bool>> {
    let list = config.list("hybrid_layer_pattern").ok_or_else(|| missing("hybrid_layer_pattern"))?;
    Ok(list.iter().map(|item| item.as_u64() == Some(1)).collect())
}

fn step_pattern(layers: u64, config: &Config<'_>) -> Vec<bool> {
    config.layer_types(layers, &["sliding_attention"]).unwrap_or_else(|| vec![false; layers as usize])
}

/// Window lengths and patterns, for the classes that write them.
pub fn windows(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let length = config.number(&["sliding_window"]);
    let layers = writer.layers;
    const KEY: &str = "attention.sliding_window";
    const PATTERN: &str = "attention.sliding_window_pattern";
    match writer.arch {
        // the length alone; the loader's period decides which layers slide
        "afmoe" | "cohere2" | "gemma2" | "gpt-oss" | "laguna" => writer.put_some(KEY, length),
        "gemma3" if config.number(&["sliding_window_pattern"]) != Some(1) => {
            writer.put_some(KEY, length);
        }
        "gemma3n" => {
            writer.put_some(KEY, length);
            writer.put(PATTERN, sliding(writer, config)?);
        }
        "cohere2moe" | "gemma4" | "maple" | "muse-glimmer" | "spark2_5" => {
            writer.put_some(KEY, length);
            writer.put(PATTERN, sliding(writer, config)?);
        }
        "mellum" if config.flag("use_sliding_window") != Some(false) && length.is_some() => {
            writer.put_some(KEY, length);
            writer.put(PATTERN, sliding(writer, config)?);
        }
        "granite_swa" => {
            writer.put(KEY, length.unwrap_or(128));
            let every = || (0..layers).map(|i| i % 4 != 0).collect();
            writer.put(PATTERN, config.layer_types(layers, &["sliding_attention"]).unwrap_or_else(every));
        }
        "olmo2" => {
            writer.put_some(KEY, length);
            let every = || (0..layers).map(|i| !(i + 1).is_multiple_of(4)).collect();
            writer.put(PATTERN, config.layer_types(layers, &["sliding_attention"]).unwrap_or_else(every));
        }
        "exaone4" | "exaone-moe" => {
            writer.put_some(KEY, length);
            if let Some(pattern) = length.and_then(|_| exaone_pattern(layers, config)) {
                writer.put(PATTERN, pattern);
            }
        }
        "plamo3" => {
            if let Some(length) = config.number(&["window_size", "sliding_window"]) {
                writer.put(KEY, length);
                let pattern =
                    config.get("sliding_window_pattern").ok_or_else(|| missing("sliding_window_pattern"))?;
                writer.put(PATTERN, pattern.clone());
            }
        }
        "lfm2" if writer.class == "Lfm25AudioTokenizer" => writer.put_some(KEY, length),
        "smallthinker" => {
            let layout = config.list("sliding_window_layout");
            if layout.is_some_and(|layout| layout.iter().any(|item| item.as_u64() != Some(0))) {
                writer.put_some(KEY, config.number(&["sliding_window_size"]));
            }
        }
        "llama4" => {
            // llama.py writes 0 where all layers are full; Llama4TextConfig makes them full where there is no
            // chunk
            let full = match config.list("layer_types") {
                Some(types) => types.iter().all(|own| own.as_str() == Some("full_attention")),
                None => config.is_null("attention_chunk_size"),
            };
            if full {
                writer.put(KEY, 0);
            }
        }
        "mimo2" => {
            writer.put_some(KEY, length);
            writer.put(PATTERN, mimo_pattern(config)?);
        }
        "step35" => {
            writer.put_some(KEY, length);
            writer.put(PATTERN, step_pattern(layers, config));
        }
        "deepseek4" => writer.put_some(KEY, length),
        "dots3note" => {
            writer.put_some(KEY, config.number(&["sliding_window_size", "sliding_window"]));
            writer.put(PATTERN, sliding(writer, config)?);
        }
        _ => {}
    }
    Ok(())
}

/// `layer_types`, else a pattern such as `LLLG` or a period (`conversion/exaone.py`).
fn exaone_pattern(layers: u64, config: &Config<'_>) -> Option<Vec<bool>> {
    if let Some(pattern) = config.layer_types(layers, &["sliding_attention"]) {
        return Some(pattern);
    }
    match config.get("sliding_window_pattern")? {
        Json::String(letters) => {
            Some(letters.bytes().cycle().take(layers as usize).map(|letter| letter == b'L').collect())
        }
        period => {
            let period = period.as_u64()?;
            Some((0..layers).map(|i| !(i + 1).is_multiple_of(period)).collect())
        }
    }
}

/// Latents, indexers and compressed caches. A latent is one head, as wide as the rank and the rotary part.
pub fn latent(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    match writer.arch {
        "deepseek2" | "deepseek32" | "glm-dsa" | "mistral4" | "hy_v4" | "kimi-linear" | "kimi-k3"
        | "bailingmoe3" | "glm5-next" | "dots3note" => {
            let rank = config.number(&["kv_lora_rank", "n_lora_kv"]).unwrap_or(512);
            let rope = config.need(&["qk_rope_head_dim", "n_rot"])?;
            writer.put("attention.kv_lora_rank", rank);
            writer.put("attention.key_length", rank.saturating_add(rope));
            let expanded = config.need(&["qk_nope_head_dim"])?.saturating_add(rope);
            writer.put("attention.key_length_mla", expanded);
            writer.put("attention.value_length_mla", config.need(&["v_head_dim"])?);
            match writer.arch {
                // these two write no width of values, so the base's counts: hidden / heads, or head_dim
                "kimi-linear" | "bailingmoe3" => {}
                _ => writer.put("attention.value_length", rank),
            }
            writer.put("attention.head_count_kv", 1);
        }
        _ => {}
    }
    match writer.arch {
        "deepseek32" | "glm-dsa" | "dots3note" | "glm5-next" => {
            writer.put("attention.indexer.key_length", config.need(&["index_head_dim"])?);
            if let Some(types) = config.list("indexer_types") {
                let full = |own: &Json| own.as_str() == Some("full");
                writer.put("attention.indexer.types", types.iter().map(full).collect::<Vec<_>>());
            } else if writer.arch == "glm-dsa" {
                // GlmMoeDsaConfig always has the list
                let full = config.reads(|store| matches!(store.content, Content::IndexKey { .. }));
                writer.put("attention.indexer.types", full);
            }
        }
        "hy_v4" => {
            let sparse = ["sparse_attention", "indexed_attention"];
            let listed = config
                .list("indexer_types")
                .map(|types| types.iter().map(|own| own.as_str() == Some("full")).collect::<Vec<bool>>());
            let by_type = || config.layer_types(writer.layers, &sparse).filter(|types| types.contains(&true));
            if let Some(full) = listed.or_else(by_type) {
                writer.put("attention.indexer.key_length", config.need(&["index_head_dim"])?);
                writer.put("attention.indexer.top_k", config.need(&["index_topk"])?);
                writer.put("attention.indexer.types", full);
            }
        }
        "minimax-m3" => minimax(writer, config)?,
        "qwen4exp" => writer.put("attention.indexer.key_length", config.need(&["indexer_head_dim"])?),
        "deepseek4" => {
            let ratios = config.list("compress_ratios").ok_or_else(|| missing("compress_ratios"))?;
            writer.put("attention.compress_ratios", ratios.clone());
            writer.put("attention.indexer.key_length", config.need(&["index_head_dim"])?);
        }
        _ => {}
    }
    if writer.arch == "dots3note" {
        dots3(writer, config)?;
    }
    Ok(())
}

/// `Dots3NoteModel`: window layers have a latent of another size, all others an indexer.
fn dots3(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let rank = config.need(&["swa_kv_lora_rank"])?;
    let rope = config.need(&["swa_qk_rope_head_dim"])?;
    writer.put("attention.key_length_swa", rank.saturating_add(rope));
    writer.put("attention.value_length_swa", rank);
    let full: Vec<bool> = sliding(writer, config)?.iter().map(|slides| !slides).collect();
    writer.put("attention.indexer.types", full);
    Ok(())
}

/// `MiniMaxM3Model`: the leading layers have no sparse attention and no indexer.
fn minimax(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let width = config
        .inner("sparse_attention_config", "sparse_index_dim")
        .or_else(|| config.number(&["index_head_dim"]));
    writer.put("attention.indexer.key_length", width.ok_or_else(|| missing("sparse_attention_config"))?);
    let dense = config
        .list("moe_layer_freq")
        .map(|list| list.iter().position(|item| item.as_u64() != Some(0)).unwrap_or(list.len()) as u64);
    writer.put_some("leading_dense_block_count", dense);
    Ok(())
}
