//! Measures a plan and shows the result.

use std::time::Instant;

use clap::ArgMatches;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Bilingual;
use planner_core::units::{group_digits, human_bytes, parse_count, parse_tokens};
use planner_core::{Error, Result, say};
use planner_verify::{Options, Report, Watch};
use serde_json::Value as Json;

use super::MISMATCH;
use crate::messages;
use crate::output::{Format, Output, bold};
use crate::progress::{self, Bar, INTERRUPTED};
use crate::render::rows::{Align, Rows};
use crate::render::wrap;

/// The most tokens of a cache: this is not a load test.
const MOST_TOKENS: u64 = 1 << 20;

/// The most sessions of a batch, and layers of a stack.
const MOST: u64 = 1 << 16;

/// A verification's report, ready to be shown.
pub struct Verified(Report);

/// A count from a flag, at least `least`.
fn count(matches: &ArgMatches, name: &str, least: u64) -> Result<Option<u64>> {
    let Some(text) = matches.get_one::<String>(name) else { return Ok(None) };
    let flag = format!("--{name}");
    let value = parse_count(&flag, text)?;
    match (least..=MOST).contains(&value) {
        true => Ok(Some(value)),
        false => Err(Error::bad_value(flag, value, say!("from {0} to {1}", least, MOST))),
    }
}

fn options(matches: &ArgMatches) -> Result<Options> {
    let mut tokens = Vec::new();
    for text in matches.get_many::<String>("verify-tokens").into_iter().flatten() {
        let count = parse_tokens("--verify-tokens", text)?;
        if count > MOST_TOKENS {
            return Err(Error::bad_value("--verify-tokens", count, say!("at most {0}", MOST_TOKENS)));
        }
        tokens.push(count);
    }
    let planted = matches.get_one::<String>("verify-off-by");
    Ok(Options {
        device: matches.get_one::<String>("device").cloned(),
        tokens,
        users: count(matches, "verify-users", 1)?,
        layers: count(matches, "verify-layers", 2)?.map(|layers| layers as usize),
        planted_bytes: planted.map_or(Ok(0), |text| parse_count("--verify-off-by", text))?,
    })
}

/// Measures, with a bar while it takes; Ctrl-C ends it after the step in hand.
pub fn run(matches: &ArgMatches, model: &ModelSpec, request: &Request, output: &Output) -> Result<Verified> {
    let options = options(matches)?;
    progress::watch_interrupts();
    let (bar, start) = (Bar::new(), Instant::now());
    let mut progress = |done: u64, total: u64| {
        let share = done as f64 / total.max(1) as f64;
        bar.set(share, || {
            let left = start.elapsed().as_secs_f64() * (1.0 - share) / share.max(0.01);
            messages::VERIFY_PROGRESS.text(output.lang, &[&model.name, &progress::duration(left)])
        });
    };
    let mut watch = Watch { progress: &mut progress, stop: &progress::interrupted };
    let report = planner_verify::verify(model, request, &options, &mut watch);
    bar.clear();
    Ok(Verified(report?))
}

impl Verified {
    /// The `verify` object.
    pub fn json(&self) -> Json {
        self.0.to_json()
    }

    /// 0 where all agrees. A mismatch counts more than an interruption.
    pub fn exit_code(&self) -> u8 {
        match (self.0.disagrees(), self.0.interrupted) {
            (true, _) => MISMATCH,
            (false, true) => INTERRUPTED,
            (false, false) => 0,
        }
    }

    /// The table, and its meaning.
    pub fn text(&self, output: &Output) -> String {
        let (report, lang) = (&self.0, output.lang);
        let markdown = output.format == Format::Markdown;
        let table =
            if markdown { rows(report, output).markdown() } else { rows(report, output).table(output.width) };
        let title = messages::VERIFY_TITLE.text(
            lang,
            &[
                report.backend,
                report.device,
                &report.layers_measured.to_string(),
                &report.layers_total.to_string(),
                &report.decoded_steps.to_string(),
            ],
        );
        let title = if markdown { format!("**{title}**") } else { bold(&title) };
        let lines: Vec<String> =
            lines(report, output).iter().map(|line| wrap(line, output.width, 0)).collect();
        format!("{title}\n\n{}\n\n{}", table.trim_end(), lines.join("\n"))
    }
}

fn rows(report: &Report, output: &Output) -> Rows {
    let lang = output.lang;
    let extrapolated =
        if report.extrapolated { messages::COLUMN_MEASURED_EXTRAPOLATED } else { messages::COLUMN_MEASURED };
    let mut rows = Rows::new(
        [
            messages::COLUMN_BATCH,
            messages::COLUMN_TOKENS_HELD,
            messages::COLUMN_PREDICTED,
            extrapolated,
            messages::COLUMN_DIFFERENCE,
            messages::COLUMN_ALLOCATED,
            messages::COLUMN_DEVICE,
            messages::COLUMN_TRANSIENT,
        ]
        .map(|message| message.raw(lang)),
        &[Align::Right; 8],
    );
    let unknown = || "-".to_owned();
    for point in &report.points {
        rows.push([
            group_digits(point.users),
            group_digits(point.tokens),
            group_digits(point.predicted_bytes),
            group_digits(point.measured_bytes),
            point.difference().to_string(),
            point.allocated_bytes.map_or_else(unknown, group_digits),
            // Rounded: these two are not exact to the byte.
            point.device_bytes.map_or_else(unknown, signed),
            point.transient_bytes.map_or_else(unknown, human_bytes),
        ]);
    }
    rows
}

fn signed(bytes: i128) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    format!("{sign}{}", human_bytes(u64::try_from(bytes.unsigned_abs()).unwrap_or(u64::MAX)))
}

/// What was measured, what each column means, and the verdict.
fn lines(report: &Report, output: &Output) -> Vec<String> {
    let line = |message: Bilingual, arguments: &[&str]| message.text(output.lang, arguments);
    let mut lines = Vec::new();
    if report.interrupted {
        lines.push(line(messages::VERIFY_INTERRUPTED, &[&report.points.len().to_string()]));
    }
    let stacks = report.kinds.iter().map(|kind| {
        let (measured, layers) = (kind.measured().to_string(), kind.layers.to_string());
        line(messages::VERIFY_STACK, &[kind.kind, &measured, &layers])
    });
    let stacks = stacks.collect::<Vec<_>>().join(", ");
    lines.push(line(messages::VERIFY_CHOSEN, &[&stacks, &format!("{:.1}", report.seconds)]));
    if report.extrapolated {
        lines.push(line(messages::VERIFY_EXTRAPOLATED, &[]));
    }
    let run = report.points.last().map_or(0, |point| point.run_bytes);
    let device = if report.device == "cpu" { messages::VERIFY_RESIDENT } else { messages::VERIFY_CARD };
    lines.push(line(messages::VERIFY_COLUMNS, &[device.raw(output.lang), &group_digits(run)]));
    lines.push(line(messages::VERIFY_NARROWED, &[&group_digits(report.hidden)]));
    if let Some(module) = &report.module {
        let [predicted, measured, transient] =
            [module.predicted_bytes, module.measured_bytes, module.transient_bytes].map(group_digits);
        let (layers, tokens) = (module.layers.to_string(), module.tokens.to_string());
        lines.push(line(
            messages::VERIFY_MODULE,
            &[&module.name, &layers, &tokens, &predicted, &measured, &transient],
        ));
    }
    if let Some(why) = &report.module_refusal {
        lines.push(line(messages::VERIFY_MODULE_REFUSED, &[why]));
    }
    if let Some(timing) = &report.timing {
        lines.push(line(
            messages::VERIFY_TIMING,
            &[
                &timing.new_tokens.to_string(),
                &timing.layers.to_string(),
                &format!("{:.3}", timing.cached_seconds),
                &format!("{:.3}", timing.uncached_seconds),
                &format!("{:.2}", timing.speedup()),
            ],
        ));
    }
    let difference = report.difference_bytes().to_string();
    let logits = format!("{:.1e}", report.logit_difference);
    if report.matches() {
        lines.push(line(messages::VERIFY_MATCH, &[&difference, &logits]));
    } else if report.disagrees() {
        let tolerance = format!("{:.1e}", report.logit_tolerance);
        lines.push(line(messages::VERIFY_MISMATCH, &[&difference, &logits, &tolerance]));
    }
    lines
}
