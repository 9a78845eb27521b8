//! The plan itself.

use clap::ArgMatches;
use planner_core::plan::{Compared, candidates, compare, plan};
use planner_core::render::json;
use planner_core::spec::model::ModelSpec;
use planner_core::{Error, Result, words};

use crate::output::{Format, Output, to_text};
use crate::render::list_words;
use crate::{args, lists, render, source};

/// GPUs whose fewest number is shown where no GPU is named.
const SHOWN_GPUS: &[&str] = &["h200-141gb", "h100-80gb", "a100-80gb", "l40s", "rtx-4090"];

/// Exit code of `--check` when it does not fit.
pub const DOES_NOT_FIT: u8 = 1;

/// The model that a command line names.
pub fn model(matches: &ArgMatches, request: &planner_core::request::Request) -> Result<ModelSpec> {
    let name = matches.get_one::<String>("model").ok_or_else(|| {
        Error::bad_value(
            "--model",
            words!("missing"),
            words!("a model, such as llama3-70b (see `kvplan models`)"),
        )
    })?;
    source::load(name, request.strict)
}

/// Every engine side by side.
fn compare_engines(matches: &ArgMatches, output: &Output) -> Result<u8> {
    let (request, note) = super::profile::request(matches)?;
    let model = model(matches, &request)?;
    let mut plan = plan(&model, &request)?;
    plan.notes.extend(note);
    let engines = compare(&model, &request);
    let json = json::plan_and_engines(&plan, &engines, output.lang);
    output.print(&render::engines::render(&plan, &engines, &json, output));
    // an engine that refuses, or has no room, does not serve this
    let fits = |compared: &Compared| match &compared.answer {
        Ok(answer) => answer.max_users.is_none_or(|most| request.users <= most),
        Err(_) => false,
    };
    Ok(if matches.get_flag("check") && !engines.iter().all(fits) { DOES_NOT_FIT } else { 0 })
}

/// Plans and prints.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    let given = |flag: &str| matches.get_one::<String>(flag).is_some();
    if matches.get_flag("check") && !given("gpu") && !given("kv-memory") {
        return Err(Error::bad_value(
            "--check",
            words!("given without memory"),
            words!("beside --gpu or --kv-memory"),
        ));
    }
    for (flag, text) in lists::ambiguous(matches) {
        output.tell(&list_words::ONE_NUMBER.text(output.lang, &[&flag, &text]));
    }
    if let Some(lists) = lists::of(matches)? {
        return super::matrix::run(matches, &lists, output);
    }
    super::matrix::refuse_charts(matches)?;
    if args::wants_all_engines(matches) {
        if args::verify(matches).is_some() {
            return Err(Error::bad_value(
                "--verify",
                words!("given with --engine all"),
                words!("left out, or with one engine"),
            ));
        }
        return compare_engines(matches, output);
    }
    match args::verify(matches) {
        Some(address) if !address.is_empty() => return super::live::run(address, matches, output),
        _ if given("calibrate") => {
            return Err(Error::bad_value(
                "--calibrate",
                words!("given without --verify URL"),
                words!("beside --verify URL, or `kvplan explain-log`"),
            ));
        }
        _ => {}
    }
    let (mut request, note) = super::profile::request(matches)?;
    let model = model(matches, &request)?;
    let lengths = super::lengths::given(matches)?;
    if let Some(lengths) = &lengths {
        request.seq.get_or_insert(lengths.longest());
    }
    let lengths = lengths.map(|lengths| super::lengths::answer(&model, &request, lengths)).transpose()?;
    let mut plan = plan(&model, &request)?;
    plan.notes.extend(note);
    let verified = if args::verify(matches).is_some() {
        Some(super::verify::run(matches, &plan.model, &request, output)?)
    } else {
        None
    };
    let generated = super::real::run(matches, &plan.model, &request, output)?;
    let mut json = json::plan(&plan, output.lang);
    if let Some(verified) = &verified {
        json["verify"] = verified.json();
    }
    if let Some(lengths) = &lengths {
        json["lengths"] = lengths.json();
    }
    if let Some(generated) = &generated {
        json["generated"] = generated.json();
    }
    let text = match output.format {
        Format::Json => to_text(&json),
        Format::Csv => render::csv::json(&json),
        Format::Markdown => render::markdown::plan(&plan, output),
        Format::Table => {
            let shown =
                if plan.memory.is_none() { candidates(&model, &request, SHOWN_GPUS) } else { Vec::new() };
            render::table::plan(&plan, &shown, output)
        }
    };
    output.print(&text);
    if matches!(output.format, Format::Table | Format::Markdown) {
        let lengths = lengths.as_ref().map(|lengths| lengths.text(&plan, output.lang));
        lengths.into_iter().for_each(|text| output.print(&format!("\n{text}\n")));
        let verified = verified.as_ref().map(|verified| verified.text(output));
        let generated = generated.as_ref().map(|generated| generated.text(output));
        verified.into_iter().chain(generated).for_each(|text| output.print(&format!("\n{text}")));
    }
    if generated.as_ref().is_some_and(|generated| !generated.matches()) {
        return Ok(super::verify::MISMATCH);
    }
    if let Some(verified) = verified.as_ref().filter(|verified| verified.exit_code() != 0) {
        return Ok(verified.exit_code());
    }
    let fits = plan.verdict.as_ref().is_none_or(|verdict| verdict.fits);
    Ok(if matches.get_flag("check") && !fits { DOES_NOT_FIT } else { 0 })
}
