//! `kvplan bench-cache`: the article's experiment.

use clap::ArgMatches;
use planner_core::Result;

use crate::output::Output;

/// Without the feature `verify` there is nothing to run it with.
#[cfg(not(feature = "verify"))]
pub fn run(_: &ArgMatches, _: &Output) -> Result<u8> {
    Err(planner_core::Error::unsupported(
        "bench-cache",
        "this build has no measuring backend: build with --features verify",
    ))
}

/// Runs, tells how long it will take, and shows mean and deviation beside the article's.
#[cfg(feature = "verify")]
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    measuring::run(matches, output)
}

#[cfg(feature = "verify")]
mod measuring {
    use clap::ArgMatches;
    use planner_core::plan::explain::{ARTICLE_CACHED, ARTICLE_SPEEDUP, ARTICLE_UNCACHED};
    use planner_core::request::Request;
    use planner_core::text::{Message as M, raw, text};
    use planner_core::units::{group_digits, parse_count};
    use planner_core::{Error, Result};
    use planner_verify::bench::{Bench, Options, PROMPT_TOKENS, Runs, bench, estimate};
    use serde_json::{Value as Json, json};

    use crate::cmd::verify::MISMATCH;
    use crate::output::{Format, Output, bold};
    use crate::render::rows::{Align, Rows};

    /// New tokens, runs: what a CPU of two cores does in about a minute for GPT-2.
    const DEFAULT: (u64, u64) = (200, 3);

    /// The most of either.
    const MOST: u64 = 100_000;

    fn number(matches: &ArgMatches, name: &str, default: u64, least: u64) -> Result<usize> {
        let flag = format!("--{name}");
        let value = match matches.get_one::<String>(name) {
            Some(text) if text == "0" => 0,
            Some(text) => parse_count(&flag, text)?,
            None => default,
        };
        match usize::try_from(value) {
            Ok(count) if (least..=MOST).contains(&value) => Ok(count),
            _ => Err(Error::bad_value(flag, value, format!("from {least} to {MOST}"))),
        }
    }

    pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
        let runs = number(matches, "runs", DEFAULT.1, 1)?;
        let options = Options {
            device: matches.get_one::<String>("device").cloned(),
            new_tokens: number(matches, "new-tokens", DEFAULT.0, 1)?,
            runs,
            uncached_runs: number(matches, "uncached-runs", runs as u64, 0)?,
        };
        let model = match matches.get_one::<String>("model") {
            Some(_) => crate::cmd::plan::model(matches, &Request::default())?,
            None => planner_core::catalog::model("gpt2")?,
        };
        let lang = output.lang;
        let estimated = estimate(&model, &options)?;
        output.tell(&text(
            lang,
            M::BenchEstimate,
            &[
                &duration(estimated.seconds),
                &options.runs.to_string(),
                &options.uncached_runs.to_string(),
                &estimated.tokens.to_string(),
            ],
        ));
        let mut progress = |cached: bool, number: usize, seconds: f64| {
            let what = raw(lang, if cached { M::BenchCached } else { M::BenchUncached });
            output.tell(&text(lang, M::BenchRun, &[what, &number.to_string(), &format!("{seconds:.3}")]));
        };
        let found = bench(&model, &options, &mut progress)?;
        let json = to_json(&model.id, &found);
        let rows = rows(&found, output);
        let title = text(
            lang,
            M::BenchTitle,
            &[
                &model.name,
                &group_digits(found.parameters),
                found.device,
                &group_digits(found.new_tokens as u64),
                &PROMPT_TOKENS.to_string(),
            ],
        );
        let same = raw(lang, if found.same_tokens { M::BenchSame } else { M::BenchDifferent });
        let footer = format!("{same}\n{}", raw(lang, M::BenchArticle));
        let body = rows.render(output, &json, Some(&footer));
        output.print(&if output.format == Format::Table {
            format!("{}\n\n{body}", bold(&title))
        } else {
            body
        });
        Ok(if found.same_tokens { 0 } else { MISMATCH })
    }

    fn rows(found: &Bench, output: &Output) -> Rows {
        let lang = output.lang;
        let mut rows = Rows::new(
            [
                "",
                raw(lang, M::ColumnRuns),
                raw(lang, M::ColumnMean),
                raw(lang, M::ColumnDeviation),
                raw(lang, M::ColumnArticle),
            ],
            &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right],
        );
        let article = [ARTICLE_CACHED, ARTICLE_UNCACHED];
        for ((name, runs), article) in
            [(M::BenchCached, &found.cached), (M::BenchUncached, &found.uncached)].into_iter().zip(article)
        {
            let shown = |value: f64| if runs.seconds.is_empty() { "-".into() } else { format!("{value:.3}") };
            let deviation = if runs.seconds.len() < 2 { "-".into() } else { shown(runs.deviation) };
            rows.push([
                raw(lang, name).to_owned(),
                runs.seconds.len().to_string(),
                shown(runs.mean),
                deviation,
                article.to_owned(),
            ]);
        }
        rows.push([
            raw(lang, M::BenchSpeedup).to_owned(),
            String::new(),
            found.speedup().map_or_else(|| "-".into(), |ratio| format!("{ratio:.2}x")),
            String::new(),
            ARTICLE_SPEEDUP.to_owned(),
        ]);
        rows
    }

    fn to_json(model: &str, found: &Bench) -> Json {
        let runs = |runs: &Runs| match runs.seconds.is_empty() {
            true => Json::Null,
            false => {
                json!({ "seconds": runs.seconds, "mean": runs.mean, "deviation": (runs.seconds.len() > 1).then_some(runs.deviation) })
            }
        };
        json!({
            "schema": planner_core::render::json::SCHEMA,
            "model": model,
            "device": found.device,
            "backend": planner_verify::BACKEND,
            "weights": found.parameters,
            "prompt_tokens": PROMPT_TOKENS,
            "new_tokens": found.new_tokens,
            "cached": runs(&found.cached),
            "uncached": runs(&found.uncached),
            "speedup": found.speedup(),
            "same_tokens": found.same_tokens,
            "article": { "new_tokens": 1000, "cached": ARTICLE_CACHED, "uncached": ARTICLE_UNCACHED, "speedup": ARTICLE_SPEEDUP },
        })
    }

    fn duration(seconds: f64) -> String {
        match seconds {
            seconds if seconds < 120.0 => format!("{seconds:.0} s"),
            seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
            seconds => format!("{:.1} h", seconds / 3600.0),
        }
    }
}
