//! Parts of the program that lie in wasm files of their own. The page fetches one when an answer says
//! `{"part": NAME}`, calls [`install`], and asks again.
//!
//! The linker's output is cut at the functions below (wasm_split_cli_support, `bindgen/`): what only
//! an `..._export_...` function reaches, tables of data included, goes into the file of its part, and
//! the `..._import_...` of the same number calls it. So each is reached through its function alone:
//! nothing else may name an engine.

use std::cell::{Cell, RefCell};
use std::hint::black_box;

use planner_core::engine::{
    self, candle::Candle, llamacpp::LlamaCpp, sglang::Sglang, tensorrt_llm::TensorRtLlm,
    transformers::Transformers, vllm::Vllm,
};
use planner_core::error::{Code, Error, Known, Result};
use planner_core::spec::weights::expressions;
use planner_core::text::{self, Lang};

use serde_json::{Value, json};

use crate::gguf::{self, File, Given};
use crate::{attention, planner, pool};

/// A part: its name, the engines in it, and what it does when it has arrived.
type Part = (&'static str, &'static [&'static str], fn());

const VLLM: &str = "vllm";
const LLAMACPP: &str = "llamacpp";
const OTHERS: &str = "others";
const STORY_PART: &str = "story";
const CHINESE: &str = "chinese";

static PARTS: &[Part] = &[
    (VLLM, &["vllm"], || __wasm_split_00vllm00_import_00000000000000000000000000000001()),
    (LLAMACPP, &["llama.cpp"], || __wasm_split_00llamacpp00_import_00000000000000000000000000000002()),
    (OTHERS, &["transformers", "sglang", "tensorrt-llm", "candle"], || {
        __wasm_split_00others00_import_00000000000000000000000000000003()
    }),
    (CHINESE, &[], || __wasm_split_00chinese00_import_00000000000000000000000000000005()),
    (STORY_PART, &[], || __wasm_split_00story00_import_00000000000000000000000000000004()),
];

/// [`gguf::read`], once it has arrived.
pub type GgufReader = fn(&File<'_>) -> Result<Given>;

thread_local! {
    static ARRIVED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    static GGUF: Cell<Option<GgufReader>> = const { Cell::new(None) };
    static STORY: Cell<Option<Story>> = const { Cell::new(None) };
}

/// Takes a part whose file was instantiated.
pub fn install(name: &str) {
    let Some((name, _, install)) = PARTS.iter().find(|(known, ..)| *known == name) else { return };
    if has(name) {
        return;
    }
    install();
    ARRIVED.with_borrow_mut(|arrived| arrived.push(name));
    planner::forget();
}

fn has(name: &str) -> bool {
    ARRIVED.with_borrow(|arrived| arrived.contains(&name))
}

/// The part that could answer where an error says that something is not known.
pub fn missing(error: &Error) -> Option<&'static str> {
    let part = match error {
        Error::Unknown { what: Known::Engine, name, .. } => {
            let id = name.split('@').next().unwrap_or(name);
            let holds = |part: &&Part| part.1.contains(&id);
            // another spelling of a name may be in any of them
            let any = || PARTS.iter().find(|part| !part.1.is_empty() && !has(part.0));
            PARTS.iter().find(holds).or_else(any)?.0
        }
        _ if error.code() == Code::WeightsNoPatterns => OTHERS,
        _ => return None,
    };
    (!has(part)).then_some(part)
}

/// The part that says what is to be said in a language, where it has not arrived.
pub fn of_language(lang: Lang) -> Option<&'static str> {
    (lang == Lang::Zh && !has(CHINESE)).then_some(CHINESE)
}

/// The reader of GGUF files, or the part that holds it.
pub fn gguf_reader() -> std::result::Result<GgufReader, &'static str> {
    GGUF.get().ok_or(LLAMACPP)
}

/// The story's answers: of `attention` and of `pool`.
type Story = [fn(&str) -> Value; 2];

/// The answer to a request of the story, or the part that gives it.
pub fn story(which: usize, request: &str) -> Value {
    match STORY.get() {
        Some(answers) => answers[which](request),
        None => json!({ "part": STORY_PART }),
    }
}

#[cfg(target_family = "wasm")]
#[allow(unsafe_code)] // declared safe: each takes and returns nothing
#[link(wasm_import_module = "__wasm_split_placeholder__")]
unsafe extern "C" {
    safe fn __wasm_split_00vllm00_import_00000000000000000000000000000001();
    safe fn __wasm_split_00llamacpp00_import_00000000000000000000000000000002();
    safe fn __wasm_split_00others00_import_00000000000000000000000000000003();
    safe fn __wasm_split_00story00_import_00000000000000000000000000000004();
    safe fn __wasm_split_00chinese00_import_00000000000000000000000000000005();
}

#[cfg(not(target_family = "wasm"))]
use {
    __wasm_split_00chinese00_export_00000000000000000000000000000005 as __wasm_split_00chinese00_import_00000000000000000000000000000005,
    __wasm_split_00llamacpp00_export_00000000000000000000000000000002 as __wasm_split_00llamacpp00_import_00000000000000000000000000000002,
    __wasm_split_00others00_export_00000000000000000000000000000003 as __wasm_split_00others00_import_00000000000000000000000000000003,
    __wasm_split_00story00_export_00000000000000000000000000000004 as __wasm_split_00story00_import_00000000000000000000000000000004,
    __wasm_split_00vllm00_export_00000000000000000000000000000001 as __wasm_split_00vllm00_import_00000000000000000000000000000001,
};

#[allow(unsafe_code)] // the name is this file's own
#[unsafe(no_mangle)]
extern "C" fn __wasm_split_00vllm00_export_00000000000000000000000000000001() {
    engine::install(&[&Vllm]);
}

#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn __wasm_split_00llamacpp00_export_00000000000000000000000000000002() {
    engine::install(&[&LlamaCpp]);
    // in a black box, lest the compiler see that nothing else is ever called, and call it directly
    GGUF.set(Some(black_box(gguf::read)));
}

#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn __wasm_split_00others00_export_00000000000000000000000000000003() {
    engine::install(&[&Transformers, &Sglang, &TensorRtLlm, &Candle]);
    expressions::install(black_box(expressions::regular));
}

#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn __wasm_split_00story00_export_00000000000000000000000000000004() {
    STORY.set(Some(black_box([attention::answer, pool::answer])));
}

#[allow(unsafe_code)]
#[unsafe(no_mangle)]
extern "C" fn __wasm_split_00chinese00_export_00000000000000000000000000000005() {
    text::install(black_box(text::chinese));
}
