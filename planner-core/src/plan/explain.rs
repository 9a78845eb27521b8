//! The formula with the numbers put in, and where each number came from.

use super::{LayerGroup, Plan};
use crate::dtype::DType;
use crate::spec::layer::{Content, Extent, Store};
use crate::text::{Lang, Message as M, raw, sessions, text};
use crate::units::{group_digits, human_bytes};

/// The article's measurement of GPT-2: 1,000 new tokens, mean and deviation of ten runs, in seconds.
pub const ARTICLE_CACHED: &str = "11.885 ± 0.272";
/// The same without the cache.
pub const ARTICLE_UNCACHED: &str = "56.197 ± 1.855";
/// Their ratio.
pub const ARTICLE_SPEEDUP: &str = "4.73x";

/// A titled list of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Title.
    pub title: String,
    /// Lines.
    pub lines: Vec<String>,
}

/// Everything there is to explain about a plan.
pub fn sections(plan: &Plan<'_>, lang: Lang) -> Vec<Section> {
    let section = |title: M, lines: Vec<String>| Section { title: raw(lang, title).to_owned(), lines };
    let mut all = vec![section(M::ExplainPerToken, per_token(plan, lang))];
    all.push(Section {
        title: text(lang, M::ExplainSession, &[&group_digits(plan.tokens)]),
        lines: session(plan, lang),
    });
    if let Some(heads) = plan.kv.all_heads {
        all.push(section(
            M::ExplainAllHeads,
            vec![format!(
                "{} B/token, {} B, {} B × {}",
                group_digits(heads.bytes_per_token),
                group_digits(heads.session_bytes),
                group_digits(heads.session_bytes),
                group_digits(plan.request.users)
            )],
        ));
    }
    if let Some(gpu) = plan.memory.as_ref().and_then(|memory| memory.gpus.first())
        && let (Some(total), Some(budget), Some(weights), Some(reserve)) =
            (gpu.total_bytes, gpu.budget_bytes, gpu.weight_bytes, gpu.reserve_bytes)
    {
        let utilization = plan.run().utilization();
        all.push(section(
            M::ExplainBudget,
            vec![
                format!("{} B × {utilization} = {} B", group_digits(total), group_digits(budget)),
                format!(
                    "{} − {} − {} = {} B",
                    group_digits(budget),
                    group_digits(weights),
                    group_digits(reserve),
                    group_digits(gpu.kv_bytes_available)
                ),
            ],
        ));
    }
    let engine = super::explain_engine::lines(plan, lang);
    if !engine.is_empty() {
        all.push(section(M::ExplainEngine, engine));
    }
    let parts =
        plan.model.parts.iter().map(|part| format!("{}: {}", part.name, group_digits(part.parameters)));
    all.push(section(M::ExplainParameters, parts.collect()));
    let origins = plan
        .model
        .origin
        .iter()
        .map(|origin| format!("{} = {}: {}", origin.field, origin.value, origin.from));
    all.push(section(M::ExplainWhere, origins.collect()));
    all.push(section(
        M::ExplainArticle,
        vec![
            raw(lang, M::ExplainArticleText).to_owned(),
            text(lang, M::ExplainMeasured, &[ARTICLE_CACHED, ARTICLE_UNCACHED, ARTICLE_SPEEDUP]),
        ],
    ));
    all
}

fn growing<'a>(group: &'a LayerGroup<'_>) -> impl Iterator<Item = &'a Store> {
    let stores = group.layer.stores.iter().filter(|store| store.is_kept_by("architecture"));
    stores.filter(|store| !matches!(store.extent, Extent::Session | Extent::Source))
}

fn per_token(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let dtype = |name: &str| DType::from_name(name).unwrap_or(DType::BF16);
    let (k, v) = (dtype(plan.kv_dtypes.0), dtype(plan.kv_dtypes.1));
    let mut lines = Vec::new();
    for group in &plan.layers {
        for store in growing(group) {
            let Ok(row) = store.row_bytes(k, v) else { continue };
            let each = group.count.saturating_mul(row);
            let shared =
                if store.tokens_per_row > 1 { format!(" / {}", store.tokens_per_row) } else { String::new() };
            let formula = format!("{} × {}{shared}", group.count, row_formula(store, k, v));
            let kind = format!("{} ({}–{})", group.layer.kind(), group.first, group.first + group.count - 1);
            lines.push(text(
                lang,
                M::ExplainLayers,
                &[&group.count.to_string(), &kind, &formula, &group_digits(each / store.tokens_per_row)],
            ));
        }
    }
    let slopes = plan.kv.slopes.iter();
    lines.extend(slopes.map(|slope| {
        text(
            lang,
            M::SlopesChange,
            &[&group_digits(slope.from_token), &group_digits(slope.bytes_per_token())],
        )
    }));
    lines
}

/// `2 × 8 × 128 × 2`: sides, heads, width, bytes.
fn row_formula(store: &Store, k: DType, v: DType) -> String {
    let bytes = |dtype: DType| {
        if dtype.elements == 1 {
            dtype.bytes.to_string()
        } else {
            format!("{}/{}", dtype.bytes, dtype.elements)
        }
    };
    match store.content {
        Content::KeysValues { heads, k_dim, v_dim } | Content::Cross { heads, k_dim, v_dim } => {
            if k_dim == v_dim && k == v {
                format!("2 × {heads} × {k_dim} × {}", bytes(k))
            } else {
                format!("{heads} × ({k_dim} × {} + {v_dim} × {})", bytes(k), bytes(v))
            }
        }
        Content::Latent { rank, rope } => format!("({rank} + {rope}) × {}", bytes(k)),
        Content::IndexKey { heads, dim } => format!("{heads} × {dim} × {}", bytes(k)),
        Content::State { conv, recurrent, recurrent_dtype, conv_dtype, .. } => {
            format!(
                "({} × {} + {} × {})",
                group_digits(conv),
                bytes(conv_dtype),
                group_digits(recurrent),
                bytes(recurrent_dtype)
            )
        }
    }
}

fn session(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .layers
        .iter()
        .filter(|group| group.session_bytes > 0)
        .map(|group| {
            format!("{} × {}: {} B", group.count, group.layer.kind(), group_digits(group.session_bytes))
        })
        .collect();
    for group in &plan.layers {
        for store in &group.layer.stores {
            match store.extent {
                Extent::Session => lines.push(format!(
                    "{}: {}",
                    raw(lang, M::ExplainState),
                    row_formula(store, DType::BF16, DType::BF16)
                )),
                Extent::Source => lines.push(text(lang, M::ExplainCross, &[&group_digits(plan.source)])),
                _ => {}
            }
        }
    }
    lines.dedup();
    lines.push(format!(
        "= {} B ({})",
        group_digits(plan.kv.session_bytes),
        human_bytes(plan.kv.session_bytes)
    ));
    lines.push(format!(
        "{}: {} B ({})",
        sessions(lang, plan.request.users),
        group_digits(plan.kv.total_bytes),
        human_bytes(plan.kv.total_bytes)
    ));
    lines
}
