//! From a configuration and its family's table to a [`ModelSpec`].

use std::collections::BTreeMap;
use std::sync::Arc;

use planner_models::{CacheRule, Family, ModuleRule, Tower, family_of, model_types};
use serde_json::{Map, Value as Json};

use super::eval::{KeyRead, Scope};
use super::layer::{Content, Extent, Layer, Store};
use super::model::{MAX_LAYERS, ModelSpec, Note, Origin, Part, nested};
use super::value::Value;
use super::weights::Storage;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::suggest;
use crate::units::{product, sum};

/// Fields of a cache rule that are not dimensions for engines.
const RULE_FIELDS: &[&str] = &[
    "heads",
    "k",
    "v",
    "rank",
    "rope",
    "dim",
    "mixer",
    "conv",
    "recurrent",
    "recurrent_dtype",
    "conv_dtype",
    "window",
    "chunk",
    "tokens_per_state",
    "owner",
];

/// The family that answers for a `model_type`, and that type's class defaults.
pub fn find(model_type: &str) -> Option<(&'static Family, Map<String, Json>)> {
    let family = family_of(model_type)?;
    let (_, defaults) = family.model_types.iter().find(|(name, _)| *name == model_type)?;
    let parsed =
        defaults.iter().filter_map(|(key, json)| Some(((*key).to_owned(), serde_json::from_str(json).ok()?)));
    Some((family, parsed.collect()))
}

/// Builds the model of a configuration.
///
/// `strict` refuses a `model_type` that no family answers for; otherwise one whose keys are all
/// standard is planned as plain attention, with a note.
pub fn build(config: Arc<Map<String, Json>>, strict: bool) -> Result<ModelSpec> {
    let class = config
        .get("architectures")
        .and_then(|list| list.get(0))
        .and_then(Json::as_str)
        .unwrap_or_default()
        .to_owned();
    let model_type = config.get("model_type").and_then(Json::as_str);
    let Some(model_type) = model_type else {
        return Err(Error::MissingField { field: "model_type".into(), looked_in: "config.json".into() });
    };
    let mut notes = Vec::new();
    let (family, defaults) = match find(model_type) {
        Some(found) => found,
        None => unknown(model_type, &class, &config, strict, &mut notes)?,
    };
    if let Some(why) = family.refuse {
        let architecture = if class.is_empty() { model_type.to_owned() } else { class };
        return Err(Error::NoCache { architecture, why: why.to_owned() });
    }
    let mut filled = fill(&config, &defaults);
    let Some((key, text_type)) = family.language_model else {
        let whole = Scope::new(family, &filled, &filled, &defaults, &class, model_type);
        return assemble(&whole, None, &config, None, notes);
    };
    // The language model is a nested configuration with a family of its own; a checkpoint of the
    // text part alone may also name the nested type directly, which needs no wrapper.
    let text = nested(&config, key);
    let empty = Map::new();
    // Older checkpoints of some wrappers keep the language model's keys at the top.
    let is_flat =
        text.is_none() && ["num_hidden_layers", "hidden_size"].iter().all(|key| config.contains_key(*key));
    let text_config = text.unwrap_or(if is_flat { &config } else { &empty });
    // A nested part that names the wrapper's own type means the wrapper's text class.
    let named = text_config.get("model_type").and_then(Json::as_str);
    let text_type = named.filter(|named| !is_flat && *named != model_type).unwrap_or(text_type);
    let Some((text_family, mut text_defaults)) = find(text_type) else {
        return Err(Error::unsupported(
            format!("language model `{text_type}` in {key}"),
            near_types(text_type),
        ));
    };
    // A wrapper may state other defaults for its language model.
    if let Some(Json::Object(more)) = defaults.get(key) {
        text_defaults.extend(more.clone());
    }
    let mut text_filled = fill(text_config, &text_defaults);
    // The wrapper's expressions see the language model's keys with their class defaults.
    let mut seen = text_defaults.clone();
    seen.extend(text_filled.clone());
    filled.insert(key.to_owned(), Json::Object(seen));
    let whole = Scope::new(family, &filled, &filled, &defaults, &class, model_type);
    // A wrapper's class may tie its head whatever the language model's own configuration says.
    if whole.defines("tie")
        && let Value::Flag(tie) = whole.evaluate("tie")?
    {
        text_filled.insert("tie_word_embeddings".into(), Json::Bool(tie));
    }
    let inner = Scope::new(text_family, &text_filled, &filled, &text_defaults, &class, text_type);
    assemble(&inner, Some(&whole), &config, text.map(|_| key.to_owned()), notes)
}

/// The configuration with the class defaults of its nested parts: `vision_config` and the like may
/// leave out any of their keys.
fn fill(config: &Map<String, Json>, defaults: &Map<String, Json>) -> Map<String, Json> {
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

fn near_types(model_type: &str) -> String {
    let near = suggest::near(model_type, model_types());
    match near.as_slice() {
        [] => "`kvplan models --families` lists what is known".into(),
        near => format!("near names: {}", near.join(", ")),
    }
}

/// Plain attention for an unknown `model_type`, when every key that could change its cache is one
/// of the standard ones.
fn unknown(
    model_type: &str,
    class: &str,
    config: &Map<String, Json>,
    strict: bool,
    notes: &mut Vec<Note>,
) -> Result<(&'static Family, Map<String, Json>)> {
    let refuse = |why: String| Error::unsupported(format!("model_type `{model_type}` ({class})"), why);
    if strict {
        return Err(refuse(format!("no family knows it; {}", near_types(model_type))));
    }
    if ["ForMaskedLM", "ForSequenceClassification", "ForTokenClassification"]
        .iter()
        .any(|end| class.ends_with(end))
    {
        return Err(Error::NoCache {
            architecture: class.to_owned(),
            why: "it is an encoder: it reads its whole input at once and generates nothing".into(),
        });
    }
    for field in
        ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size"]
    {
        if !config.contains_key(field) {
            return Err(refuse(format!(
                "no family knows it and it has no `{field}`; {}",
                near_types(model_type)
            )));
        }
    }
    const SUSPECT: &[&str] = &[
        "lora_rank",
        "layer_types",
        "sliding",
        "window",
        "chunk",
        "mamba",
        "ssm",
        "state_",
        "linear_",
        "conv",
        "recurrent",
        "rwkv",
        "block_types",
        "layers_block_type",
        "index_",
        "compress",
        "loop",
        "shared",
        "text_config",
        "encoder",
        "cross_attention",
        "hybrid",
        "attn_layer",
        "nope",
        "expert",
        "v_head_dim",
    ];
    let suspect = config.iter().find(|(key, value)| {
        let is_set = !matches!(value, Json::Null | Json::Bool(false));
        is_set && SUSPECT.iter().any(|part| key.contains(part))
    });
    if let Some((key, _)) = suspect {
        return Err(refuse(format!(
            "no family knows it, and its key `{key}` may change what is cached; {}",
            near_types(model_type)
        )));
    }
    notes.push(Note::new(
        "unknown_model_type",
        format!("no family knows model_type `{model_type}`: planned as plain attention with a Llama-like block; --strict refuses instead"),
    ).with(&[&model_type]));
    find("llama").ok_or_else(|| refuse("the family `llama` is missing".into()))
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
    let quantization = [text.root, text.config].iter().find_map(|map| {
        ["quantization_config", "compression_config"].iter().find_map(|key| map.get(*key)?.as_object())
    });
    let mut counter =
        Counter { storage: Storage::from_config(dtype, quantization, text.config)?, parts: BTreeMap::new() };
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
    let prefix =
        if text.defines("layer_prefix") { text_value(text, "layer_prefix")? } else { "model.layers" };
    for index in 0..layer_count {
        text.set_index(Some(index));
        counter.modules(text, text.family.layer_modules, &format!("{prefix}.{index}."))?;
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
    let optional = |name: &'static str| -> Result<Option<u64>> {
        if text.defines(name) { text.optional_count(name, name) } else { Ok(None) }
    };
    let (kv_heads, head_dim) = widest(&layers);
    let parts = counter.finish();
    Ok(ModelSpec {
        id: text.model_type.to_owned(),
        name: if text.class.is_empty() { text.model_type.to_owned() } else { text.class.to_owned() },
        architecture: text.class.to_owned(),
        model_type: text.model_type.to_owned(),
        family: text.family.name,
        dtype,
        max_position: optional("max_position")?.filter(|&n| n > 0),
        hidden_size: optional("hidden")?.unwrap_or(0),
        vocab_size: optional("vocab")?.unwrap_or(0),
        attention_heads: layers.iter().map(|layer| layer.query_heads).max().filter(|&heads| heads > 0),
        kv_heads,
        head_dim,
        config_layers: layer_count,
        source_len: optional("source_len")?,
        parameters: sum("parameters", parts.iter().map(|part| part.parameters))?,
        weight_bytes: sum("weight bytes", parts.iter().map(|part| part.bytes))?,
        parts,
        origin: origins(text)?,
        layers,
        notes,
        config: Arc::clone(config),
        text_key,
    })
}

fn bounded(field: &str, value: u64, most: u64) -> Result<u64> {
    if value > most {
        return Err(Error::bad_value(field, value, format!("at most {most}")));
    }
    Ok(value)
}

fn text_value<'a>(scope: &Scope<'a>, name: &'static str) -> Result<&'a str> {
    match scope.evaluate(name)? {
        Value::Text(text) => Ok(text),
        other => Err(Error::bad_value(name, other.describe(), "a string")),
    }
}

/// The dtype of the weights, which is also what an `auto` cache is kept in.
fn model_dtype(scope: &Scope<'_>, notes: &mut Vec<Note>) -> Result<DType> {
    for map in [scope.config, scope.root] {
        for key in ["dtype", "torch_dtype"] {
            match map.get(key) {
                Some(Json::String(name)) => {
                    let name = name.trim_start_matches("torch.");
                    return DType::from_name(name)
                        .ok_or_else(|| Error::bad_value(key, name, "float32, float16 or bfloat16"));
                }
                None | Some(Json::Null) => {}
                Some(other) => return Err(Error::bad_value(key, other, "a dtype's name")),
            }
        }
    }
    notes.push(Note::new(
        "dtype_assumed",
        "the configuration names no dtype: bfloat16 assumed; --kv-dtype and --weight-dtype set it",
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

// ---- layers -----------------------------------------------------------------------------------

fn layer(scope: &Scope<'_>, index: u64, dtype: DType) -> Result<Layer> {
    let mut layer = Layer { index, owner: None, query_heads: 0, stores: Vec::new() };
    for rule in scope.family.cache {
        if !scope.holds(rule.when)? {
            continue;
        }
        if let Some(owner) = rule.field("owner")
            && let Some(owner) = scope.optional_count("owner", owner)?.filter(|&owner| owner != index)
        {
            if owner > index {
                return Err(Error::bad_value("the layer whose cache is shared", owner, "an earlier layer"));
            }
            layer.owner = Some(owner);
            layer.query_heads = query_heads(scope, rule)?;
            continue;
        }
        let store = store(scope, rule, dtype)?;
        if !matches!(store.content, Content::State { .. }) {
            layer.query_heads = query_heads(scope, rule)?;
        }
        layer.stores.push(store);
    }
    Ok(layer)
}

fn query_heads(scope: &Scope<'_>, rule: &CacheRule) -> Result<u64> {
    match rule.field("query_heads") {
        Some(source) => scope.count("query_heads", source),
        None if scope.defines("heads") => scope.count("num_attention_heads", "heads"),
        None => Ok(0),
    }
}

fn store(scope: &Scope<'_>, rule: &'static CacheRule, dtype: DType) -> Result<Store> {
    let need = |name: &'static str| -> Result<u64> {
        let source = rule.field(name).ok_or_else(|| Error::Parse {
            format: "family",
            why: format!("{}: cache rule `{}` needs `{name}`", scope.family.name, rule.kind),
        })?;
        scope.count(name, source)
    };
    let positive = |name: &'static str| match need(name)? {
        0 => Err(Error::bad_value(rule.field(name).unwrap_or(name), 0, "at least 1")),
        value => Ok(value),
    };
    let or = |name: &'static str, default: u64| match rule.field(name) {
        Some(source) => Ok(scope.optional_count(name, source)?.unwrap_or(default)),
        None => Ok(default),
    };
    let dtype_of =
        |name: &'static str, default: DType| match rule.field(name).map(|source| scope.evaluate(source)) {
            None => Ok(default),
            Some(value) => match value? {
                Value::Text("model") => Ok(dtype),
                Value::Text(text) => DType::parse(name, text),
                Value::Null => Ok(default),
                other => Err(Error::bad_value(name, other.describe(), "a dtype's name")),
            },
        };
    let content = match rule.kind {
        "keys_values" => {
            Content::KeysValues { heads: positive("heads")?, k_dim: positive("k")?, v_dim: need("v")? }
        }
        "latent" => Content::Latent { rank: positive("rank")?, rope: need("rope")? },
        "index_key" => Content::IndexKey { heads: or("heads", 1)?, dim: positive("dim")? },
        "cross" => Content::Cross { heads: positive("heads")?, k_dim: positive("k")?, v_dim: need("v")? },
        _ => Content::State {
            mixer: rule.field("mixer").unwrap_or("state"),
            conv: or("conv", 0)?,
            recurrent: or("recurrent", 0)?,
            recurrent_dtype: dtype_of("recurrent_dtype", DType::F32)?,
            conv_dtype: dtype_of("conv_dtype", dtype)?,
        },
    };
    let limit = |name: &'static str| match rule.field(name) {
        Some(source) => Ok(scope.optional_count(name, source)?.filter(|&tokens| tokens > 0)),
        None => Ok(None),
    };
    let extent = match (rule.kind, limit("window")?, limit("chunk")?) {
        ("state", ..) => Extent::Session,
        ("cross", ..) => Extent::Source,
        (_, Some(window), _) => Extent::Window(window),
        (_, None, Some(chunk)) => Extent::Chunk(chunk),
        _ => Extent::Full,
    };
    let mut dims = Vec::new();
    for (name, source) in rule
        .fields
        .iter()
        .filter(|(name, _)| !RULE_FIELDS.contains(name) || (rule.kind == "state" && *name == "heads"))
    {
        if let Some(value) = scope.optional_count(name, source)? {
            dims.push((*name, value));
        }
    }
    Ok(Store {
        content,
        extent,
        tokens_per_row: or("tokens_per_state", 1)?.max(1),
        dims,
        only: rule.only,
        except: rule.except,
    })
}

// ---- parameters -------------------------------------------------------------------------------

struct Counter {
    storage: Storage,
    parts: BTreeMap<&'static str, Part>,
}

impl Counter {
    fn modules(&mut self, scope: &Scope<'_>, rules: &'static [ModuleRule], prefix: &str) -> Result<()> {
        for rule in rules {
            if !scope.holds(rule.when)? {
                continue;
            }
            let module = match scope.evaluate(rule.is)? {
                Value::Module(module) => module,
                other => return Err(Error::bad_value(rule.path, other.describe(), "a module")),
            };
            let count = rule.count.map_or(Ok(1), |count| scope.count(rule.path, count))?;
            let active = rule.active.map_or(Ok(count), |active| scope.count(rule.path, active))?;
            let each = module.parameters()?;
            let bytes = self.storage.bytes(rule.part, &format!("{prefix}{}", rule.path), module, count)?;
            let part = self.parts.entry(rule.part).or_insert(Part {
                name: rule.part,
                parameters: 0,
                active: 0,
                bytes: 0,
            });
            part.parameters = sum("parameters", [part.parameters, product("parameters", &[each, count])?])?;
            part.active =
                sum("parameters", [part.active, product("parameters", &[each, active.min(count)])?])?;
            part.bytes = sum("weight bytes", [part.bytes, bytes])?;
        }
        Ok(())
    }

    /// Modules held once and further repeated blocks.
    fn once(&mut self, scope: &Scope<'_>, prefix: &str) -> Result<()> {
        self.modules(scope, scope.family.modules, prefix)?;
        for stack in scope.family.stacks {
            if scope.holds(stack.when)? {
                let repeat = bounded(stack.name, scope.count(stack.name, stack.repeat)?, MAX_LAYERS)?;
                for index in 0..repeat {
                    scope.set_index(Some(index));
                    self.modules(scope, stack.modules, &format!("{prefix}{}.{index}.", stack.name))?;
                }
                scope.set_index(None);
            }
        }
        Ok(())
    }

    /// A nested model whose parameters are added.
    fn tower(&mut self, outer: &Scope<'_>, tower: &Tower) -> Result<()> {
        let empty = Map::new();
        let config = nested(outer.config, tower.config).unwrap_or(&empty);
        let named = config.get("model_type").and_then(Json::as_str).filter(|_| !tower.is_fixed);
        let model_type = named.unwrap_or(tower.model_type);
        let Some((family, mut defaults)) = find(model_type) else {
            return Err(Error::unsupported(
                format!("`{model_type}` in {}", tower.config),
                near_types(model_type),
            ));
        };
        if let Some(Json::Object(more)) = outer.defaults.get(tower.config) {
            defaults.extend(more.clone());
        }
        let config = fill(config, &defaults);
        let scope = Scope::new(family, &config, outer.root, &defaults, outer.class, model_type);
        if family.definitions.iter().any(|(name, _)| *name == "layers") {
            let layers = bounded(tower.name, scope.count(tower.name, "layers")?, MAX_LAYERS)?;
            for index in 0..layers {
                scope.set_index(Some(index));
                self.modules(&scope, family.layer_modules, &format!("{}.layers.{index}.", tower.name))?;
            }
            scope.set_index(None);
        }
        self.once(&scope, &format!("{}.", tower.name))
    }

    fn finish(self) -> Vec<Part> {
        self.parts.into_values().filter(|part| part.parameters > 0).collect()
    }
}

// ---- origins ----------------------------------------------------------------------------------

/// Definitions whose source a reader wants to see.
const TRACED: &[&str] =
    &["layers", "heads", "kv_heads", "head_dim", "v_head_dim", "hidden", "window", "max_position", "vocab"];

fn origins(scope: &Scope<'_>) -> Result<Vec<Origin>> {
    let mut origins = Vec::new();
    scope.set_index(Some(0));
    for name in TRACED.iter().filter(|name| scope.defines(name)) {
        // A figure that this model does not have leaves no origin.
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

/// `num_key_value_heads`, or for a computed figure its keys with their values.
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
