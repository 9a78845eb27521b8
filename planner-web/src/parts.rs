//! Parts of the program in wasm files of their own. An answer `{"part": NAME}` asks for one: the page fetches
//! its file, calls [`install`], and asks again. `parts/cut.rs` says where the program is cut.

mod cut;

use std::cell::{Cell, RefCell};

use planner_core::error::{Code, Error, Known, Result};
use planner_core::text::Lang;
use serde_json::{Value, json};

use crate::gguf::{File, Given};
use crate::planner;

struct Part {
    name: &'static str,
    /// Ids of the engines in it.
    engines: &'static [&'static str],
    /// Calls into its file, which registers its contents.
    install: fn(),
}

const VLLM: Part = Part { name: "vllm", engines: &["vllm"], install: cut::vllm };
const LLAMACPP: Part = Part { name: "llamacpp", engines: &["llama.cpp"], install: cut::llamacpp };
const OTHERS: Part = Part {
    name: "others",
    engines: &["transformers", "sglang", "tensorrt-llm", "candle"],
    install: cut::others,
};
const STORY: Part = Part { name: "story", engines: &[], install: cut::story };
const REFUSALS: Part = Part { name: "refusals", engines: &[], install: cut::refusals };
const CHINESE: Part = Part { name: "chinese", engines: &[], install: cut::chinese };

static PARTS: [Part; 6] = [VLLM, LLAMACPP, OTHERS, STORY, REFUSALS, CHINESE];

/// The story's functions, each from JSON to JSON.
#[derive(Clone, Copy)]
pub struct Story {
    /// [`attention::answer`](crate::demo::attention::answer).
    pub attention: fn(&str) -> Value,
    /// [`pool::answer`](crate::demo::pool::answer).
    pub pool: fn(&str) -> Value,
}

/// [`gguf::read`](crate::gguf::read), once its part has arrived.
pub type GgufReader = fn(&File<'_>) -> Result<Given>;

/// [`json::failure`](planner_core::render::json::failure), once it has arrived.
pub type Failure = fn(Lang, &Error) -> Value;

thread_local! {
    static ARRIVED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static GGUF_READER: Cell<Option<GgufReader>> = const { Cell::new(None) };
    static FAILURE: Cell<Option<Failure>> = const { Cell::new(None) };
    static STORY_ANSWERS: Cell<Option<Story>> = const { Cell::new(None) };
}

/// Installs a part whose file is instantiated.
pub fn install(name: &str) {
    let Some(part) = PARTS.iter().find(|part| part.name == name && !has(part)) else { return };
    (part.install)();
    ARRIVED.with_borrow_mut(|arrived| arrived.push(part.name));
    planner::forget();
}

fn has(part: &Part) -> bool {
    ARRIVED.with_borrow(|arrived| arrived.contains(&part.name))
}

/// The missing part that may know the name in this error.
pub fn missing(error: &Error) -> Option<&'static str> {
    let part = match error {
        Error::Unknown { what: Known::Engine, name, .. } => {
            let id = name.split('@').next().unwrap_or(name);
            let holds = |part: &&Part| part.engines.contains(&id);
            // a name in another spelling may be in any part
            let any = || PARTS.iter().find(|part| !part.engines.is_empty() && !has(part));
            PARTS.iter().find(holds).or_else(any)?
        }
        _ if error.code() == Code::WeightsNoPatterns => &OTHERS,
        _ => return None,
    };
    (!has(part)).then_some(part.name)
}

/// The missing part with the texts of a language.
pub fn of_language(lang: Lang) -> Option<&'static str> {
    (lang == Lang::Zh && !has(&CHINESE)).then_some(CHINESE.name)
}

/// The reader of GGUF files, or the part with it.
pub fn gguf_reader() -> std::result::Result<GgufReader, &'static str> {
    GGUF_READER.get().ok_or(LLAMACPP.name)
}

/// What an error says, or the part that holds the words.
pub fn failure(lang: Lang, error: &Error) -> Value {
    FAILURE.get().map_or_else(|| json!({ "part": REFUSALS.name }), |failure| failure(lang, error))
}

/// The story's answer, or the part with the story.
pub fn story(answer: impl FnOnce(Story) -> Value) -> Value {
    STORY_ANSWERS.get().map_or_else(|| json!({ "part": STORY.name }), answer)
}
