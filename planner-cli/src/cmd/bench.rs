//! `kvplan bench-cache`: the article's experiment.

use clap::ArgMatches;
use planner_core::Result;

use crate::output::Output;

/// In a build without the feature `verify`, which has no decoder.
#[cfg(not(feature = "verify"))]
pub fn run(_: &ArgMatches, _: &Output) -> Result<u8> {
    Err(planner_core::Error::refused(planner_core::error::Code::MeasureNotBuilt, super::NO_BACKEND)
        .about("bench-cache"))
}

/// Runs the experiment, with an estimate of its time, and shows mean and deviation beside the article's.
#[cfg(feature = "verify")]
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    measuring::run(matches, output)
}

#[cfg(feature = "verify")]
mod measuring {
    use std::ops::ControlFlow;
    use std::path::{Path, PathBuf};

    use clap::ArgMatches;
    use planner_bench::{Event, Options, Prepared, on_cpu};
    use planner_core::request::Request;
    use planner_core::text::Sentence;
    use planner_core::units::parse_count;
    use planner_core::{Error, Result, say};
    use planner_verify::checkpoint;

    use crate::cmd::verify::MISMATCH;
    use crate::messages;
    use crate::output::Output;
    use crate::progress::{Bar, INTERRUPTED, duration, interrupted, watch_interrupts};
    use crate::render::{bench as render, plot};
    use crate::source;

    /// New tokens and runs in the article.
    const ARTICLE: (u64, u64) = (1000, 10);

    /// What two CPU cores do in about a minute for GPT-2.
    const ON_CPU: (u64, u64) = (200, 3);

    /// The most new tokens, and the most runs.
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
            _ => Err(Error::bad_value(flag, value, say!("from {0} to {1}", least, MOST))),
        }
    }

    /// The folder that `--model` names, where it holds weights.
    fn checkpoint(matches: &ArgMatches) -> Option<PathBuf> {
        let folder = source::path(matches.get_one::<String>("model")?)?;
        (!checkpoint::files(folder).is_empty()).then(|| folder.to_owned())
    }

    pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
        let lang = output.lang;
        let device = matches.get_one::<String>("device").cloned();
        let cpu = on_cpu(device.as_deref())?;
        let default = if cpu { ON_CPU } else { ARTICLE };
        let runs = number(matches, "runs", default.1, 1)?;
        let options = Options {
            device,
            checkpoint: checkpoint(matches),
            weight_dtype: matches.get_one::<String>("weight-dtype").cloned(),
            new_tokens: number(matches, "new-tokens", default.0, 1)?,
            runs,
            uncached_runs: number(matches, "uncached-runs", runs as u64, 0)?,
        };
        let model = match matches.get_one::<String>("model") {
            Some(_) => crate::cmd::plan::model(matches, &Request::default())?,
            None => planner_core::catalog::model("gpt2")?,
        };
        let svg = matches.get_one::<String>("svg").map(Path::new);
        if let Some(file) = svg {
            // Better now than after ten minutes.
            std::fs::write(file, "")
                .map_err(|error| Error::unreadable(file.display().to_string(), Sentence::io(&error)))?;
        }
        watch_interrupts();
        let prepared = Prepared::new(&model, &options)?;
        if cpu && matches.get_one::<String>("new-tokens").is_none() {
            let [tokens, runs] = [options.new_tokens, options.runs].map(|count| count.to_string());
            output.tell(&messages::BENCH_DEFAULTS.text(lang, &[&tokens, &runs]));
        }
        let estimate = prepared.estimate(&options)?;
        output.tell(&messages::BENCH_ESTIMATE.text(
            lang,
            &[
                &duration(estimate.seconds(&options)),
                &options.runs.to_string(),
                &duration(estimate.cached_seconds),
                &options.uncached_runs.to_string(),
                &duration(estimate.uncached_seconds),
            ],
        ));
        let bar = Bar::new();
        let name =
            |cached: bool| if cached { messages::BENCH_CACHED } else { messages::BENCH_UNCACHED }.raw(lang);
        let mut listener = |event: Event| {
            match event {
                Event::Step { cached, run, tokens, done, left } => bar.set(done, || {
                    let numbers = [run.0, run.1, tokens, options.new_tokens].map(|count| count.to_string());
                    let [number, of, token, tokens] = &numbers;
                    messages::BENCH_LEFT
                        .text(lang, &[name(cached), number, of, token, tokens, &duration(left)])
                }),
                Event::Run { cached, number, seconds } => bar.tell(
                    &messages::BENCH_RUN
                        .text(lang, &[name(cached), &number.to_string(), &format!("{seconds:.3}")]),
                ),
            }
            if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let found = prepared.run(&options, &estimate, &mut listener);
        bar.clear();
        let found = found?;
        output.print(&render::render(&model, &found, output));
        if let Some(file) = svg {
            let drawing = plot::svg(&model.name, &found, lang);
            let written = drawing
                .map_err(Sentence::verbatim)
                .and_then(|text| std::fs::write(file, text).map_err(|error| Sentence::io(&error)));
            written.map_err(|why| Error::unreadable(file.display().to_string(), why))?;
            output.tell(&messages::BENCH_WROTE.text(lang, &[&file.display().to_string()]));
        }
        Ok(match (found.same_tokens, found.interrupted) {
            (false, _) => MISMATCH,
            (true, true) => INTERRUPTED,
            (true, false) => 0,
        })
    }
}
