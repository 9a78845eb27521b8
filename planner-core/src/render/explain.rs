//! The formula with the numbers put in, and where each number came from.

use crate::dtype::DType;
use crate::engine::ShareOf;
use crate::plan::{GpuMemory, LayerGroup, Plan};
use crate::render::words::{Message as M, raw, sessions, text};
use crate::spec::layer::{Content, Extent, Layer, LayerKind, Store};
use crate::text::Lang;
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
    if let Some(lines) = plan.memory.as_ref().and_then(|memory| budget(plan, memory.gpus.first()?)) {
        all.push(section(M::ExplainBudget, lines));
    }
    let engine = super::explain_engine::lines(plan, lang);
    if !engine.is_empty() {
        all.push(section(M::ExplainEngine, engine));
    }
    if let Some(command) = plan.command() {
        let notes = command.notes.iter().map(|note| note.text.text(lang));
        all.push(section(M::ExplainCommand, std::iter::once(command.shell()).chain(notes).collect()));
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

/// How a GPU's room comes about, as sums that add up.
fn budget(plan: &Plan<'_>, gpu: &GpuMemory) -> Option<Vec<String>> {
    let (total, shared) = (gpu.total_bytes?, gpu.shared_bytes?);
    let [total_text, shared_text, budget, weights, reserve, room] =
        [total, shared, gpu.budget_bytes?, gpu.weight_bytes?, gpu.reserve_bytes?, gpu.kv_bytes_available]
            .map(group_digits);
    let share = plan.utilization();
    let left = format!("{budget} − {weights} − {reserve} = {room} B");
    Some(match plan.rule().utilization_of() {
        ShareOf::Total => vec![format!("{total_text} B × {share} = {budget} B"), left],
        ShareOf::FreeBeforeWeights => {
            let outside = group_digits(total.saturating_sub(shared));
            vec![
                format!("{total_text} − {outside} = {shared_text} B"),
                format!("{shared_text} × {share} + {outside} = {budget} B"),
                left,
            ]
        }
        ShareOf::FreeAfterWeights => {
            let free = format!("{total_text} − {weights} − {reserve} = {shared_text} B");
            vec![free, format!("{shared_text} × {share} = {room} B")]
        }
    })
}

fn stores<'a>(plan: &'a Plan<'_>, group: &LayerGroup) -> impl Iterator<Item = &'a Store> {
    plan.layer(group).into_iter().flat_map(|layer| &layer.stores)
}

fn growing<'a>(plan: &'a Plan<'_>, group: &LayerGroup) -> impl Iterator<Item = &'a Store> {
    let stores = stores(plan, group).filter(|store| store.is_kept_by("architecture"));
    stores.filter(|store| !matches!(store.extent, Extent::Session | Extent::Source))
}

fn kind(plan: &Plan<'_>, group: &LayerGroup) -> &'static str {
    plan.layer(group).map_or(LayerKind::None, Layer::kind).name()
}

/// Layers that store the same.
struct Same {
    kind: String,
    row: String,
    bytes: u64,
    tokens_per_row: u64,
    /// First and last layer of each run.
    runs: Vec<(u64, u64)>,
    layers: u64,
}

/// Runs of layers that are written out; of more, the first ones and the last.
const SHOWN_RUNS: usize = 6;

impl Same {
    fn line(&self, lang: Lang) -> String {
        let run = |(first, last): &(u64, u64)| match first == last {
            true => first.to_string(),
            false => format!("{first}–{last}"),
        };
        let mut runs: Vec<String> = self.runs.iter().map(run).collect();
        if runs.len() > SHOWN_RUNS {
            runs.splice(SHOWN_RUNS - 2..runs.len() - 1, ["…".to_owned()]);
        }
        let shared =
            if self.tokens_per_row > 1 { format!(" / {}", self.tokens_per_row) } else { String::new() };
        let formula = format!("{} × {}{shared}", self.layers, self.row);
        let bytes = group_digits(self.layers.saturating_mul(self.bytes) / self.tokens_per_row);
        text(
            lang,
            M::ExplainLayers,
            &[&self.layers.to_string(), &self.kind, &runs.join(", "), &formula, &bytes],
        )
    }
}

fn per_token(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let (k, v) = plan.kv_dtypes;
    let mut all: Vec<Same> = Vec::new();
    for group in &plan.layers {
        for store in growing(plan, group) {
            let Ok(bytes) = store.row_bytes(k, v) else { continue };
            let kind = match store.extent {
                Extent::Window(tokens) | Extent::Chunk(tokens) => format!("{} {tokens}", kind(plan, group)),
                _ => kind(plan, group).to_owned(),
            };
            let row = row_formula(store, k, v);
            let run = (group.first, group.first + group.count - 1);
            let same = |same: &&mut Same| {
                same.kind == kind && same.row == row && same.tokens_per_row == store.tokens_per_row
            };
            match all.iter_mut().find(same) {
                Some(same) => {
                    same.runs.push(run);
                    same.layers += group.count;
                }
                None => all.push(Same {
                    kind,
                    row,
                    bytes,
                    tokens_per_row: store.tokens_per_row,
                    runs: vec![run],
                    layers: group.count,
                }),
            }
        }
    }
    let mut lines: Vec<String> = all.iter().map(|same| same.line(lang)).collect();
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
    // Layers of a kind that keep as much, wherever they stand.
    let mut same: Vec<(&str, u64, u64)> = Vec::new();
    for group in plan.layers.iter().filter(|group| group.session_bytes > 0) {
        let (kind, one) = (kind(plan, group), group.session_bytes / group.count.max(1));
        match same.iter_mut().find(|(of, bytes, _)| (*of, *bytes) == (kind, one)) {
            Some((_, _, count)) => *count += group.count,
            None => same.push((kind, one, group.count)),
        }
    }
    let line = |&(kind, one, count): &(&str, u64, u64)| {
        let all = group_digits(one.saturating_mul(count));
        format!("{count} × {kind}: {count} × {} = {all} B", group_digits(one))
    };
    let mut lines: Vec<String> = same.iter().map(line).collect();
    for group in &plan.layers {
        for store in stores(plan, group) {
            match store.extent {
                Extent::Session => lines.push(format!(
                    "{}: {}",
                    raw(lang, M::ExplainState),
                    row_formula(store, DType::BF16, DType::BF16)
                )),
                Extent::Source => {
                    lines.push(text(lang, M::ExplainCross, &[&group_digits(plan.encoder_tokens)]))
                }
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
    if plan.request.users > 1 {
        lines.push(format!(
            "{}: {} B ({})",
            sessions(lang, plan.request.users),
            group_digits(plan.kv.total_bytes),
            human_bytes(plan.kv.total_bytes)
        ));
    }
    lines
}
