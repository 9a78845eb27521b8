//! Text to tokens and back, with the tokenizer beside the weights.

use std::path::Path;

use candle_core::quantized::gguf_file;
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use planner_core::error::Code;
use planner_core::text::Bilingual;
use planner_core::{Error, Result};

use crate::device::said;
use crate::messages;

/// A tokenizer, or why there is none.
pub struct Tokenizer {
    inner: std::result::Result<tokenizers::Tokenizer, String>,
    /// Tokens that end a text.
    ends: Vec<u32>,
    vocab: usize,
}

/// Tokens of the prompt where text cannot be read.
const PROMPT_TOKENS: usize = 8;

fn failed(what: Bilingual, error: impl ToString) -> Error {
    let why = said(error.to_string().lines().next().unwrap_or_default().to_owned());
    Error::refused(Code::MeasureText, why).about(what)
}

impl Tokenizer {
    /// The tokenizer in a GGUF file's metadata.
    pub fn of_gguf(content: &gguf_file::Content, vocab: usize) -> Self {
        let ends = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"];
        let number = |key: &&str| content.metadata.get(*key)?.to_u32().ok();
        let inner = tokenizers::Tokenizer::from_gguf(content).map_err(|error| {
            let text = error.to_string();
            format!("candle does not read its tokenizer: {}", text.lines().next().unwrap_or_default())
        });
        Self { inner, ends: ends.iter().filter_map(number).collect(), vocab }
    }

    /// The `tokenizer.json` beside a checkpoint.
    pub fn of_folder(
        folder: &Path,
        config: &serde_json::Map<String, serde_json::Value>,
        vocab: usize,
    ) -> Self {
        let file = folder.join("tokenizer.json");
        let inner = match file.exists() {
            true => tokenizers::Tokenizer::from_file(&file)
                .map_err(|error| format!("its tokenizer.json: {error}")),
            false => Err("no tokenizer.json lies beside the weights".into()),
        };
        let ends = match config.get("eos_token_id") {
            Some(serde_json::Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        let ends = ends.iter().filter_map(|id| u32::try_from(id.as_u64()?).ok()).collect();
        Self { inner, ends, vocab }
    }

    /// Why there is no text; `None` where there is one.
    pub fn refusal(&self) -> Option<String> {
        self.inner.as_ref().err().cloned()
    }

    /// The tokens of a text; fixed ones without a tokenizer.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let Ok(tokenizer) = &self.inner else {
            return Ok(crate::timing::prompt(PROMPT_TOKENS, self.vocab.max(1)));
        };
        let encoded = tokenizer.encode(text, true).map_err(|error| failed(messages::THIS_PROMPT, error))?;
        match encoded.get_ids() {
            [] => Err(Error::bad_value("--prompt", messages::NO_TOKEN, messages::SOME_TEXT)),
            ids => Ok(ids.to_vec()),
        }
    }

    /// The text of tokens.
    pub fn decode(&self, tokens: &[u32]) -> Result<String> {
        let Ok(tokenizer) = &self.inner else { return Ok(String::new()) };
        tokenizer.decode(tokens, true).map_err(|error| failed(messages::TEXT_OF_TOKENS, error))
    }

    /// Whether a token ends a text.
    pub fn ends(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }
}
