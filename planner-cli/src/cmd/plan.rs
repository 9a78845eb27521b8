//! The plan itself.

use clap::ArgMatches;
use planner_core::plan::{Candidate, Compared, candidates, compare, plan};
use planner_core::render::json;
use planner_core::request::Request;
use planner_core::spec::model::{ModelSpec, Note};
use planner_core::text::Sentence;
use planner_core::{Error, Result, say, words};

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

/// Names parallel sizes that change no figure: the definition has no ranks, and no GPU is named to divide.
fn without_effect(matches: &ArgMatches, request: &Request, engine: &str) -> Option<Note> {
    if request.gpu.is_some() || request.kv_memory.is_some() || engine != "architecture" {
        return None;
    }
    let given = |flag: &&str| matches.get_one::<String>(flag).is_some();
    let flags = ["tp", "pp", "dp", "dcp", "gpus"].into_iter().filter(given).map(|flag| format!("--{flag}"));
    let flags: Vec<String> = flags.collect();
    let said = say!(
        "{0} has no effect without --gpu or --kv-memory under --engine architecture",
        Sentence::list(&flags)
    );
    (!flags.is_empty()).then(|| Note::new("without_effect", said))
}

/// The fewest GPUs of one kind that hold weights and cache.
fn fewest_json(candidate: &Candidate) -> serde_json::Value {
    serde_json::json!({
        "gpu": candidate.device.id, "gpus": candidate.gpus, "tp": candidate.parallel.tp(),
        "pp": candidate.parallel.pp(), "dp": candidate.parallel.dp(),
        "kv_bytes_available": json::integer(candidate.kv_bytes_available),
        "max_users": json::integer(candidate.max_users), "max_seq": candidate.max_seq.map(json::integer),
    })
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
    if given("device") && args::verify(matches).is_none() && !given("prompt") {
        return Err(Error::bad_value(
            "--device",
            words!("given without --verify"),
            words!("beside --verify or --prompt"),
        ));
    }
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
    plan.notes.extend(without_effect(matches, &request, plan.engine.id));
    let verified = if args::verify(matches).is_some() {
        Some(super::verify::run(matches, &plan.model, &request, output)?)
    } else {
        None
    };
    let generated = super::real::run(matches, &plan.model, &request, output)?;
    let shown = if plan.memory.is_none() { candidates(&model, &request, SHOWN_GPUS) } else { Vec::new() };
    let mut json = json::plan(&plan, output.lang);
    if !shown.is_empty() {
        json["fewest_gpus"] = shown.iter().map(fewest_json).collect();
    }
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
        Format::Markdown => render::markdown::plan(&plan, &shown, output),
        Format::Table => render::table::plan(&plan, &shown, output),
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
