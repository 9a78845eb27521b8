//! kvplan in the browser: JSON in, JSON out.
//!
//! The page in `www/` calls these functions and draws what they answer; no
//! figure on it is computed in the page's script.

pub mod attention;
mod linear;
pub mod pool;
mod sentence;
pub mod text;

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

/// Every sentence of the page in one language (`en` or `zh`): `{key: text}`.
#[wasm_bindgen]
pub fn messages(language: &str) -> String {
    serde_json::Value::from(text::page(language)).to_string()
}
