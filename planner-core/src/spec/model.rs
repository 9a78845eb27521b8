//! A model as memory sees it: layers, parameters, weight bytes, and the source of each figure.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value as Json};

use super::hf_config::HfConfig;
use super::layer::Layer;
use super::value::Module;
use crate::dtype::DType;
use crate::error::Error;
use crate::text::Sentence;

/// The most layers or blocks a configuration may ask for; more is a mistake, not a model.
pub const MAX_LAYERS: u64 = 10_000;

/// A figure and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The figure's name (`kv_heads`).
    pub field: &'static str,
    /// Its value.
    pub value: Json,
    /// The configuration's keys that it was read or computed from.
    pub from: String,
}

/// Parameters of one part of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Name of the part (`attention`, `experts` …).
    pub name: &'static str,
    /// Parameters.
    pub parameters: u64,
    /// Parameters that one token uses.
    pub active: u64,
    /// Bytes when loaded.
    pub bytes: u64,
}

/// Matrices, vectors or tables of one shape, in one place of the model or in every expert of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightModule {
    /// Part it belongs to (`attention`, `experts` …).
    pub part: &'static str,
    /// Its path within its layer, tower or model (`self_attn.q_proj`).
    pub path: &'static str,
    /// Layer of the language model that holds it; `None` outside its layers.
    pub layer: Option<u64>,
    /// Shape of one.
    pub shape: Module,
    /// How many there are.
    pub count: u64,
    /// Bytes of all of them as stored.
    pub bytes: u64,
}

/// A note for the reader of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Stable code.
    pub code: &'static str,
    /// What it says.
    pub text: Sentence,
}

impl Note {
    /// A note.
    pub fn new(code: &'static str, text: impl Into<Sentence>) -> Self {
        Self { code, text: text.into() }
    }

    /// What a family's `note` says of its models.
    pub(super) fn of_family(code: &str) -> Option<Self> {
        match code {
            "thinker_only" => Some(Self::new(
                "thinker_only",
                words!(
                    "only the thinker is planned, which is all that vLLM loads: the talker and the vocoder, which transformers \
                     builds too, are not counted"
                ),
            )),
            _ => None,
        }
    }
}

/// What an engine derives from the configuration alone, for the next plan of the same model.
#[derive(Default)]
pub struct Kept(OnceLock<Box<dyn Any + Send + Sync>>);

impl Kept {
    /// The derived value, made at the first call; `None` where another engine stored one of another type.
    pub fn get_or<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

/// A clone may be changed, so it starts empty.
impl Clone for Kept {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

/// A model, ready to be planned.
#[derive(Debug, Clone)]
pub struct ModelSpec {
    /// Catalogue id, or the name the model was given by.
    pub id: String,
    /// What an engine would load: a hub id, a folder or a file; `None` where only a configuration is known.
    pub location: Option<String>,
    /// Name for people.
    pub name: String,
    /// Class that `architectures` names.
    pub architecture: String,
    /// `model_type` of the language model.
    pub model_type: String,
    /// Family file that read it.
    pub family: &'static str,
    /// The model's dtype: what `auto` means for the cache.
    pub dtype: DType,
    /// Longest context the model is made for.
    pub max_position: Option<u64>,
    /// Hidden width.
    pub hidden_size: u64,
    /// Inner states of a token in the widest feed-forward layer, those of all active experts together.
    pub inner_size: u64,
    /// Vocabulary size.
    pub vocab_size: u64,
    /// Query heads; `None` without attention.
    pub attention_heads: Option<u64>,
    /// Key and value heads of the widest attention layer.
    pub kv_heads: Option<u64>,
    /// Width of one key.
    pub head_dim: Option<u64>,
    /// Layers that the configuration counts.
    pub config_layers: u64,
    /// Cache layers.
    pub layers: Vec<Layer>,
    /// Default encoder input length, for encoder-decoder models.
    pub source_len: Option<u64>,
    /// Parameters and bytes by part.
    pub parts: Vec<Part>,
    /// Parameters and bytes by module; empty where only sums of a file are known.
    pub modules: Vec<WeightModule>,
    /// All parameters.
    pub parameters: u64,
    /// Bytes of the weights as stored.
    pub weight_bytes: u64,
    /// Why the bytes of the weights are not known; a plan then needs `--weight-dtype`.
    pub weight_refusal: Option<Error>,
    /// Where the figures came from.
    pub origin: Vec<Origin>,
    /// What a reader should know.
    pub notes: Vec<Note>,
    /// The configuration it came from, outermost object.
    pub config: Arc<Map<String, Json>>,
    /// Key of the language model's part within `config`, where it is nested.
    pub text_key: Option<String>,
    /// llama.cpp's metadata of the model, made at its first plan.
    pub converted: Kept,
}

impl ModelSpec {
    /// Records the catalogue's entry; `asked` is the id or hub id that the user gave.
    pub fn set_entry(&mut self, id: &str, name: &str, hub: Option<&str>, asked: &str) {
        id.clone_into(&mut self.id);
        name.clone_into(&mut self.name);
        self.location = hub.map(str::to_owned);
        if !id.eq_ignore_ascii_case(asked) {
            self.location = Some(asked.to_owned());
            let text = say!("{0} is answered from the catalogue ({1}), without the network", asked, id);
            self.notes.push(Note::new("from_catalogue", text));
        }
    }

    /// What its weights are stored in: the method of its quantization, else its dtype.
    pub fn weights_in(&self) -> &str {
        let config = HfConfig::of(self);
        let algorithm = config.quantization().and_then(|given| given.get("quant_algo")?.as_str());
        algorithm.or_else(|| config.quant_method()).unwrap_or(self.dtype.name)
    }

    /// The language model's own configuration.
    pub fn text_config(&self) -> &Map<String, Json> {
        let nested = self.text_key.as_deref().and_then(|key| nested(&self.config, key));
        nested.unwrap_or(&self.config)
    }

    /// Parameters that one token uses.
    pub fn active_parameters(&self) -> u64 {
        self.parts.iter().map(|part| part.active).fold(0, u64::saturating_add)
    }
}

/// The object at a dotted path.
pub fn nested<'a>(map: &'a Map<String, Json>, path: &str) -> Option<&'a Map<String, Json>> {
    path.split('.').try_fold(map, |map, key| map.get(key)?.as_object())
}
