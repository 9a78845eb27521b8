//! `kvplan recommend`: on which GPUs a model serves users of a length, and what starts it.

use clap::ArgMatches;
use planner_core::device::Device;
use planner_core::plan::{By, Choices, LeftOut, Recommendation, ranked, recommend};
use planner_core::request::lists::{Value, Values};
use planner_core::request::{EngineId, FLAGS, Request};
use planner_core::spec::model::ModelSpec;
use planner_core::units::parse_count;
use planner_core::{Error, Result, engine, words};
use planner_models::GPUS;

use super::profile;
use crate::lists::Lists;
use crate::output::{Format, Output};
use crate::prices::Prices;
use crate::progress::Late;
use crate::render::recommend::{Asked, Question, Shown};
use crate::render::recommend_words as texts;
use crate::{args, lists};

/// The most GPUs where `--gpus` does not say: two nodes of 8.
const MOST_GPUS: u64 = 16;

/// The engine where `--engine` does not say.
const ENGINE: &str = "vllm";

/// Lists that are chosen from; those of other flags are questions of their own.
const CHOSEN: [&str; 5] = ["gpu", "kv-dtype", "tp", "pp", "dp"];

/// Flags of a placement: typed anew for each row.
const PLACED: [&str; 6] = ["gpu", "gpus", "tp", "pp", "dp", "kv-dtype"];

/// Recommends and prints.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    args::one_engine(matches)?;
    let (mut base, note) = profile::measured(matches, args::request_beside_lists(matches)?)?;
    let (chosen, asked) = split(matches)?;
    let model = super::plan::model(matches, &base)?;
    let prices = matches.get_one::<String>("prices").map(|path| read_prices(path)).transpose()?;
    let by = by(matches, prices.is_some())?;
    let mut notes: Vec<String> = note.iter().map(|note| note.text.text(output.lang)).collect();
    if base.engine.is_none() && !asked.0.iter().any(|list| list.name == "engine") {
        base.engine = Some(EngineId::named(ENGINE));
        notes.push(texts::ENGINE_DEFAULT.text(output.lang, &[ENGINE]));
    }
    let choices = choices(&base, &chosen);
    let devices = devices(&base, &chosen)?;
    let all = matches.get_flag("all");
    let mut shown = Vec::new();
    let mut progress = Late::new(asked.combinations() * devices.len() as u64, true);
    let search =
        Search { model: &model, devices: &devices, choices: &choices, by, all, prices: prices.as_ref() };
    for request in questions(&asked, &base) {
        shown.push(search.answer(&request, question(matches, &model, &request)?, &mut progress)?);
    }
    drop(progress);
    if let Some(error) = all_refused(&shown) {
        return Err(error);
    }
    let top = matches.get_one::<String>("top").map(|text| parse_count("--top", text)).transpose()?;
    let asked =
        Asked { model: &model, by, prices: prices.as_ref(), most_gpus: choices.most_gpus, top, notes };
    output.print(&crate::render::recommend::render(&asked, &shown, output));
    if !matches!(output.format, Format::Table | Format::Markdown | Format::Json) {
        asked.notes.iter().for_each(|note| output.tell(note));
    }
    Ok(0)
}

/// Lists that are chosen from, and those that are questions of their own.
fn split(matches: &ArgMatches) -> Result<(Vec<Values>, Lists)> {
    let all = lists::of(matches)?.map_or_else(Vec::new, |lists| lists.0);
    if let Some(list) = all.iter().find(|list| list.name == "gpus") {
        let typed: Vec<String> = list.values.iter().map(ToString::to_string).collect();
        return Err(Error::bad_value("--gpus", typed.join(","), words!("one number here: the most GPUs")));
    }
    let (chosen, asked) = all.into_iter().partition(|list| CHOSEN.contains(&list.name));
    Ok((chosen, Lists(asked)))
}

fn read_prices(path: &str) -> Result<Prices> {
    let bytes = profile::read(path)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Error::unreadable(path, words!("it is not UTF-8 text")))?;
    Prices::read(&text)
}

fn by(matches: &ArgMatches, priced: bool) -> Result<By> {
    match (matches.get_one::<String>("by").map(String::as_str), priced) {
        (Some("cost"), false) => {
            Err(Error::bad_value("--by", "cost", words!("beside --prices, a file of prices an hour")))
        }
        (Some("cost"), true) | (None, true) => Ok(By::Cost),
        (Some("headroom"), _) => Ok(By::Headroom),
        _ => Ok(By::Gpus),
    }
}

fn choices(base: &Request, chosen: &[Values]) -> Choices {
    let list = |name: &str| chosen.iter().find(|list| list.name == name);
    let sizes = |name: &str, given: Option<u64>| match list(name) {
        Some(list) => list
            .values
            .iter()
            .filter_map(|value| if let Value::Number(size) = value { Some(*size) } else { None })
            .collect(),
        None => given.into_iter().collect(),
    };
    let kv_dtype = |value: &Value| if let Value::KvDtype(name) = value { Some(name.clone()) } else { None };
    Choices {
        most_gpus: base.gpus.unwrap_or(MOST_GPUS),
        tp: sizes("tp", base.tp),
        pp: sizes("pp", base.pp),
        dp: sizes("dp", base.dp),
        kv_dtypes: list("kv-dtype")
            .map_or_else(Vec::new, |list| list.values.iter().filter_map(kv_dtype).collect()),
    }
}

/// The GPUs that are named, else every one of the catalogue.
fn devices(base: &Request, chosen: &[Values]) -> Result<Vec<Device>> {
    let named: Vec<Device> = match (&base.gpu, chosen.iter().find(|list| list.name == "gpu")) {
        (_, Some(list)) => {
            let device =
                |value: &Value| if let Value::Gpu(device) = value { Some(device.clone()) } else { None };
            list.values.iter().filter_map(device).collect()
        }
        (Some(device), None) => vec![device.clone()],
        (None, None) => return GPUS.iter().map(|gpu| Device::resolve(gpu.id)).collect(),
    };
    Ok(named)
}

/// The request of each question.
fn questions(asked: &Lists, base: &Request) -> Vec<Request> {
    asked.0.iter().fold(vec![base.clone()], |requests, list| {
        let each = |request: Request| {
            (0..list.values.len()).map(move |at| {
                let mut request = request.clone();
                list.put(at, &mut request);
                request
            })
        };
        requests.into_iter().flat_map(each).collect()
    })
}

/// One question's engine, and what to type before a row's own flags.
fn question(matches: &ArgMatches, model: &ModelSpec, request: &Request) -> Result<Question> {
    let (engine, version) = engine::resolve(request.engine.as_ref())?;
    let unplaced = Request { gpus: None, tp: None, pp: None, dp: None, ..request.clone() };
    let tokens = planner_core::plan::resolve(model, &unplaced);
    let tokens = tokens.map_or(request.seq.unwrap_or(0), |(run, _)| run.tokens);
    let mut typed = vec!["kvplan".to_owned(), "--model".to_owned()];
    typed.extend(matches.get_one::<String>("model").cloned());
    for flag in FLAGS.iter().filter(|flag| {
        !PLACED.contains(&flag.name) || (flag.name == "kv-dtype" && request.kv_dtype.is_some())
    }) {
        if flag.is_switch() {
            if matches.get_flag(flag.name) {
                typed.push(format!("--{}", flag.name));
            }
            continue;
        }
        let text = matches.get_one::<String>(flag.name).cloned();
        let listed = text.as_ref().is_some_and(|text| planner_core::request::lists::is_list(flag.name, text));
        let value = match (flag.name, listed) {
            ("engine", _) => request.engine.as_ref().map(ToString::to_string),
            ("seq", true) => request.seq.map(|tokens| tokens.to_string()),
            ("users", true) => Some(request.users.to_string()),
            ("weight-dtype", true) => {
                Some(request.weight_dtype.map_or("auto", |dtype| dtype.name()).to_owned())
            }
            _ => text,
        };
        if let Some(value) = value {
            typed.extend([format!("--{}", flag.name), value]);
        }
    }
    if let Some(profile) = matches.get_one::<String>("profile") {
        typed.extend(["--profile".to_owned(), profile.clone()]);
    }
    Ok(Question { engine: engine.id(), version, tokens, users: request.users, typed })
}

/// What every question is answered from.
struct Search<'a> {
    model: &'a ModelSpec,
    devices: &'a [Device],
    choices: &'a Choices,
    by: By,
    all: bool,
    prices: Option<&'a Prices>,
}

impl Search<'_> {
    fn answer(&self, request: &Request, question: Question, progress: &mut Late) -> Result<Shown> {
        let (mut rows, mut left_out): (Vec<Recommendation>, Vec<(Device, LeftOut)>) =
            (Vec::new(), Vec::new());
        for device in self.devices {
            let found = recommend(self.model, request, device, self.choices, self.by, self.all)?;
            rows.extend(found.rows);
            left_out.extend(found.left_out.map(|why| (device.clone(), why)));
            progress.step();
        }
        let price = |device: &Device| Some(self.prices?.of(device)?.per_hour);
        Ok(Shown { question, rows: ranked(rows, self.by, price), left_out })
    }
}

/// The refusal, where every GPU of every question has the same one.
fn all_refused(shown: &[Shown]) -> Option<Error> {
    let refusals = || shown.iter().flat_map(|shown| &shown.left_out);
    let refused = |(_, why): &(Device, LeftOut)| matches!(why, LeftOut::Refused(_));
    if shown.iter().any(|shown| !shown.rows.is_empty()) || !refusals().all(refused) {
        return None;
    }
    refusals().find_map(|(_, why)| match why {
        LeftOut::Refused(error) => Some((**error).clone()),
        _ => None,
    })
}
