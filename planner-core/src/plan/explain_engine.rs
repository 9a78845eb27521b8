//! An engine's figures with the numbers put in, and the engine's own files that say so.

use serde_json::{Map, Value as Json};

use super::Plan;
use crate::engine::{Term, Unit};
use crate::text::{Lang, Message as M, engine_rule, raw, text};
use crate::units::{group_digits, human_bytes};

/// Where the rule of each engine stands in its own source.
fn source(id: &str) -> Option<&'static str> {
    Some(match id {
        "vllm" => "vllm/v1/core/kv_cache_planning.py, kv_cache_utils.py, v1/kv_cache_interface.py",
        "sglang" => "sglang/srt/model_executor/pool_configurator.py, mem_cache/kv_cache_configurator.py",
        "tensorrt-llm" => "tensorrt_llm/_torch/pyexecutor/resource_manager.py, llmapi/llm_args.py",
        "llama.cpp" => "src/llama-context.cpp, llama-kv-cache*.cpp, llama-memory-recurrent.cpp",
        "transformers" => "transformers/cache_utils.py",
        "candle" => "candle-nn/src/kv_cache.rs, candle-transformers/src/models",
        _ => return None,
    })
}

/// The lines for the chosen engine; none for the definition, which explains itself.
pub(super) fn lines(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let engine = &plan.engine;
    let Some(source) = source(engine.id) else { return Vec::new() };
    let keys = &engine.details.keys;
    let mut lines = vec![engine_rule(lang, engine.id).to_owned()];
    lines.extend(list(keys, "groups").filter_map(|group| block_group(group, lang)));
    lines.extend(list(keys, "caches").filter_map(|cache| cell_cache(cache, lang)));
    lines.extend(blocks(keys, plan, lang));
    let terms = plan.allocation().and_then(|layout| layout.terms(plan.tokens)).unwrap_or_default();
    lines.extend(terms.iter().filter_map(|term| product(term, lang)));
    lines.push(format!(
        "{}: {} B ({})",
        raw(lang, M::ColumnOneSession),
        group_digits(engine.session_bytes),
        human_bytes(engine.session_bytes)
    ));
    lines.push(format!(
        "{}: {} B ({})",
        raw(lang, M::ColumnAllSessions),
        group_digits(engine.total_bytes),
        human_bytes(engine.total_bytes)
    ));
    if engine.floor_bytes_per_session > 0 {
        lines.push(text(lang, M::ExplainFloor, &[&group_digits(engine.floor_bytes_per_session)]));
    }
    lines.push(format!("{}: {source} ({} {})", raw(lang, M::Source), engine.id, engine.version));
    lines
}

fn list<'a>(keys: &'a Map<String, Json>, name: &str) -> impl Iterator<Item = &'a Json> {
    keys.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn figure(entry: &Json, name: &str) -> Option<String> {
    entry.get(name).and_then(Json::as_u64).map(group_digits)
}

/// Layers that share pages: layers, bytes of a page, blocks of one request.
fn block_group(group: &Json, lang: Lang) -> Option<String> {
    let kind = group.get("kind")?.as_str()?;
    let layers = figure(group, "layers")?;
    let page = figure(group, "page_bytes")?;
    let tokens = figure(group, "block_size")?;
    let blocks = figure(group, "blocks_per_session")?;
    Some(text(lang, M::ExplainGroup, &[&layers, kind, &page, &tokens, &blocks]))
}

/// A product of what a session takes; none where nothing is taken.
fn product(term: &Term, lang: Lang) -> Option<String> {
    let bytes = term.bytes().ok().filter(|bytes| *bytes > 0)?;
    let of = |count: u64, unit: M| text(lang, unit, &[&group_digits(count)]);
    let factor = |(count, unit): &(u64, Unit)| match unit {
        Unit::Layers => of(*count, M::UnitLayers),
        Unit::Tokens => of(*count, M::UnitTokens),
        Unit::Rows => of(*count, M::UnitRows),
        Unit::Blocks => of(*count, M::UnitBlocks),
        Unit::Slots => of(*count, M::UnitSlots),
        Unit::Bytes => format!("{} B", group_digits(*count)),
    };
    let factors: Vec<String> = term.factors.iter().map(factor).collect();
    let over = if term.over > 1 { format!(" / {}", group_digits(term.over)) } else { String::new() };
    let gpus = if term.gpus > 1 { format!(" × {}", of(term.gpus, M::UnitGpus)) } else { String::new() };
    Some(format!("{}: {}{over}{gpus} = {} B", term.kind, factors.join(" × "), group_digits(bytes)))
}

/// A cache of cells: layers, cells, streams, bytes.
fn cell_cache(cache: &Json, lang: Lang) -> Option<String> {
    let kind = cache.get("kind")?.as_str()?;
    let [layers, cells, streams, k, v] =
        ["layers", "cells", "streams", "k_bytes", "v_bytes"].map(|name| figure(cache, name));
    Some(text(lang, M::ExplainCells, &[&layers?, kind, &cells?, &streams?, &k?, &v?]))
}

/// From memory to blocks, concurrency and tokens, as the engine's start-up log prints them.
fn blocks(keys: &Map<String, Json>, plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let number = |name: &str| keys.get(name).and_then(Json::as_u64);
    let blocks = number("num_blocks")?;
    let tokens = number("kv_cache_tokens")?;
    let concurrency = keys.get("max_concurrency").and_then(Json::as_f64)?;
    let block_bytes = list(keys, "block_bytes").filter_map(Json::as_u64).max();
    let Some((block_bytes, per_request)) = block_bytes.zip(number("blocks_per_request")) else {
        let room = plan.memory.as_ref()?.available().first().copied()?;
        return Some(text(
            lang,
            M::ExplainRows,
            &[&group_digits(room), &group_digits(tokens), &format!("{concurrency:.2}")],
        ));
    };
    let room = plan.memory.as_ref()?.available().first().copied()?;
    let length = number("max_model_len").unwrap_or(plan.tokens);
    let places = [
        group_digits(room),
        group_digits(block_bytes),
        group_digits(blocks),
        group_digits(per_request),
        format!("{concurrency:.2}"),
        group_digits(length),
        group_digits(tokens),
    ];
    Some(text(lang, M::ExplainBlocks, &places.each_ref().map(String::as_str)))
}
