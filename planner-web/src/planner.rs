//! The core behind JSON: reads a request, calls the core, returns its JSON. It computes nothing of a plan.

use std::cell::RefCell;
use std::rc::Rc;

use crate::gguf::{File, Given};
use crate::{data, figures, parts};
use planner_core::error::{Error, Known, Result};
use planner_core::plan::{self, Plan};
use planner_core::render::json;
use planner_core::request::Request;
use planner_core::source;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
use planner_core::units::ascending;
use planner_core::{say, words};
use serde_json::{Value, json};

/// Models kept in memory, so that a keystroke in another field does not read a configuration again: those that
/// the page compares at once, and the one in the question.
const KEPT_MODELS: usize = 5;

/// Longest configuration that is read, in bytes.
pub const LONGEST_CONFIG: usize = 8 << 20;

/// A question read from JSON.
struct Question {
    model: Rc<ModelSpec>,
    request: Request,
}

/// An error and the field of the page it belongs to.
struct Refused {
    error: Error,
    field: String,
}

impl Refused {
    fn at(field: &str) -> impl Fn(Error) -> Refused + '_ {
        move |error| Refused { error, field: field.to_owned() }
    }

    /// The field of the page that a plan's error is about; empty where none is.
    fn of_plan(error: Error) -> Refused {
        let field = match &error {
            Error::BadValue { .. } => error.flag().unwrap_or("model").to_owned(),
            Error::Overflow { .. } => error.flag().unwrap_or("seq").to_owned(),
            Error::Refused(_) => error.flag().unwrap_or_default().to_owned(),
            Error::Unknown { what: Known::Engine, .. } => "engine".to_owned(),
            Error::MissingField { .. } | Error::NoCache { .. } => "model".to_owned(),
            _ => String::new(),
        };
        Refused { error, field }
    }

    /// The failure's JSON, or the part of the program that may answer.
    fn told(&self, lang: Lang) -> Value {
        if let Some(part) = parts::missing(&self.error) {
            return json!({ "part": part });
        }
        let mut answer = parts::failure(lang, &self.error);
        if let Some(error) = answer.get_mut("error") {
            error["field"] = Value::from(self.field.as_str());
        }
        answer
    }
}

fn lang(request: &Value) -> Lang {
    request.get("lang").and_then(Value::as_str).and_then(Lang::parse).unwrap_or_default()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

fn question(request: &Value) -> std::result::Result<Question, Refused> {
    let mut asked = Request::default();
    for (flag, text) in request.get("flags").and_then(Value::as_object).into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        match flag.as_str() {
            "gpu" => asked.gpu = Some(data::gpu(text).map_err(Refused::at(flag))?),
            _ => asked.set(flag, text).map_err(Refused::at(flag))?,
        }
    }
    let config = request.get("config").and_then(Value::as_str);
    let file = request.get("gguf").and_then(Value::as_str);
    let model = match config {
        None if file.is_some() => dropped(file.unwrap_or_default()).map_err(Refused::at("config"))?,
        Some(text) => {
            known(&format!("config {text}"), || from_config(text)).map_err(Refused::at("config"))?
        }
        None => {
            let name = request.get("model").and_then(Value::as_str).unwrap_or_default();
            known(name, || data::model(name)).map_err(Refused::at("model"))?
        }
    };
    Ok(Question { model, request: asked })
}

thread_local! {
    /// The GGUF file that was read last, by its name.
    static FILE: RefCell<Option<(String, Rc<ModelSpec>)>> = const { RefCell::new(None) };
}

/// Reads the start of a GGUF file. After the last of the files that were dropped together, the model is kept
/// under the first file's name.
pub fn gguf(file: &File<'_>, language: &str) -> Value {
    let lang = Lang::parse(language).unwrap_or_default();
    if let Some(part) = parts::of_language(lang) {
        return json!({ "part": part });
    }
    let read = match parts::gguf_reader() {
        Ok(read) => read,
        Err(part) => return json!({ "part": part }),
    };
    match read(file) {
        Ok(Given::More) => json!({"more": true}),
        Ok(Given::Next) => json!({}),
        Ok(Given::Model(name, model)) => {
            FILE.set(Some((name.clone(), Rc::from(model))));
            json!({ "name": name })
        }
        Err(error) => parts::failure(lang, &error),
    }
}

fn dropped(name: &str) -> Result<Rc<ModelSpec>> {
    let found = FILE.with_borrow(|file| {
        file.as_ref().filter(|(kept, _)| kept == name).map(|(_, model)| Rc::clone(model))
    });
    found.ok_or_else(|| Error::unreadable(name, words!("it was not read yet")))
}

fn from_config(text: &str) -> Result<ModelSpec> {
    if text.len() > LONGEST_CONFIG {
        return Err(Error::parse("config.json", say!("{0} bytes are too many", text.len())));
    }
    source::from_config_json(text, false)
}

thread_local! {
    static KEPT: RefCell<Vec<(String, Rc<ModelSpec>)>> = const { RefCell::new(Vec::new()) };
}

/// Drops the kept models; a part that has just arrived may read them better.
pub fn forget() {
    KEPT.with_borrow_mut(Vec::clear);
}

/// A kept model, or a newly read one.
fn known(key: &str, read: impl FnOnce() -> Result<ModelSpec>) -> Result<Rc<ModelSpec>> {
    KEPT.with_borrow_mut(|kept| {
        if let Some(at) = kept.iter().position(|(name, _)| name == key) {
            let found = kept.remove(at);
            let model = Rc::clone(&found.1);
            kept.push(found);
            return Ok(model);
        }
        let model = Rc::new(read()?);
        if kept.len() >= KEPT_MODELS {
            kept.remove(0);
        }
        kept.push((key.to_owned(), Rc::clone(&model)));
        Ok(model)
    })
}

/// Answers a request with the JSON of a plan, or of a failure.
pub fn plan(request: &str) -> Value {
    planned(&parsed(request), |_, json| json)
}

/// Answers a request with `{"plan", "figures", "command"}`: the JSON of [`plan()`], the figures beside it (see
/// [`figures::of`]), and the question as a command line. A failure is that of [`plan()`].
pub fn answer(request: &str) -> Value {
    let request = parsed(request);
    planned(&request, |plan, json| {
        let figures = figures::of(plan, &json);
        json!({ "plan": json, "figures": figures, "command": command(&request) })
    })
}

fn planned(request: &Value, answer: impl FnOnce(&Plan<'_>, Value) -> Value) -> Value {
    let lang = lang(request);
    if let Some(part) = parts::of_language(lang) {
        return json!({ "part": part });
    }
    let answered = question(request).and_then(|question| {
        let plan = plan::plan(&question.model, &question.request).map_err(Refused::of_plan)?;
        Ok(answer(&plan, json::plan(&plan, lang)))
    });
    answered.unwrap_or_else(|refused| refused.told(lang))
}

fn command(request: &Value) -> String {
    let named = |key: &str| request.get(key).and_then(Value::as_str);
    let model = match named("config") {
        Some(_) => "config.json",
        None => named("gguf").or(named("model")).unwrap_or_default(),
    };
    figures::command(model, request.get("flags").and_then(Value::as_object))
}

/// Most users by length: at powers of two and half way between them, from 256 tokens to the model's maximum or
/// the asked length.
pub fn curve(request: &str) -> Value {
    let request = parsed(request);
    let Ok(question) = question(&request) else {
        return json!({"points": []});
    };
    let asked = question.request.seq.unwrap_or(0);
    let last = question.model.max_position.unwrap_or(1 << 17).max(asked);
    let steps = (8..40).flat_map(|power| [1_u64 << power, 3 << (power - 1)]);
    let ends = [last].into_iter().chain((asked > 0).then_some(asked));
    let lengths = ascending(steps.filter(|&tokens| tokens <= last).chain(ends));
    let points: Vec<Value> = plan::max_users_by_length(&question.model, &question.request, &lengths)
        .into_iter()
        .map(|(seq, users)| json!({"seq": json::integer(seq), "max_users": users.map(json::integer)}))
        .collect();
    json!({"points": points})
}
