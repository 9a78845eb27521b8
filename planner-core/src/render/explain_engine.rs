//! An engine's figures with the numbers put in, and the files of its source that they restate.

use crate::engine::report::{BlockGroup, CellCache, ReportKind};
use crate::engine::{Term, Unit};
use crate::plan::Plan;
use crate::render::words::{Message as M, raw, text};
use crate::text::{Lang, Sentence};
use crate::units::{group_digits, human_bytes};

/// The lines for the chosen engine; none for the definition, which other sections explain.
pub(super) fn lines(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let engine = &plan.engine;
    let citation = plan.rule().citation();
    if citation.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![Sentence::from(plan.rule().rule()).text(lang)];
    match &engine.report.kind {
        ReportKind::Vllm(report) => lines.extend(report.groups.iter().map(|group| block_group(group, lang))),
        ReportKind::LlamaCpp(report) => {
            lines.extend(report.caches.iter().map(|cache| cell_cache(cache, lang)));
        }
        _ => {}
    }
    lines.extend(pool(plan, lang));
    let terms = plan.allocation().and_then(|allocation| allocation.terms(plan.tokens)).unwrap_or_default();
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
    if engine.min_session_bytes > 0 {
        lines.push(text(lang, M::ExplainFloor, &[&group_digits(engine.min_session_bytes)]));
    }
    lines.push(format!("{}: {citation} ({} {})", raw(lang, M::Source), engine.id, engine.version));
    lines
}

/// A group of layers: layers, bytes of a page, blocks of one request.
fn block_group(group: &BlockGroup, lang: Lang) -> String {
    let BlockGroup { layers, kind, block_size, page_bytes, blocks_per_session } = group;
    let [page, tokens, blocks] = [page_bytes, block_size, blocks_per_session].map(|n| group_digits(*n));
    text(lang, M::ExplainGroup, &[&layers.to_string(), kind, &page, &tokens, &blocks])
}

/// One product of a session's bytes; `None` where it is 0.
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
fn cell_cache(cache: &CellCache, lang: Lang) -> String {
    let CellCache { kind, cells, layers, streams, k_bytes, v_bytes } = cache;
    let [layers, cells, streams, k, v] = [layers, cells, streams, k_bytes, v_bytes].map(|n| group_digits(*n));
    text(lang, M::ExplainCells, &[&layers, kind, &cells, &streams, &k, &v])
}

/// From room to blocks, concurrency and tokens, in the figures of the engine's start-up log.
fn pool(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let report = &plan.engine.report;
    let pool = report.pool()?;
    let (blocks, tokens, concurrency) = (pool.num_blocks?, pool.kv_cache_tokens?, pool.max_concurrency?);
    let room = group_digits(plan.memory.as_ref()?.available().first().copied()?);
    let (tokens, concurrency) = (group_digits(tokens), format!("{concurrency:.2}"));
    let ReportKind::Vllm(vllm) = &report.kind else {
        return Some(text(lang, M::ExplainRows, &[&room, &tokens, &concurrency]));
    };
    let block_bytes = vllm.block_bytes.iter().copied().max()?;
    let places = [
        room,
        group_digits(block_bytes),
        group_digits(blocks),
        group_digits(vllm.blocks_per_request),
        concurrency,
        group_digits(vllm.max_model_len),
        tokens,
    ];
    Some(text(lang, M::ExplainBlocks, &places.each_ref().map(String::as_str)))
}
