//! A plan with lists: every combination, in one table.

use std::io::Write;
use std::ops::ControlFlow;

use clap::ArgMatches;
use planner_core::plan::plan;
use planner_core::render::json;
use planner_core::render::words::error_message;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::{Lang, Sentence};
use planner_core::{Error, Result, words};
use serde_json::{Map, Value as Json};

use super::plan::DOES_NOT_FIT;
use super::profile;
use crate::lists::{Combination, Lists};
use crate::output::{Format, Output};
use crate::progress::Late;
use crate::render::{chart::Chart, list_words as texts, matrix};
use crate::{args, failure};

/// What all combinations come to.
#[derive(Default)]
struct Tally {
    refused: u64,
    not_fitting: u64,
}

impl Tally {
    fn count(&mut self, found: &Combination<'_>) {
        match &found.outcome {
            Err(_) => self.refused += 1,
            Ok(outcome) => {
                self.not_fitting += u64::from(outcome.fitting.is_some_and(|fitting| !fitting.fits))
            }
        }
    }
}

/// Refuses what measures one plan, and what draws lists where there is none.
///
/// # Errors
/// `--plot` or `--svg` without a list.
pub fn refuse_charts(matches: &ArgMatches) -> Result<()> {
    let flag = if matches.get_flag("plot") { "--plot" } else { "--svg" };
    if !matches.get_flag("plot") && matches.get_one::<String>("svg").is_none() {
        return Ok(());
    }
    Err(Error::bad_value(
        flag,
        words!("given without a list"),
        words!("beside a list such as --seq 1k..128k"),
    ))
}

fn refuse_measuring(matches: &ArgMatches) -> Result<()> {
    let flag = match (crate::args::verify(matches).is_some(), matches.get_one::<String>("prompt")) {
        (true, _) => "--verify",
        (_, Some(_)) => "--prompt",
        _ => return Ok(()),
    };
    Err(Error::bad_value(
        flag,
        words!("given with a list"),
        words!("left out, or with one value for each flag"),
    ))
}

/// Plans every combination and prints.
pub fn run(matches: &ArgMatches, lists: &Lists, output: &Output) -> Result<u8> {
    refuse_measuring(matches)?;
    let (base, note) = profile::measured(matches, args::request_beside_lists(matches)?)?;
    let model = super::plan::model(matches, &base)?;
    let room =
        base.kv_memory.is_some() || base.gpu.is_some() || lists.0.iter().any(|list| list.name == "gpu");
    let svg = matches.get_one::<String>("svg");
    let mut chart = match matches.get_flag("plot") || svg.is_some() {
        true => Some(Chart::new(lists, room)?),
        false => None,
    };
    let mut tally = Tally::default();
    let streams = matches!(output.format, Format::Csv | Format::Json);
    let on_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    let mut progress = Late::new(lists.combinations(), !(streams && on_terminal));
    let mut seen = |found: &Combination<'_>| {
        tally.count(found);
        progress.step();
        if let Some(chart) = &mut chart {
            chart.add(found);
        }
    };
    match output.format {
        Format::Csv => csv(lists, &model, &base, output, &mut seen),
        Format::Json => json_lines(lists, &model, &base, output, &mut seen),
        Format::Table | Format::Markdown if lists.varied().len() == 1 => {
            let mut table = matrix::Single::new(lists, &model.name, room, output);
            lists.each(&model, &base, |found| {
                seen(found);
                table.add(found.places, &plan(&model, found.request));
                ControlFlow::Continue(())
            });
            table.end();
        }
        Format::Table | Format::Markdown => {
            let mut table = matrix::Matrix::new(lists, &model.name, room, output);
            lists.each(&model, &base, |found| {
                seen(found);
                table.add(found);
                ControlFlow::Continue(())
            });
            table.end();
        }
    }
    drop(progress);
    note.iter().for_each(|note| output.tell(&note.text.text(output.lang)));
    if let Some(chart) = &chart {
        if matches.get_flag("plot") && output.format == Format::Table {
            output.print(&format!("\n{}", chart.terminal(output)));
        }
        if let Some(path) = svg {
            let drawn = chart.svg(&model.name, output.lang).map_err(Sentence::verbatim);
            let written =
                drawn.and_then(|text| std::fs::write(path, text).map_err(|error| Sentence::io(&error)));
            written.map_err(|why| Error::unreadable(path, why))?;
            output.tell(&texts::WROTE.text(output.lang, &[path]));
        }
    }
    if tally.refused == lists.combinations() {
        output.tell(&texts::ALL_REFUSED.text(output.lang, &[&tally.refused.to_string()]));
        return Ok(failure::INPUT);
    }
    let all_fit = tally.refused + tally.not_fitting == 0;
    Ok(if matches.get_flag("check") && !all_fit { DOES_NOT_FIT } else { 0 })
}

/// The columns of CSV.
const COLUMNS: [&str; 21] = [
    "model",
    "engine",
    "version",
    "weight_dtype",
    "kv_dtype",
    "gpu",
    "gpus",
    "tp",
    "pp",
    "dp",
    "seq",
    "users",
    "fits",
    "max_users",
    "steady_users",
    "session_bytes",
    "total_bytes",
    "kv_bytes_available",
    "kv_bytes_used",
    "error",
    "message",
];

/// One row of CSV for each combination, in order.
fn csv(
    lists: &Lists,
    model: &ModelSpec,
    base: &Request,
    output: &Output,
    seen: &mut impl FnMut(&Combination<'_>),
) {
    let mut writer = csv::Writer::from_writer(output.stream());
    // what the stream does not take it keeps as closed
    let _ = writer.write_record(COLUMNS);
    lists.each(model, base, |found| {
        seen(found);
        let _ = writer.write_record(row(model, found, output.lang));
        if writer.get_ref().is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let _ = writer.flush();
}

fn row(model: &ModelSpec, found: &Combination<'_>, lang: Lang) -> [String; 21] {
    let request = found.request;
    let auto = |name: Option<&str>| name.unwrap_or("auto").to_owned();
    let size = |given: Option<u64>| given.map_or_else(String::new, |size| size.to_string());
    let engine = request.engine.as_ref().map_or("architecture", |engine| engine.name());
    let mut row = [const { String::new() }; 21];
    row[0].clone_from(&model.id);
    row[3] = auto(request.weight_dtype.map(planner_core::request::WeightType::name));
    row[4] = auto(request.kv_dtype.as_deref());
    row[5] = request.gpu.as_ref().map_or_else(String::new, |gpu| gpu.id.clone());
    row[11] = request.users.to_string();
    match &found.outcome {
        Ok(outcome) => {
            let parallel = outcome.parallel;
            row[1] = outcome.engine.to_owned();
            row[2] = outcome.version.to_owned();
            row[6] = parallel.gpus().to_string();
            row[7] = parallel.tensor_ranks().to_string();
            row[8] = parallel.pp().to_string();
            row[9] = request.dp.unwrap_or(parallel.replicas()).to_string();
            row[10] = outcome.tokens.to_string();
            row[15] = outcome.session_bytes.to_string();
            row[16] = outcome.total_bytes.to_string();
            if let Some(fitting) = outcome.fitting {
                row[12] = fitting.fits.to_string();
                row[13] = fitting.max_users.to_string();
                row[14] = fitting.steady_users.to_string();
                row[17] = fitting.kv_bytes_available.to_string();
                row[18] = fitting.kv_bytes_used.to_string();
            }
        }
        Err(error) => {
            row[1] = engine.to_owned();
            row[6] = size(request.gpus);
            row[7] = size(request.tp);
            row[8] = size(request.pp);
            row[9] = size(request.dp);
            row[10] = size(request.seq);
            row[19] = error.code().as_str().to_owned();
            row[20] = error_message(lang, error);
        }
    }
    row
}

/// One plan's document, or one failure's, on each line.
fn json_lines(
    lists: &Lists,
    model: &ModelSpec,
    base: &Request,
    output: &Output,
    seen: &mut impl FnMut(&Combination<'_>),
) {
    let mut stream = output.stream();
    lists.each(model, base, |found| {
        seen(found);
        let document = match plan(model, found.request) {
            Ok(plan) => json::plan(&plan, output.lang),
            Err(error) => {
                let mut document = failure::to_json(output.lang, &error);
                document["request"] = asked(lists, found.places);
                document
            }
        };
        let _ = writeln!(stream, "{document}");
        if stream.is_closed() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let _ = stream.flush();
}

/// The values of the lists, by their flags' keys.
fn asked(lists: &Lists, places: &[usize]) -> Json {
    let value = |(list, place): (&planner_core::request::lists::Values, &usize)| {
        let value = match list.values.get(*place)? {
            planner_core::request::lists::Value::Number(number) => json::integer(*number),
            other => other.to_string().into(),
        };
        Some((list.name.replace('-', "_"), value))
    };
    Json::Object(lists.0.iter().zip(places).filter_map(value).collect::<Map<_, _>>())
}
