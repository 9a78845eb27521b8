//! The formula with the numbers put in, and the source of each number.

use crate::dtype::DType;
use crate::engine::ShareOf;
use crate::engine::memory::MemoryPart;
use crate::plan::{GpuMemory, LayerGroup, Plan};
use crate::render::words::{Message as M, raw, sessions, text};
use crate::spec::layer::{Content, Extent, Layer, LayerKind, Store};
use crate::text::Lang;
use crate::units::{group_digits, human_bytes};

/// The article's measurement of GPT-2: 1,000 new tokens, mean and deviation of ten runs, in seconds.
pub const ARTICLE_CACHED: &str = "11.885 ± 0.272";
/// The same measurement without the cache.
pub const ARTICLE_UNCACHED: &str = "56.197 ± 1.855";
/// Their ratio, rounded.
pub const ARTICLE_SPEEDUP: &str = "4.73x";

/// A titled list of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Title.
    pub title: String,
    /// Lines.
    pub lines: Vec<String>,
}

/// All sections of an explanation.
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
    let memory = memory(plan, lang);
    if !memory.is_empty() {
        all.push(section(M::ExplainBudget, memory));
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

/// Layers with equal rows.
struct Same {
    kind: String,
    row: String,
    bytes: u64,
    tokens_per_row: u64,
    /// First and last layer of each run.
    runs: Vec<(u64, u64)>,
    layers: u64,
}

/// The most runs of layers that are written out; of more, the first ones and the last.
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

/// A row as factors: `2 × 8 × 128 × 2` are sides, heads, width, bytes.
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
    // Layers of one kind and size, wherever they are.
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

/// The budget of a GPU of each stage, and every part that is taken off it.
fn memory(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let mut lines = Vec::new();
    let Some(memory) = &plan.memory else { return lines };
    let mut stages: Vec<&GpuMemory> = Vec::new();
    for gpu in &memory.gpus {
        // ranks of one stage hold the same, and stages often do
        if stages.iter().all(|other| other.parts != gpu.parts) {
            stages.push(gpu);
        }
    }
    for gpu in &stages {
        let (Some(total), Some(shared), Some(budget)) = (gpu.total_bytes, gpu.shared_bytes, gpu.budget_bytes)
        else {
            continue;
        };
        if stages.len() > 1 {
            lines.push(text(lang, M::ExplainStage, &[&gpu.stage.to_string()]));
        }
        let share = plan.utilization();
        let share_of = plan.rule().utilization_of();
        let [total_text, shared_text, budget_text] = [total, shared, budget].map(group_digits);
        match share_of {
            ShareOf::Total => lines.push(format!("{total_text} B × {share} = {budget_text} B")),
            ShareOf::FreeBeforeWeights => {
                let outside = group_digits(total.saturating_sub(shared));
                lines.push(format!("{total_text} − {outside} = {shared_text} B"));
                lines.push(format!("{shared_text} × {share} + {outside} = {budget_text} B"));
            }
            ShareOf::FreeAfterWeights => lines.push(format!("{total_text} B")),
        }
        let range = |range: Option<(u64, u64)>| match range {
            Some((low, high)) => {
                format!(" ({})", text(lang, M::ExplainRange, &[&group_digits(low), &group_digits(high)]))
            }
            None => String::new(),
        };
        let part = |part: &MemoryPart| {
            format!(
                "− {} {}{}",
                group_digits(part.bytes),
                super::words::part(lang, part.kind),
                range(part.range)
            )
        };
        lines.extend(gpu.parts.iter().map(part));
        let held: u64 = gpu.parts.iter().map(|part| part.bytes).fold(0, u64::saturating_add);
        let of = if share_of == ShareOf::FreeAfterWeights { total } else { budget };
        let room = group_digits(gpu.kv_bytes_available);
        match held.checked_sub(of) {
            Some(short) if short > 0 => lines.push(format!("= −{} B", group_digits(short))),
            _ if share_of == ShareOf::FreeAfterWeights => {
                lines.push(format!("= {shared_text} B"));
                lines.push(format!(
                    "{shared_text} × {share} = {room} B {}{}",
                    raw(lang, M::PartRoom),
                    range(gpu.room_range())
                ));
            }
            _ => lines.push(format!("= {room} B {}{}", raw(lang, M::PartRoom), range(gpu.room_range()))),
        }
    }
    lines
}
