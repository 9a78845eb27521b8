//! kvplan in the browser: JSON in, JSON out.
//!
//! The page in `www/` calls these functions and draws what they answer; no
//! figure on it is computed in the page's script.

pub mod attention;
pub mod data;
mod families;
mod linear;
pub mod planner;
pub mod pool;
mod sentence;

use wasm_bindgen::prelude::wasm_bindgen;

/// The small attention over one sentence: `{"sentence", "variant"}` in, the
/// rows, scores, outputs and counters of every step out (see
/// [`attention::run`]).
#[wasm_bindgen]
pub fn attention(request: &str) -> String {
    attention::answer(request).to_string()
}

/// Several users in one pool of blocks: `{"row_bytes"}` in, one frame per
/// arriving or decoded token out (see [`pool::run`]).
#[wasm_bindgen]
pub fn pool(request: &str) -> String {
    pool::answer(request).to_string()
}

/// Takes the page's data file once, at the start: models, GPUs and encoders
/// by name (see [`data`]). Answers how many models there are.
#[wasm_bindgen]
pub fn load(data: &str) -> usize {
    data::load(data)
}

/// A plan: `{"model": id} | {"config": text}`, `"flags": {name: text}` (a
/// flag's name without dashes) and `"lang"` in; the JSON of the command line
/// out. An error also names the `field` of the request that it is about.
#[wasm_bindgen]
pub fn plan(request: &str) -> String {
    planner::plan(request).to_string()
}

/// Reads the start of a GGUF file, which [`plan`] then plans for `{"gguf": name}`:
/// `{}` or a failure out. Only the build with every engine can.
#[wasm_bindgen]
pub fn gguf(name: &str, start: &[u8], language: &str) -> String {
    planner::gguf(name, start, language).to_string()
}

/// Most users by length, for a curve: a request of [`plan`] in,
/// `{"points": [{"seq", "max_users"}]}` out.
#[wasm_bindgen]
pub fn curve(request: &str) -> String {
    planner::curve(request).to_string()
}

/// The engines that this build knows: `[id]`. The page has two builds, one
/// with and one without the serving engines.
#[wasm_bindgen]
pub fn engines() -> String {
    planner::engines().to_string()
}
