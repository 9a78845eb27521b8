//! Recurrent layers and their states, as the converter's classes write them (`conversion/mamba.py`,
//! `granite.py`, `qwen.py` and others, `0c1e57098`).

use serde_json::Value as Json;

use super::config::Config;
use super::convert::Writer;
use crate::error::Result;
use crate::spec::model::ModelSpec;

/// Metadata of the recurrent layers.
pub fn states(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let layers = writer.layers;
    match writer.arch {
        "mamba" => {
            let hidden = config.need(&["hidden_size", "d_model"])?;
            let inner = config.number(&["intermediate_size", "d_inner"]).unwrap_or(hidden.saturating_mul(2));
            ssm(writer, config, inner, None, config.number(&["state_size", "d_state"]).unwrap_or(16));
        }
        "mamba2" => mamba2(writer, config, config.number(&["state_size", "d_state"]).unwrap_or(128))?,
        "falcon-h1" => {
            // the class inherits Mamba 2's keys, and reads each with the prefix `mamba_` too
            let state = config.number(&["state_size", "d_state", "mamba_state_size", "mamba_d_state"]);
            mamba2(writer, config, state.unwrap_or(128))?;
        }
        "jamba" => {
            let hidden = config.need(&["hidden_size", "mamba_d_model"])?;
            let inner = config.number(&["mamba_expand"]).unwrap_or(2).saturating_mul(hidden);
            ssm(writer, config, inner, None, config.number(&["mamba_d_state"]).unwrap_or(16));
            let (offset, period) =
                (config.need(&["attn_layer_offset"])?, config.need(&["attn_layer_period"])?.max(1));
            let attends = |i: u64| i >= offset && (i - offset).is_multiple_of(period);
            heads(writer, config, (0..layers).map(attends).collect())?;
        }
        "granitehybrid" => {
            let times = ["expand", "num_heads", "mamba_expand", "mamba_num_heads"];
            let inner = granite_inner(config, &times)?;
            let groups = config.number(&["n_groups", "num_groups", "mamba_n_groups", "mamba_num_groups"]);
            let state = ["state_size", "d_state", "ssm_state_size", "mamba_d_state", "mamba_state_size"];
            ssm(writer, config, inner, groups, config.need(&state)?);
            let attends = granite_states(config, layers).iter().map(|is_state| !is_state).collect();
            heads(writer, config, attends)?;
        }
        "nemotron_h" | "nemotron_h_moe" => nemotron(writer, config)?,
        "plamo2" => {
            let inner = config.number(&["mamba_num_heads"]).unwrap_or(64);
            let width = config.number(&["hidden_size_per_head"]).unwrap_or(128);
            ssm(
                writer,
                config,
                inner.saturating_mul(width),
                Some(0),
                config.number(&["mamba_d_state"]).unwrap_or(64),
            );
            writer.put("attention.key_length", width);
            writer.put("attention.value_length", width);
            let step = config.number(&["mamba_step"]).unwrap_or(2).max(1);
            let attends = |i: u64| {
                if layers <= step / 2 { i + 1 == layers } else { i % step == step / 2 }
            };
            // without Mamba layers the class writes no heads, and the loader takes every layer for a Mamba
            // layer
            let mixed = config.flag("mamba_enabled") != Some(false);
            for (key, from, usual) in
                [("head_count", "num_attention_heads", 32), ("head_count_kv", "num_key_value_heads", 4)]
            {
                let heads = config.number(&[from]).unwrap_or(usual);
                let each = (0..layers).map(|i| if mixed && attends(i) { heads } else { 0 });
                writer.put(&format!("attention.{key}"), each.collect::<Vec<_>>());
            }
        }
        "lfm2" | "lfm2moe" => {
            writer.put("shortconv.l_cache", config.need(&["conv_L_cache"])?);
            // lfm2.py attends on layers without a convolution, LFM2 MoE on the layers that are listed
            let named = match writer.arch {
                "lfm2" => {
                    config.layer_types(layers, &["conv"]).map(|list| list.iter().map(|is| !is).collect())
                }
                _ => config.layer_types(layers, &["full_attention"]),
            };
            let attends = match named {
                Some(attends) => attends,
                None => {
                    let listed = config.list("full_attn_idxs");
                    (0..layers).map(|i| listed.is_some_and(|list| list.contains(&Json::from(i)))).collect()
                }
            };
            heads(writer, config, attends)?;
        }
        // minimax-01 gets none: the loader attends on every eighth layer, whatever attn_type_list says
        "qwen3next" | "qwen35" | "qwen35moe" | "qwen4exp" => qwen(writer, config)?,
        "kimi-linear" | "kimi-k3" => {
            let linear = config.get("linear_attn_config");
            // layer numbers in this list start at 1
            let full = linear.and_then(|linear| linear.get("full_attn_layers")).and_then(Json::as_array);
            let attends =
                (1..=layers).map(|i| full.is_some_and(|full| full.contains(&Json::from(i)))).collect();
            kda(writer, config);
            latent_heads(writer, attends);
        }
        "glm5-next" => {
            let linear = config.layer_types(layers, &["linear_attention"]);
            let attends = linear.unwrap_or_default().iter().map(|is_linear| !is_linear).collect();
            kda(writer, config);
            writer.put_some("attention.indexer.kpool", config.number(&["index_kpool"]));
            latent_heads(writer, attends);
        }
        "bailingmoe3" => bailing(writer, config)?,
        "rwkv6" | "rwkv7" | "rwkv6qwen2" | "arwkv7" => {
            let width = match writer.arch {
                "rwkv6qwen2" => {
                    config.need(&["hidden_size"])? / config.need(&["num_attention_heads"])?.max(1)
                }
                // two libraries wrote such files, under different names
                "rwkv7" => config.need(&["head_size", "head_dim"])?,
                _ => config.need(&["head_size"])?,
            };
            writer.put("wkv.head_size", width);
            if matches!(writer.arch, "rwkv6qwen2" | "arwkv7") {
                writer.put("token_shift_count", 1);
            }
        }
        _ => {}
    }
    Ok(())
}

fn ssm(writer: &mut Writer, config: &Config<'_>, inner: u64, groups: Option<u64>, state: u64) {
    let kernel =
        config.number(&["conv_kernel", "d_conv", "mamba_conv_kernel", "mamba_d_conv", "conv_kernel_size"]);
    writer.put("ssm.conv_kernel", kernel.unwrap_or(4));
    writer.put("ssm.inner_size", inner);
    writer.put("ssm.state_size", state);
    writer.put_some("ssm.group_count", groups);
}

/// KV heads by layer: those of attention layers, 0 on the others.
fn heads(writer: &mut Writer, config: &Config<'_>, attends: Vec<bool>) -> Result<()> {
    let kv = match config.number(&["num_key_value_heads", "n_head_kv"]) {
        Some(kv) => kv,
        None => config.need(&["num_attention_heads"])?,
    };
    let each: Vec<u64> = attends.iter().map(|&attends| if attends { kv } else { 0 }).collect();
    writer.put("attention.head_count_kv", each);
    Ok(())
}

fn latent_heads(writer: &mut Writer, attends: Vec<bool>) {
    let each: Vec<u64> = attends.iter().map(|&attends| u64::from(attends)).collect();
    writer.put("attention.head_count_kv", each);
}

fn kda(writer: &mut Writer, config: &Config<'_>) {
    writer.put_some("ssm.conv_kernel", config.inner("linear_attn_config", "short_conv_kernel_size"));
    writer.put_some("kda.head_dim", config.inner("linear_attn_config", "head_dim"));
}

/// `Mamba2Model.__init__`.
fn mamba2(writer: &mut Writer, config: &Config<'_>, state: u64) -> Result<()> {
    let hidden = config.need(&["hidden_size", "d_model", "dim"])?;
    let expand = config.number(&["mamba_expand", "expand"]).unwrap_or(2);
    // falcon_h1.py takes mamba_d_ssm; plain Mamba 2 files rarely state their inner width
    let named: &[&str] = match writer.arch {
        "falcon-h1" => &["mamba_d_ssm"],
        _ => &["mamba_d_ssm", "intermediate_size", "d_inner"],
    };
    let inner = config.number(named).unwrap_or(expand.saturating_mul(hidden));
    let groups = config.number(&["n_groups", "mamba_n_groups"]).unwrap_or(1);
    ssm(writer, config, inner, Some(groups), state);
    Ok(())
}

/// `GraniteHybridModel.__init__`: the number under one of `times`, × the head width or, without one, × the
/// model's.
fn granite_inner(config: &Config<'_>, times: &[&str]) -> Result<u64> {
    let width = config.need(&["mamba_head_dim", "hidden_size", "d_model"])?;
    Ok(config.need(times)?.saturating_mul(width))
}

/// Which layers of Granite hybrids and Bamba keep a state (`get_attn_layers`).
pub fn granite_states(config: &Config<'_>, layers: u64) -> Vec<bool> {
    const NAMES: &[&str] = &["attention", "full_attention"];
    let by_index = || {
        let listed = config.list("attn_layer_indices").filter(|list| !list.is_empty())?;
        Some((0..layers).map(|i| listed.contains(&Json::from(i))).collect())
    };
    let by_period = || {
        let period = config.number(&["attn_layer_period"])?;
        let offset = config.number(&["attn_layer_offset"]).unwrap_or(0);
        Some((0..layers).map(|i| i.checked_rem(period) == Some(offset)).collect())
    };
    // GraniteMoeHybridConfig also takes layers_block_type for layer_types; the converter itself does not
    let by_block = || config.kinds("layers_block_type", layers, NAMES);
    let named = config.layer_types(layers, NAMES);
    let attends = named.or_else(by_index).or_else(by_period).or_else(by_block);
    let attends: Vec<bool> = attends.unwrap_or_else(|| vec![false; layers as usize]);
    attends.iter().map(|attends| !attends).collect()
}

/// `NemotronHModel`: a letter or a name for each layer.
///
/// The class takes every model for a mixture of experts, because its configuration class has a default for
/// `num_experts_per_tok`. Then only expert layers get a feed-forward width, and the plain MLP layers of a dense
/// model are written as layers with a state. A file that was converted so has these states.
fn nemotron(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let kinds: Vec<&str> = match (config.text("hybrid_override_pattern"), config.list("layers_block_type")) {
        (Some(letters), _) => {
            letters.char_indices().filter_map(|(at, c)| letters.get(at..at + c.len_utf8())).collect()
        }
        (None, Some(list)) => list.iter().map(|kind| kind.as_str().unwrap_or_default()).collect(),
        (None, None) => Vec::new(),
    };
    if !kinds.is_empty() {
        writer.layers = kinds.len() as u64;
        writer.put("block_count", writer.layers);
    }
    let attends = |kind: &&str| matches!(*kind, "*" | "attention" | "full_attention");
    let feeds = |kind: &&str| matches!(*kind, "E" | "moe");
    heads(writer, config, kinds.iter().map(attends).collect())?;
    let ff = config.number(&["moe_intermediate_size"]).unwrap_or(1).max(1);
    let each: Vec<u64> = kinds.iter().map(|kind| if feeds(kind) { ff } else { 0 }).collect();
    writer.put("feed_forward_length", each);
    let width = config.need(&["head_dim", "attention_head_dim"])?;
    writer.put("attention.key_length", width);
    writer.put("attention.value_length", width);
    let inner = granite_inner(config, &["num_heads", "mamba_num_heads"])?;
    let groups = config.number(&["n_groups", "num_groups", "mamba_n_groups"]);
    let state = config.need(&["ssm_state_size", "state_size", "mamba_state_size", "d_state"])?;
    ssm(writer, config, inner, groups, state);
    Ok(())
}

/// Whether a Nemotron-H configuration has plain MLP layers. A GGUF file says so itself.
pub fn has_dense_layers(model: &ModelSpec) -> bool {
    let config = Config::of(model);
    let letters = config.text("hybrid_override_pattern").is_some_and(|letters| letters.contains('-'));
    let named = config.list("layers_block_type").is_some_and(|kinds| kinds.contains(&Json::from("mlp")));
    letters || named
}

/// `Qwen3NextModel`: gated delta nets on the layers of linear attention.
fn qwen(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let values = config.need(&["linear_num_value_heads"])?;
    let inner = config.need(&["linear_value_head_dim"])?.saturating_mul(values);
    writer.put("ssm.conv_kernel", config.need(&["linear_conv_kernel_dim"])?);
    writer.put("ssm.state_size", config.need(&["linear_key_head_dim"])?);
    writer.put("ssm.group_count", config.need(&["linear_num_key_heads"])?);
    writer.put("ssm.inner_size", inner);
    match config.layer_types(writer.layers, &["linear_attention"]) {
        Some(recurrent) => writer.put("attention.recurrent_layers", recurrent),
        None => {
            let interval = config.number(&["full_attention_interval"]).unwrap_or(4);
            writer.put("full_attention_interval", interval);
        }
    }
    if writer.arch != "qwen4exp" {
        return Ok(());
    }
    let ids = config.list("ple_layer_ids").cloned().unwrap_or_default();
    // numbered from 1
    let layers: Vec<u64> = ids.iter().filter_map(|id| id.as_u64()?.checked_sub(1)).collect();
    if !layers.is_empty() {
        writer.put("ple.layers", layers);
        writer.put("ple.conv_kernel", config.need(&["ple_conv_kernel_size"])?);
        writer.put("ple.ngram_size", config.need(&["ngram_size"])?);
    }
    writer.put_some("hyper_connection.count", config.number(&["hc_count"]));
    Ok(())
}

/// `BailingMoeV3Model`: the last layer of each group attends, as do the layers after the last whole group.
/// Prediction layers attend too, and are in the cache.
fn bailing(writer: &mut Writer, config: &Config<'_>) -> Result<()> {
    let (layers, group) = (writer.layers, config.need(&["layer_group_size"])?.max(1));
    let whole = layers / group * group;
    let next = config.number(&["num_nextn_predict_layers"]).unwrap_or(0);
    let all = layers.saturating_add(next);
    let attends = |i: u64| (i + 1).is_multiple_of(group) || i >= whole;
    latent_heads(writer, (0..all.min(super::hparams::MAX_LAYERS)).map(attends).collect());
    writer.put("block_count", all);
    writer.put("nextn_predict_layers", next);
    writer.put("ssm.conv_kernel", config.need(&["short_conv_kernel_size"])?);
    writer.put("kda.head_dim", config.need(&["head_dim"])?);
    Ok(())
}
