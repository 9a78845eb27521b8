//! kvplan in the browser: JSON in, JSON out.
//!
//! The page in `www/` calls these functions and draws their answers. Its script computes no figures.

pub mod data;
pub mod demo;
mod families;
pub mod figures;
pub mod gguf;
pub mod parts;
pub mod planner;

use planner_core::units;
use wasm_bindgen::prelude::wasm_bindgen;

/// The small attention over one sentence: `{"sentence", "variant"}` in; rows, scores, outputs and counters of
/// every step out (see [`demo::attention::run`]). It needs the part `story`.
#[wasm_bindgen]
pub fn attention(request: &str) -> String {
    parts::story(|story| (story.attention)(request)).to_string()
}

/// Several users in one pool of blocks: `{"row_bytes"}` in; one frame for each token that arrives or is decoded
/// out (see [`demo::pool::run`]). It needs the part `story`.
#[wasm_bindgen]
pub fn pool(request: &str) -> String {
    parts::story(|story| (story.pool)(request)).to_string()
}

/// Loads the page's data file, once, at the start: models, GPUs and encoders by name (see [`data`]). Returns
/// the number of models.
#[wasm_bindgen]
pub fn load(data: String) -> usize {
    data::load(data)
}

/// A plan: `{"model": id} | {"config": text}`, `"flags": {name: text}` (names without dashes) and `"lang"` in;
/// the command line's JSON out. An error also has the `field` of the request that it is about.
#[wasm_bindgen]
pub fn plan(request: &str) -> String {
    planner::plan(request).to_string()
}

/// A plan as the page shows it: a request of [`plan`] in; `{"plan", "figures", "command"}` out (see
/// [`planner::answer`]).
#[wasm_bindgen]
pub fn answer(request: &str) -> String {
    planner::answer(request).to_string()
}

/// Bytes in binary units, as the command line prints them: `6553600000` as `6.1 GiB`.
#[wasm_bindgen]
pub fn human_bytes(bytes: u64) -> String {
    units::human_bytes(bytes)
}

/// Reads the start of one of `files` GGUF files that were dropped together. Returns `{}`; `{"more": true}`
/// where the header is longer than that start; after the last file `{"name"}`, which [`plan`] takes as
/// `{"gguf": name}`; or a failure.
#[wasm_bindgen]
pub fn gguf(name: &str, start: &[u8], bytes: f64, index: usize, files: usize, language: &str) -> String {
    // below 2^53, so exact in a script's number
    planner::gguf(&gguf::File { name, start, bytes: bytes as u64, index, files }, language).to_string()
}

/// Most users by length, for a curve: a request of [`plan`] in,
/// `{"points": [{"seq", "max_users"}]}` out.
#[wasm_bindgen]
pub fn curve(request: &str) -> String {
    planner::curve(request).to_string()
}

/// Installs a part of the program once its wasm file is instantiated. An answer `{"part": name}` asks for one.
#[wasm_bindgen]
pub fn install(part: &str) {
    parts::install(part);
}
