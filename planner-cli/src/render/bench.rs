//! The result of `bench-cache`.

use planner_bench::{Bench, PROMPT_TOKENS, Runs};
use planner_core::render::explain::{ARTICLE_CACHED, ARTICLE_SPEEDUP, ARTICLE_UNCACHED};
use planner_core::spec::model::ModelSpec;
use planner_core::units::group_digits;
use serde_json::{Value as Json, json};

use super::plot;
use super::rows::{Align, Rows};
use crate::messages;
use crate::output::{Format, Output, bold};

/// In the output's format.
pub fn render(model: &ModelSpec, found: &Bench, output: &Output) -> String {
    let lang = output.lang;
    let table = rows(found, output).render(output, &to_json(&model.id, found), None);
    if !matches!(output.format, Format::Table | Format::Markdown) {
        return table;
    }
    let weights = if found.checkpoint { messages::BENCH_CHECKPOINT } else { messages::BENCH_SEEDED };
    let title = messages::BENCH_TITLE.text(
        lang,
        &[
            &model.name,
            &group_digits(found.parameters),
            weights.raw(lang),
            found.device,
            &found.threads.to_string(),
            &group_digits(found.new_tokens as u64),
            &PROMPT_TOKENS.to_string(),
            found.weight_dtype,
        ],
    );
    let markdown = output.format == Format::Markdown;
    let mut parts = vec![if markdown { format!("**{title}**") } else { bold(&title) }];
    if found.interrupted {
        parts.push(messages::BENCH_INTERRUPTED.raw(lang).to_owned());
    }
    parts.push(table.trim_end().to_owned());
    if !markdown && let Some(chart) = plot::terminal(found, output) {
        parts.push(format!("{chart}\n{}", messages::BENCH_CHART.text(lang, &[&chart_tokens(found)])));
    }
    let mut notes = Vec::new();
    if !found.same_tokens {
        notes.push(messages::BENCH_DIFFERENT.raw(lang).to_owned());
    } else if found.cached.seconds.len() + found.uncached.seconds.len() > 1 {
        notes.push(messages::BENCH_SAME.raw(lang).to_owned());
    }
    if found.compared.0 > 0 {
        let largest = format!("{:.1e}", found.compared.1);
        notes.push(messages::BENCH_LOGITS.text(lang, &[&largest, &found.compared.0.to_string()]));
    }
    notes.push(messages::BENCH_ARTICLE.raw(lang).to_owned());
    let notes: Vec<String> = notes.iter().map(|note| super::wrap(note, output.width, 0)).collect();
    parts.push(notes.join("\n"));
    parts.join("\n\n")
}

fn chart_tokens(found: &Bench) -> String {
    group_digits(found.uncached.steps.len().max(found.cached.steps.len()) as u64)
}

fn rows(found: &Bench, output: &Output) -> Rows {
    let lang = output.lang;
    let columns = [
        messages::COLUMN_RUNS,
        messages::COLUMN_MEAN,
        messages::COLUMN_DEVIATION,
        messages::COLUMN_MEDIAN,
        messages::COLUMN_ARTICLE,
    ];
    let header = std::iter::once("").chain(columns.map(|column| column.raw(lang)));
    let mut rows = Rows::new(
        header,
        &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Right],
    );
    for (name, runs, article) in [
        (messages::BENCH_CACHED, &found.cached, ARTICLE_CACHED),
        (messages::BENCH_UNCACHED, &found.uncached, ARTICLE_UNCACHED),
    ] {
        let count = runs.seconds.len();
        let shown = |value: f64, least: usize| if count < least { "-".into() } else { format!("{value:.3}") };
        rows.push([
            name.raw(lang).to_owned(),
            count.to_string(),
            shown(runs.mean, 1),
            shown(runs.deviation, 2),
            shown(runs.median, 1),
            article.to_owned(),
        ]);
    }
    let (tokens, ratio) = match found.speedup() {
        Some((tokens, ratio)) => (tokens, format!("{ratio:.2}x")),
        None => (found.new_tokens, "-".into()),
    };
    rows.push([
        messages::BENCH_AT_TOKENS.text(lang, &[&group_digits(tokens as u64)]),
        String::new(),
        ratio,
        String::new(),
        String::new(),
        ARTICLE_SPEEDUP.to_owned(),
    ]);
    rows
}

fn to_json(model: &str, found: &Bench) -> Json {
    let runs = |runs: &Runs| match runs.steps.is_empty() {
        true => Json::Null,
        false => {
            let any = !runs.seconds.is_empty();
            json!({
                "seconds": runs.seconds,
                "mean": any.then_some(runs.mean),
                "deviation": (runs.seconds.len() > 1).then_some(runs.deviation),
                "median": any.then_some(runs.median),
                "step_seconds": runs.steps,
            })
        }
    };
    let speedup = found.speedup();
    json!({
        "schema": planner_core::render::json::SCHEMA,
        "model": model,
        "device": found.device,
        "threads": found.threads,
        "backend": planner_verify::BACKEND,
        "weights": found.parameters,
        "weight_dtype": found.weight_dtype,
        "weights_from": if found.checkpoint { "checkpoint" } else { "seed" },
        "prompt_tokens": PROMPT_TOKENS,
        "new_tokens": found.new_tokens,
        "cached": runs(&found.cached),
        "uncached": runs(&found.uncached),
        "speedup": speedup.map(|(_, ratio)| ratio),
        "speedup_tokens": speedup.map(|(tokens, _)| tokens),
        "same_tokens": found.same_tokens,
        "logit_difference": (found.compared.0 > 0).then_some(found.compared.1),
        "logits_compared": found.compared.0,
        "interrupted": found.interrupted,
        "tokens": found.tokens,
        "article": { "new_tokens": 1000, "cached": ARTICLE_CACHED, "uncached": ARTICLE_UNCACHED, "speedup": ARTICLE_SPEEDUP },
    })
}
