//! Checkpoints of GPT-2, by the decoder of the experiment: candle-transformers has no module for it.

use std::path::Path;

use candle_core::{Device, Result as Candle, Tensor};
use planner_core::Result;
use planner_core::spec::model::ModelSpec;

use super::text::Text;
use super::{Loaded, Module};
use crate::bench::{Dense, dense_of};
use crate::kept::tensor_bytes;
use crate::timing::Steps;

struct Gpt2 {
    dense: Dense,
    cache: <Dense as Steps>::Cache,
    tokens: usize,
}

impl Module for Gpt2 {
    fn restart(&mut self) -> Candle<()> {
        self.cache = self.dense.cache(self.tokens);
        Ok(())
    }

    fn forward(&mut self, ids: &Tensor, at: usize) -> Candle<Tensor> {
        if at == 0 {
            self.restart()?;
        }
        let last = self.dense.forward(&ids.flatten_all()?.to_vec1::<u32>()?, &mut self.cache)?;
        self.dense.logits(&last)
    }

    fn held(&self) -> Candle<Option<u64>> {
        let mut bytes = 0;
        for cache in &self.cache.0 {
            for rows in [cache.k()?, cache.v()?].into_iter().flatten() {
                bytes += tensor_bytes(&rows);
            }
        }
        Ok(Some(bytes))
    }
}

/// Reads a folder's weights and tokenizer.
pub fn load(folder: &Path, model: &ModelSpec, device: &Device) -> Result<Loaded> {
    let (dense, tokens) = dense_of(folder, model, device)?;
    let vocab = usize::try_from(model.vocab_size).unwrap_or(1);
    let text = Text::of_folder(folder, model.text_config(), vocab);
    let cache = dense.cache(tokens);
    let module = Box::new(Gpt2 { dense, cache, tokens });
    Ok(Loaded { module, name: "kvplan's own decoder of GPT-2".into(), text })
}
