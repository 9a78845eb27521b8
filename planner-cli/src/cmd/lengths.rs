//! `--lengths`: a distribution of session lengths, from the command line or a file, and the users it leaves room for.

use std::path::Path;

use clap::ArgMatches;
use planner_core::plan::{Lengths, Mixed, Plan, mixed};
use planner_core::render::json::integer;
use planner_core::render::words::{Message as M, text, users};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
use planner_core::units::{group_digits, human_bytes};
use planner_core::{Error, Result, say, words};
use serde_json::{Value as Json, json};

use super::profile;

/// The most bytes of a file of lengths.
const LONGEST_FILE: u64 = 1 << 30;

/// Names of a column, without case, spaces and underscores.
const TOTAL: [&str; 4] = ["length", "tokens", "totaltokens", "seq"];
const WEIGHT: [&str; 4] = ["weight", "count", "share", "requests"];
const INPUT: [&str; 6] =
    ["contexttokens", "inputlength", "inputtokens", "prompttokens", "requesttokens", "promptlen"];
const OUTPUT: [&str; 6] =
    ["generatedtokens", "outputlength", "outputtokens", "completiontokens", "responsetokens", "outputlen"];

/// The lengths that a command line gives.
///
/// # Errors
/// Text of another form, or a file that is not one of lengths.
pub fn given(matches: &ArgMatches) -> Result<Option<Lengths>> {
    let Some(text) = matches.get_one::<String>("lengths") else { return Ok(None) };
    if Path::new(text).is_file() { read(text).map(Some) } else { Lengths::parse(text).map(Some) }
}

/// Users of mixed lengths, for the output.
pub struct Answer {
    lengths: Lengths,
    mixed: Option<Mixed>,
}

/// # Errors
/// What a plan refuses, and engines that give every session the place of the longest.
pub fn answer(model: &ModelSpec, request: &Request, lengths: Lengths) -> Result<Answer> {
    let mixed = mixed(model, request, &lengths)?;
    Ok(Answer { lengths, mixed })
}

impl Answer {
    /// The JSON object `lengths`.
    pub fn json(&self) -> Json {
        let percentile = |share: f64| integer(self.lengths.percentile(share));
        let users = self.mixed.iter().flat_map(|mixed| &mixed.users);
        let users: serde_json::Map<String, Json> =
            users.map(|(percent, users)| (format!("p{percent}"), integer(*users))).collect();
        json!({
            "distinct": self.lengths.shares().len(),
            "p50": percentile(0.5), "p95": percentile(0.95), "p99": percentile(0.99),
            "longest": integer(self.lengths.longest()),
            "mean_session_bytes": self.mixed.as_ref().map(|mixed| integer(mixed.mean_session_bytes)),
            "users": self.mixed.as_ref().map(|_| users),
            "rounding": self.mixed.as_ref().map(|mixed| mixed.rounding),
        })
    }

    /// The lines below a plan.
    pub fn text(&self, plan: &Plan<'_>, lang: Lang) -> String {
        let lengths = [0.5, 0.95, 0.99].map(|share| group_digits(self.lengths.percentile(share)));
        let [p50, p95, p99] = lengths.each_ref().map(String::as_str);
        let mut lines =
            vec![text(lang, M::LengthsAre, &[p50, p95, p99, &group_digits(self.lengths.longest())])];
        if let (Some(mixed), Some(verdict)) = (&self.mixed, &plan.verdict) {
            lines.push(text(lang, M::LengthsMean, &[&human_bytes(mixed.mean_session_bytes)]));
            for (percent, most) in &mixed.users {
                lines.push(text(lang, M::LengthsUsers, &[&users(lang, *most), &percent.to_string()]));
            }
            lines.push(text(lang, M::LengthsLongest, &[&users(lang, verdict.max_users)]));
            if mixed.rounding > 0.0 {
                let percent = format!("{:.2}", 100.0 * mixed.rounding);
                lines.push(text(lang, M::LengthsRounded, &[&percent]));
            }
        }
        lines.join("\n")
    }
}

/// A histogram or a trace: CSV with a header, or one JSON object a line.
fn read(path: &str) -> Result<Lengths> {
    let size = std::fs::metadata(path).map_err(|error| crate::input::unreadable(path, &error))?.len();
    if size > LONGEST_FILE {
        return Err(Error::parse(path, say!("it is longer than {0}", human_bytes(LONGEST_FILE))));
    }
    let bytes = profile::read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Error::parse(path, words!("it is not UTF-8")))?;
    let pairs =
        if text.trim_start().starts_with('{') { json_lines(path, text)? } else { csv_rows(path, text)? };
    Lengths::of(pairs)
}

fn plain(name: &str) -> String {
    name.trim().trim_start_matches('\u{feff}').to_lowercase().replace([' ', '_', '-'], "")
}

/// Which columns are read: a total with a weight, or input and output.
enum Columns {
    Total(usize, Option<usize>),
    Parts(usize, Option<usize>),
}

impl Columns {
    fn of(path: &str, names: &[String]) -> Result<Self> {
        let find = |known: &[&str]| names.iter().position(|name| known.contains(&name.as_str()));
        match (find(&INPUT), find(&OUTPUT), find(&TOTAL)) {
            (Some(input), output, _) => Ok(Self::Parts(input, output)),
            (None, _, Some(total)) => Ok(Self::Total(total, find(&WEIGHT))),
            _ => Err(Error::parse(
                path,
                words!("no column of lengths: length and weight, or input_tokens and output_tokens"),
            )),
        }
    }

    fn pair(&self, number: impl Fn(usize) -> Option<f64>) -> Option<(u64, f64)> {
        let tokens = |value: f64| (0.0..1e15).contains(&value).then_some(value.ceil() as u64);
        match *self {
            Self::Total(total, weight) => Some((tokens(number(total)?)?, weight.map_or(Some(1.0), &number)?)),
            Self::Parts(input, output) => {
                Some((tokens(number(input)? + output.map_or(Some(0.0), &number)?)?, 1.0))
            }
        }
    }
}

fn csv_rows(path: &str, text: &str) -> Result<Vec<(u64, f64)>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let unreadable = |error: csv::Error| {
        Error::parse(path, say!("line {0} is not CSV", error.position().map_or(1, csv::Position::line)))
    };
    let names: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(plain).collect();
    let columns = Columns::of(path, &names)?;
    let mut pairs = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(unreadable)?;
        let number = |at: usize| record.get(at)?.trim_end_matches('%').parse::<f64>().ok();
        let pair = columns.pair(number);
        pairs
            .push(pair.ok_or_else(|| Error::parse(path, say!("line {0} has no number of tokens", row + 2)))?);
    }
    Ok(pairs)
}

fn json_lines(path: &str, text: &str) -> Result<Vec<(u64, f64)>> {
    let mut pairs = Vec::new();
    for (row, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Ok(Json::Object(object)) = serde_json::from_str::<Json>(line) else {
            return Err(Error::parse(path, say!("line {0} is not a JSON object", row + 1)));
        };
        let names: Vec<String> = object.keys().map(|key| plain(key)).collect();
        let values: Vec<Option<f64>> = object.values().map(Json::as_f64).collect();
        let pair = Columns::of(path, &names)?.pair(|at| values.get(at).copied().flatten());
        pairs
            .push(pair.ok_or_else(|| Error::parse(path, say!("line {0} has no number of tokens", row + 1)))?);
    }
    Ok(pairs)
}
