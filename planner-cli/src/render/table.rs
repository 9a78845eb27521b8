//! The answer for people: what is needed, the article's figure beside it, what fits, and notes.

use planner_core::engine::report::ReportKind;
use planner_core::parallel::Parallel;
use planner_core::plan::{Candidate, Limit, Plan, reserve};
use planner_core::render::words::{self, Message as M, raw, sessions, text, users};
use planner_core::spec::layer::LayerKind;
use planner_core::text::Lang;
use planner_core::units::{group_digits, human_bytes};

use super::rows::{Align, Rows};
use super::{display_width, wrap};
use crate::messages;
use crate::output::{Output, bold};

/// Below this many columns every figure gets a line of its own.
const NARROW: u16 = 60;

/// `Llama 3 70B   80 layers, 8 KV heads × 128, bf16 KV`.
pub fn headline(plan: &Plan<'_>, lang: Lang) -> String {
    let model = &plan.model;
    let layers = model.config_layers.to_string();
    let (k, v) = plan.kv_dtypes;
    let dtype = if k == v { k.name.to_owned() } else { format!("{}/{}", k.name, v.name) };
    let latent = plan.model.layers.iter().any(|layer| layer.kind() == LayerKind::Latent);
    match (model.kv_heads, model.head_dim) {
        (Some(_), Some(dim)) if latent => {
            text(lang, M::HeadlineLatent, &[&model.name, &layers, &dim.to_string(), &dtype])
        }
        (Some(heads), Some(dim)) => {
            text(lang, M::Headline, &[&model.name, &layers, &heads.to_string(), &dim.to_string(), &dtype])
        }
        _ => text(lang, M::HeadlineNoAttention, &[&model.name, &layers, &dtype]),
    }
}

/// The figures by the definition: name and bytes.
pub fn quantities(plan: &Plan<'_>, lang: Lang) -> Vec<(String, u64)> {
    let mut rows = vec![
        (raw(lang, M::OneToken).to_owned(), plan.kv.bytes_per_token),
        (text(lang, M::OneSession, &[&group_digits(plan.tokens)]), plan.kv.session_bytes),
    ];
    if plan.kv.state_bytes_per_session > 0 {
        rows.push((raw(lang, M::State).to_owned(), plan.kv.state_bytes_per_session));
    }
    if plan.request.users > 1 {
        rows.push((sessions(lang, plan.request.users), plan.kv.total_bytes));
    }
    rows
}

/// `8x`, or `7.11x` where the ratio is not whole.
fn times(part: u64, whole: u64) -> String {
    if part == 0 {
        return "-".into();
    }
    let hundredths = u128::from(whole) * 100 / u128::from(part);
    match hundredths % 100 {
        0 => format!("{}x", hundredths / 100),
        rest => format!("{}.{rest:02}x", hundredths / 100),
    }
}

/// The article's figure beside the model's.
pub fn all_heads(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let all = plan.kv.all_heads?;
    let per_token = group_digits(all.bytes_per_token);
    if all.bytes_per_token == plan.kv.bytes_per_token {
        return Some(text(lang, M::AllHeadsSame, &[&per_token]));
    }
    let heads = plan.model.attention_heads.unwrap_or(0);
    let first = text(
        lang,
        M::AllHeads,
        &[
            &heads.to_string(),
            &per_token,
            &times(plan.kv.bytes_per_token, all.bytes_per_token),
            &human_bytes(all.total_bytes),
            &sessions(lang, plan.request.users),
        ],
    );
    match plan.model.kv_heads {
        Some(kv) if kv > 1 && heads > kv && heads.is_multiple_of(kv) => {
            Some(format!("{first} {}", text(lang, M::AllHeadsShared, &[&(heads / kv).to_string()])))
        }
        _ => Some(first),
    }
}

/// Positions from which further tokens cost less, because a window is full.
pub fn slopes(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let changes = plan.kv.slopes.iter().skip(1);
    let lines: Vec<String> = changes
        .map(|slope| {
            text(
                lang,
                M::SlopesChange,
                &[&group_digits(slope.from_token), &group_digits(slope.bytes_per_token())],
            )
        })
        .collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

/// What the chosen engine allocates.
pub fn engine(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let engine = &plan.engine;
    (engine.id != "architecture").then(|| {
        let name = format!("{} {}", engine.id, engine.version);
        if plan.request.users == 1 && engine.total_bytes == engine.session_bytes {
            return text(lang, M::EngineLineOne, &[&name, &human_bytes(engine.total_bytes)]);
        }
        if plan.request.users == 1 {
            let figures = [human_bytes(engine.session_bytes), human_bytes(engine.total_bytes)];
            return messages::ENGINE_IN_ALL.text(lang, &[&name, &figures[0], &figures[1]]);
        }
        text(
            lang,
            M::EngineLine,
            &[
                &name,
                &human_bytes(engine.session_bytes),
                &human_bytes(engine.total_bytes),
                &sessions(lang, plan.request.users),
            ],
        )
    })
}

/// The figures of a block engine's start-up log: blocks, tokens, concurrency.
pub fn engine_blocks(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let report = &plan.engine.report;
    let pool = report.pool()?;
    let length = match &report.kind {
        ReportKind::Vllm(report) => report.max_model_len,
        _ => plan.request.max_model_len.unwrap_or(plan.tokens),
    };
    let figures = [
        group_digits(pool.num_blocks?),
        group_digits(pool.block_size),
        group_digits(pool.kv_cache_tokens?),
        format!("{:.2}", pool.max_concurrency?),
        group_digits(length),
    ];
    Some(text(lang, M::EngineBlocks, &figures.each_ref().map(String::as_str)))
}

/// How much of a GPU's budget, or of the memory given for the cache, is used.
fn uses(used: u64, available: u64, budget: Option<u64>, lang: Lang) -> String {
    let whole = budget.unwrap_or(available);
    let taken = whole.saturating_sub(available).saturating_add(used);
    let percent = u128::from(taken) * 100 / u128::from(whole.max(1));
    let figures = [human_bytes(taken), human_bytes(whole), percent.to_string(), human_bytes(used)];
    let template = if budget.is_some() { messages::USES } else { messages::USES_KV };
    template.text(lang, &figures.each_ref().map(String::as_str))
}

/// The verdict and the budget behind it.
pub fn verdict_lines(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let (Some(verdict), Some(memory)) = (&plan.verdict, &plan.memory) else { return Vec::new() };
    let asked = users(lang, plan.request.users);
    let tokens = group_digits(plan.tokens);
    let tightest = memory.gpus.iter().max_by_key(|gpu| gpu.kv_bytes_used);
    let (used, available) = tightest.map_or((0, 0), |gpu| (gpu.kv_bytes_used, gpu.kv_bytes_available));
    let mut lines = Vec::new();
    let budget = tightest.and_then(|gpu| Some((gpu.budget_bytes?, gpu.weight_bytes?, gpu.reserve_bytes?)));
    if verdict.fits {
        let limit = if verdict.limited_by == Limit::MaxPosition {
            format!(" ({})", raw(lang, M::LimitIsModel))
        } else {
            String::new()
        };
        // A cache that does not grow limits no session.
        let longest = verdict.max_seq.map_or_else(String::new, |tokens| {
            format!("; {}{limit}", text(lang, M::LongestFor, &[&asked, &group_digits(tokens)]))
        });
        lines.push(format!(
            "{}: {}{longest}",
            text(lang, M::Fits, &[&asked, &tokens]),
            text(lang, M::RoomFor, &[&users(lang, verdict.max_users), &tokens]),
        ));
        lines.push(uses(used, available, budget.map(|(budget, ..)| budget), lang));
    } else if let (false, Some((budget, weights, reserve))) = (memory.weights_fit, budget) {
        lines.push(text(
            lang,
            M::WeightsDoNotFit,
            &[&human_bytes(weights), &human_bytes(reserve), &human_bytes(budget)],
        ));
    } else if let Some(most) = verdict.max_sessions.filter(|most| plan.request.users > *most) {
        lines.push(text(lang, M::TooManySessions, &[plan.engine.id, &sessions(lang, most)]));
    } else {
        let exact = |bytes: u64| format!("{} B", group_digits(bytes));
        let [need, free] = match human_bytes(used) == human_bytes(available) {
            true => [exact(used), exact(available)],
            false => [human_bytes(used), human_bytes(available)],
        };
        lines.push(text(lang, M::DoesNotFit, &[&asked, &tokens, &need, &free]));
        if let ReportKind::Vllm(report) = &plan.engine.report.kind
            && let Some(block) = report.block_bytes.iter().max().filter(|block| used - available <= **block)
        {
            lines.push(text(lang, M::NullBlock, &[&human_bytes(*block)]));
        }
    }
    if verdict.steady_users > verdict.max_users {
        let figures = [
            users(lang, verdict.steady_users),
            plan.rule().name().to_owned(),
            group_digits(verdict.max_users),
        ];
        lines.push(text(lang, M::Steady, &figures.each_ref().map(String::as_str)));
    }
    let device = plan.request.gpu.as_ref().map_or_else(String::new, |gpu| {
        format!(" ({})", text(lang, M::PerGpu, &[&memory.gpus.len().to_string(), &gpu.name]))
    });
    lines.push(match budget.filter(|_| memory.weights_fit) {
        Some((budget, ..)) => {
            let parts = tightest.iter().flat_map(|gpu| &gpu.parts);
            let parts = parts.map(|part| (part.bytes, words::part(lang, part.kind)));
            let parts = parts.chain([(available, raw(lang, M::PartRoom))]);
            let parts: Vec<String> =
                parts.map(|(bytes, name)| format!("{} {name}", human_bytes(bytes))).collect();
            format!("{} = {}{device}", human_bytes(budget), parts.join(" + "))
        }
        None if !memory.weights_fit => {
            let share = plan.utilization();
            let shared = tightest.and_then(|gpu| gpu.shared_bytes).unwrap_or(0);
            let figures = [human_bytes(share.of(shared)), share.to_string(), human_bytes(shared)];
            text(lang, M::BudgetOf, &figures.each_ref().map(String::as_str)) + &device
        }
        None => text(lang, M::KvMemory, &[&human_bytes(available)]) + &device,
    });
    if let Some((low, high)) = tightest.filter(|_| memory.weights_fit).and_then(|gpu| gpu.room_range()) {
        lines.push(text(lang, M::RoomEstimate, &[&human_bytes(low), &human_bytes(high)]));
    }
    if !verdict.fits {
        if verdict.alternatives.is_empty() {
            lines.push(format!("{}: {}", raw(lang, M::Hint), raw(lang, M::NothingFits)));
        } else {
            lines.push(format!("{}: {}", raw(lang, M::Hint), raw(lang, M::AnyOfTheseFits)));
            let offer = |alternative: &planner_core::plan::Alternative| {
                let changes = alternative.changes.iter();
                let changes: Vec<String> =
                    changes.map(|change| format!("{} {}", change.flag(), change.value())).collect();
                let what = changes.join(" ");
                let pad = " ".repeat(18_usize.saturating_sub(display_width(&what)));
                format!("  {what}{pad} {}", users(lang, alternative.max_users))
            };
            lines.extend(verdict.alternatives.iter().map(offer));
        }
    }
    lines
}

/// Why the engine's figure is not the definition's.
pub fn why(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    super::why::sentence(plan, lang)
}

/// The verdict before everything else, its first line in bold.
fn verdict_text(plan: &Plan<'_>, output: &Output) -> String {
    let verdict = verdict_lines(plan, output.lang);
    let Some((first, others)) = verdict.split_first() else { return String::new() };
    let mut text = format!("{}\n", bold(&wrap(first, output.width, 2)));
    for line in others {
        let line = if line.starts_with(' ') { format!("  {line}") } else { wrap(line, output.width, 2) };
        text.push_str(&format!("{line}\n"));
    }
    text.push('\n');
    text
}

/// A plan.
pub fn plan(plan: &Plan<'_>, candidates: &[Candidate], output: &Output) -> String {
    let lang = output.lang;
    let head = headline(plan, lang);
    let (name, rest) = head.split_at(plan.model.name.len().min(head.len()));
    let mut text_out = format!("{}{rest}\n\n", bold(name));
    text_out.push_str(&verdict_text(plan, output));
    let quantities = quantities(plan, lang);
    if output.width < NARROW {
        for (name, bytes) in &quantities {
            text_out.push_str(&format!("{name}: {} B = {}\n", group_digits(*bytes), human_bytes(*bytes)));
        }
    } else {
        let names = quantities.iter().map(|(name, _)| display_width(name)).max().unwrap_or(0);
        let digits = quantities.iter().map(|(_, bytes)| group_digits(*bytes).len()).max().unwrap_or(0);
        for (name, bytes) in &quantities {
            let pad = " ".repeat(names - display_width(name));
            text_out.push_str(&format!(
                "  {name}{pad}   {:>digits$} B   {:>11}\n",
                group_digits(*bytes),
                human_bytes(*bytes)
            ));
        }
    }
    for paragraph in [
        engine(plan, lang),
        why(plan, lang),
        engine_blocks(plan, lang),
        slopes(plan, lang),
        all_heads(plan, lang),
    ]
    .into_iter()
    .flatten()
    {
        text_out.push_str(&format!("\n{}\n", wrap(&paragraph, output.width, 2)));
    }
    if !candidates.is_empty() {
        text_out.push_str(&fewest(plan, candidates, output));
    }
    if !plan.notes.is_empty() {
        text_out.push_str(&format!("\n{}\n", bold(raw(lang, M::NotesTitle))));
        for note in &plan.notes {
            text_out.push_str(&format!("{}\n", wrap(&note.text.text(lang), output.width, 2)));
        }
    }
    text_out
}

/// For well-known GPUs, the fewest that hold weights and cache.
/// `4`, or with the sizes where they are not all tensor ranks: `7 (pp 7)`.
fn placed(gpus: u64, parallel: Parallel) -> String {
    let sizes = [("tp", parallel.tp()), ("pp", parallel.pp()), ("dp", parallel.dp())];
    if sizes[0].1 == gpus {
        return gpus.to_string();
    }
    let sizes: Vec<String> =
        sizes.iter().filter(|(_, size)| *size > 1).map(|(name, size)| format!("{name} {size}")).collect();
    format!("{gpus} ({})", sizes.join(" "))
}

/// The same in markdown: title, table, footnote.
pub fn fewest_markdown(plan: &Plan<'_>, candidates: &[Candidate], lang: Lang) -> String {
    let (title, rows, footnote) = fewest_parts(plan, candidates, lang);
    format!("{title}\n\n{}\n{footnote}", rows.markdown())
}

fn fewest(plan: &Plan<'_>, candidates: &[Candidate], output: &Output) -> String {
    let (title, rows, footnote) = fewest_parts(plan, candidates, output.lang);
    let table: Vec<String> =
        rows.table(output.width.saturating_sub(2)).lines().map(|line| format!(" {line}")).collect();
    format!("\n  {title}\n{}\n\n{}\n", table.join("\n"), wrap(&footnote, output.width, 2))
}

fn fewest_parts(plan: &Plan<'_>, candidates: &[Candidate], lang: Lang) -> (String, Rows, String) {
    let users = group_digits(plan.request.users);
    let dtype = plan.request.weight_dtype.map_or_else(|| plan.model.weights_in(), |given| given.name());
    let title = text(lang, M::Fewest, &[&human_bytes(plan.model.weight_bytes), dtype]);
    let columns = [
        raw(lang, M::ColumnGpu).to_owned(),
        raw(lang, M::ColumnCount).to_owned(),
        raw(lang, M::ColumnRoom).to_owned(),
        text(lang, M::ColumnUsers, &[&group_digits(plan.tokens)]),
        text(lang, M::ColumnTokens, &[&users]),
    ];
    let mut rows = Rows::new(
        columns.iter().map(String::as_str),
        &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right],
    );
    for candidate in candidates {
        let mark = if candidate.limited_by == Limit::MaxPosition {
            format!(" {}", raw(lang, M::LimitMark))
        } else {
            String::new()
        };
        rows.push([
            candidate.device.id.clone(),
            placed(candidate.gpus, candidate.parallel),
            human_bytes(candidate.kv_bytes_available),
            group_digits(candidate.max_users),
            candidate.max_seq.map_or_else(
                || raw(lang, M::NoLimit).to_owned(),
                |tokens| format!("{}{mark}", group_digits(tokens)),
            ),
        ]);
    }
    let by_parts = candidates.iter().all(|candidate| candidate.by_parts);
    let footnote = if by_parts && plan.request.reserve.is_none() {
        raw(lang, M::FootnoteParts).to_owned()
    } else {
        let places = [plan.utilization().to_string(), human_bytes(reserve(plan.request))];
        text(lang, M::FootnoteBudget, &places.each_ref().map(String::as_str))
    };
    (title, rows, footnote)
}
