//! From a configuration and its family's table to a [`ModelSpec`].

use std::sync::Arc;

use planner_models::{Family, family_of, model_types};
use serde_json::{Map, Value as Json};

use super::eval::{KeyRead, Scope};
use super::layer::{Content, Layer, assign_classes};
use super::layer_types;
use super::model::{Kept, MAX_LAYERS, ModelSpec, Note, Origin, nested};
use super::parameters::{Counter, inner_size};
use super::rules::layer;
use super::unknown;
use super::value::Value;
use super::weights::Storage;
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::suggest;
use crate::text::Sentence;
use crate::units::sum;

/// The family of a `model_type`, and that type's class defaults.
pub fn find(model_type: &str) -> Option<(&'static Family, Map<String, Json>)> {
    let family = family_of(model_type)?;
    let (_, defaults) = family.model_types.iter().find(|(name, _)| *name == model_type)?;
    let parsed =
        defaults.iter().filter_map(|(key, json)| Some(((*key).to_owned(), serde_json::from_str(json).ok()?)));
    Some((family, parsed.collect()))
}

/// Builds the model of a configuration.
///
/// `strict` refuses an unknown `model_type`. Without it a configuration with standard keys only is planned as
/// plain attention, with a note.
pub fn build(config: Arc<Map<String, Json>>, strict: bool) -> Result<ModelSpec> {
    let config = layer_types::current(config)?;
    let class = config
        .get("architectures")
        .and_then(|list| list.get(0))
        .and_then(Json::as_str)
        .unwrap_or_default()
        .to_owned();
    let model_type = config.get("model_type").and_then(Json::as_str);
    let Some(model_type) = model_type else {
        return Err(Error::missing("model_type", words!("config.json")));
    };
    let mut notes = Vec::new();
    let (family, defaults) = match find(model_type) {
        Some(found) => found,
        None => unknown::plain(model_type, &class, &config, strict, &mut notes)?,
    };
    if let Some(why) = family.refuse {
        let architecture = if class.is_empty() { model_type.to_owned() } else { class };
        return Err(Error::NoCache { architecture, why: Sentence::data(why) });
    }
    let mut filled = fill(&config, &defaults);
    let Some((key, text_type)) = family.language_model else {
        let whole = Scope::new(family, &filled, &filled, &defaults, &class, model_type);
        return assemble(&whole, None, &config, None, notes);
    };
    // A wrapper's language model is a nested configuration with a family of its own. A checkpoint of the text
    // part alone may name the nested type directly, and needs no wrapper.
    let text = nested(&config, key);
    let empty = Map::new();
    // Older checkpoints of some wrappers have the language model's keys at the top.
    let is_flat =
        text.is_none() && ["num_hidden_layers", "hidden_size"].iter().all(|key| config.contains_key(*key));
    let text_config = text.unwrap_or(if is_flat { &config } else { &empty });
    // A nested part with the wrapper's own type is the wrapper's text class.
    let named = text_config.get("model_type").and_then(Json::as_str);
    let text_type = named.filter(|named| !is_flat && *named != model_type).unwrap_or(text_type);
    let Some((text_family, mut text_defaults)) = find(text_type) else {
        return Err(Error::refused(
            Code::ModelUnknownLanguageModel,
            say!("no family knows the language model `{0}` in `{1}`", text_type, key),
        )
        .way_out(near_types(text_type)));
    };
    // A wrapper may have other defaults for its language model.
    if let Some(Json::Object(more)) = defaults.get(key) {
        text_defaults.extend(more.clone());
    }
    let mut text_filled = fill(text_config, &text_defaults);
    // The wrapper's expressions read the language model's keys with their class defaults.
    let mut seen = text_defaults.clone();
    seen.extend(text_filled.clone());
    filled.insert(key.to_owned(), Json::Object(seen));
    let whole = Scope::new(family, &filled, &filled, &defaults, &class, model_type);
    // A wrapper's class may tie its head, whatever the language model's configuration says.
    if whole.defines("tie")
        && let Value::Flag(tie) = whole.evaluate("tie")?
    {
        text_filled.insert("tie_word_embeddings".into(), Json::Bool(tie));
    }
    let inner = Scope::new(text_family, &text_filled, &filled, &text_defaults, &class, text_type);
    assemble(&inner, Some(&whole), &config, text.map(|_| key.to_owned()), notes)
}

/// The configuration with the class defaults of its nested parts: `vision_config` and others may lack any of
/// their keys.
pub(super) fn fill(config: &Map<String, Json>, defaults: &Map<String, Json>) -> Map<String, Json> {
    let mut filled = config.clone();
    for (key, value) in defaults {
        let Json::Object(parts) = value else { continue };
        let nested = filled.entry(key).or_insert_with(|| Json::Object(Map::new()));
        if let Json::Object(nested) = nested {
            *nested = parts.iter().chain(nested.iter()).map(|(k, v)| (k.clone(), v.clone())).collect();
        }
    }
    filled
}

pub(super) fn near_types(model_type: &str) -> Sentence {
    let near = suggest::near(model_type, model_types());
    match near.as_slice() {
        [] => Sentence::verbatim(""),
        near => say!("near names: {0}", Sentence::list(near)),
    }
}

fn assemble<'a>(
    text: &Scope<'a>,
    whole: Option<&Scope<'a>>,
    config: &Arc<Map<String, Json>>,
    text_key: Option<String>,
    mut notes: Vec<Note>,
) -> Result<ModelSpec> {
    let dtype = model_dtype(text, &mut notes)?;
    let layer_count = bounded("num_hidden_layers", text.count("num_hidden_layers", "layers")?, MAX_LAYERS)?;
    if layer_count == 0 {
        return Err(Error::bad_value("num_hidden_layers", 0, words!("at least 1")));
    }
    let own = |map: &'a Map<String, Json>| {
        let keys = ["quantization_config", "compression_config", "quantization"];
        keys.iter().find_map(|key| map.get(*key)?.as_object())
    };
    let stated = own(text.root);
    let read = Storage::from_config(dtype, stated.or_else(|| own(text.config)), text.config);
    // A quantization inside the language model's part applies to the language model alone (Kimi K2.5).
    let (storage, weight_refusal) = match read.map(|storage| storage.with_towers(stated.is_some())) {
        // How MLX quantizes towers, states and latents differs from model to model.
        Ok(storage) if storage.is_whole() && (whole.is_some() || !is_plain(text.family)) => (
            Storage::plain(dtype),
            Some(
                Error::refused(
                    Code::WeightsMlxArchitecture,
                    words!("its bytes are known for decoders with plain attention alone"),
                )
                .about(words!("MLX's quantization of this model"))
                .way_out(words!("--weight-dtype counts every parameter in one dtype")),
            ),
        ),
        Ok(storage) => (storage, None),
        Err(refusal) => (Storage::plain(dtype), Some(refusal)),
    };
    let mut counter = Counter::new(storage);
    let cache_layers = if text.defines("cache_layers") {
        bounded("cache layers", text.count("cache_layers", "cache_layers")?, MAX_LAYERS)?
    } else {
        layer_count
    };
    let mut layers = Vec::new();
    for index in 0..cache_layers {
        text.set_index(Some(index));
        layers.push(layer(text, index, dtype)?);
    }
    assign_classes(&mut layers);
    let prefix =
        if text.defines("layer_prefix") { text_value(text, "layer_prefix")? } else { "model.layers" };
    for index in 0..layer_count {
        text.set_index(Some(index));
        counter.modules(text, text.family.layer_modules, &format!("{prefix}.{index}."), Some(index))?;
    }
    text.set_index(None);
    for scope in [Some(text), whole].into_iter().flatten() {
        counter.once(scope, "")?;
        for tower in scope.family.towers {
            if scope.holds(tower.when)? {
                counter.tower(scope, tower)?;
            }
        }
    }
    for scope in [Some(text), whole].into_iter().flatten().filter(|scope| scope.defines("note")) {
        notes.extend(Note::of_family(text_value(scope, "note")?));
    }
    let optional = |name: &'static str| -> Result<Option<u64>> {
        if text.defines(name) { text.optional_count(name, name) } else { Ok(None) }
    };
    let (kv_heads, head_dim) = widest(&layers);
    let (parts, modules) = counter.finish();
    let hidden_size = optional("hidden")?.unwrap_or(0);
    Ok(ModelSpec {
        id: text.model_type.to_owned(),
        location: None,
        name: if text.class.is_empty() { text.model_type.to_owned() } else { text.class.to_owned() },
        architecture: text.class.to_owned(),
        model_type: text.model_type.to_owned(),
        family: text.family.name,
        dtype,
        max_position: optional("max_position")?.filter(|&n| n > 0),
        hidden_size,
        inner_size: inner_size(&parts, &modules, hidden_size),
        vocab_size: optional("vocab")?.unwrap_or(0),
        attention_heads: layers.iter().map(|layer| layer.query_heads).max().filter(|&heads| heads > 0),
        kv_heads,
        head_dim,
        config_layers: layer_count,
        source_len: optional("source_len")?,
        parameters: sum(words!("parameters"), parts.iter().map(|part| part.parameters))?,
        weight_refusal,
        weight_bytes: sum(words!("weight bytes"), parts.iter().map(|part| part.bytes))?,
        parts,
        modules,
        origin: origins(text)?,
        layers,
        notes,
        config: Arc::clone(config),
        text_key,
        converted: Kept::default(),
    })
}

/// Whether a family's layers have keys and values only.
fn is_plain(family: &Family) -> bool {
    family.cache.iter().all(|rule| rule.kind == "keys_values")
}

pub(super) fn bounded(field: &str, value: u64, most: u64) -> Result<u64> {
    if value > most {
        return Err(Error::bad_value(field, value, say!("at most {0}", most)));
    }
    Ok(value)
}

fn text_value<'a>(scope: &Scope<'a>, name: &'static str) -> Result<&'a str> {
    match scope.evaluate(name)? {
        Value::Text(text) => Ok(text),
        other => Err(Error::bad_value(name, other.describe(), words!("a string"))),
    }
}

/// The dtype of the weights, which an `auto` cache has too.
fn model_dtype(scope: &Scope<'_>, notes: &mut Vec<Note>) -> Result<DType> {
    for map in [scope.config, scope.root] {
        for key in ["dtype", "torch_dtype"] {
            match map.get(key) {
                Some(Json::String(name)) => {
                    let name = name.trim_start_matches("torch.");
                    return DType::from_name(name)
                        .ok_or_else(|| Error::bad_value(key, name, words!("float32, float16 or bfloat16")));
                }
                None | Some(Json::Null) => {}
                Some(other) => return Err(Error::bad_value(key, other, words!("a dtype's name"))),
            }
        }
    }
    notes.push(Note::new(
        "dtype_assumed",
        words!("the configuration names no dtype: bfloat16 assumed; --kv-dtype and --weight-dtype set it"),
    ));
    Ok(DType::BF16)
}

fn widest(layers: &[Layer]) -> (Option<u64>, Option<u64>) {
    let stores =
        layers.iter().flat_map(|layer| &layer.stores).filter(|store| store.is_kept_by("architecture"));
    let shapes = stores.filter_map(|store| match store.content {
        Content::KeysValues { heads, k_dim, .. } | Content::Cross { heads, k_dim, .. } => {
            Some((heads, k_dim))
        }
        Content::Latent { rank, rope } => Some((1, rank.saturating_add(rope))),
        _ => None,
    });
    shapes.max().map_or((None, None), |(heads, k_dim)| (Some(heads), Some(k_dim)))
}

// ---- origins ----------------------------------------------------------------------------------

/// Definitions whose source is printed.
const TRACED: &[&str] =
    &["layers", "heads", "kv_heads", "head_dim", "v_head_dim", "hidden", "window", "max_position", "vocab"];

fn origins(scope: &Scope<'_>) -> Result<Vec<Origin>> {
    let mut origins = Vec::new();
    scope.set_index(Some(0));
    for name in TRACED.iter().filter(|name| scope.defines(name)) {
        // A figure that the model does not have has no origin.
        let Ok((value, reads)) = scope.traced(name) else { continue };
        let value = match value {
            Value::Number(number) => number.as_u64().map_or(Json::Null, Json::from),
            Value::Null => continue,
            _ => continue,
        };
        origins.push(Origin { field: name, value, from: describe(&reads, scope.definition(name)) });
    }
    scope.set_index(None);
    Ok(origins)
}

/// The key that a figure was read from; for a computed figure its keys with their values.
fn describe(reads: &[KeyRead], definition: Option<&str>) -> String {
    let name = |read: &KeyRead| {
        if read.is_default { format!("{} (class default)", read.key) } else { read.key.clone() }
    };
    match reads {
        [] => definition.unwrap_or_default().to_owned(),
        [read] => name(read),
        reads => reads
            .iter()
            .map(|read| match &read.value {
                Json::Array(_) | Json::Object(_) => name(read),
                value => format!("{} {value}", name(read)),
            })
            .collect::<Vec<_>>()
            .join(", "),
    }
}
