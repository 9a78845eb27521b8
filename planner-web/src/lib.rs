//! kvplan in the browser: JSON in, JSON out.
//!
//! The page in `www/` calls these functions and draws what they answer; no
//! figure on it is computed in the page's script, which only places them.

pub mod data;
pub mod demo;
mod families;
pub mod figures;
pub mod gguf;
pub mod parts;
pub mod planner;

use planner_core::units;
use wasm_bindgen::prelude::wasm_bindgen;

/// The small attention over one sentence: `{"sentence", "variant"}` in, the
/// rows, scores, outputs and counters of every step out (see
/// [`demo::attention::run`]), once the part `story` is there.
#[wasm_bindgen]
pub fn attention(request: &str) -> String {
    parts::story(|story| (story.attention)(request)).to_string()
}

/// Several users in one pool of blocks: `{"row_bytes"}` in, one frame per
/// arriving or decoded token out (see [`demo::pool::run`]).
#[wasm_bindgen]
pub fn pool(request: &str) -> String {
    parts::story(|story| (story.pool)(request)).to_string()
}

/// Takes the page's data file once, at the start: models, GPUs and encoders
/// by name (see [`data`]). Answers how many models there are.
#[wasm_bindgen]
pub fn load(data: String) -> usize {
    data::load(data)
}

/// A plan: `{"model": id} | {"config": text}`, `"flags": {name: text}` (a
/// flag's name without dashes) and `"lang"` in; the JSON of the command line
/// out. An error also names the `field` of the request that it is about.
#[wasm_bindgen]
pub fn plan(request: &str) -> String {
    planner::plan(request).to_string()
}

/// What the page shows of a plan: a request of [`plan`] in, `{"plan", "figures", "command"}` out, the
/// JSON of [`plan`] and what stands beside it (see [`planner::answer`]).
#[wasm_bindgen]
pub fn answer(request: &str) -> String {
    planner::answer(request).to_string()
}

/// Bytes as the command line says them: `6553600000` as `6.1 GiB`.
#[wasm_bindgen]
pub fn human_bytes(bytes: u64) -> String {
    units::human_bytes(bytes)
}

/// Takes the start of one of `files` GGUF files that were dropped together: `{}`, `{"more": true}`
/// where its header is longer than that, `{"name"}` after the last, which [`plan`] then plans for
/// `{"gguf": name}`, or a failure.
#[wasm_bindgen]
pub fn gguf(name: &str, start: &[u8], bytes: f64, index: usize, files: usize, language: &str) -> String {
    // a whole number below 2^53, which is how a script counts the bytes of a file
    planner::gguf(&gguf::File { name, start, bytes: bytes as u64, index, files }, language).to_string()
}

/// Most users by length, for a curve: a request of [`plan`] in,
/// `{"points": [{"seq", "max_users"}]}` out.
#[wasm_bindgen]
pub fn curve(request: &str) -> String {
    planner::curve(request).to_string()
}

/// Takes a part of the program whose file has arrived, where an answer was `{"part": name}`.
#[wasm_bindgen]
pub fn install(part: &str) {
    parts::install(part);
}
