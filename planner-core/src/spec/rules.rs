//! What each layer stores, by the cache rules of its family.

use planner_models::CacheRule;

use super::eval::{Scope, field_name};
use super::layer::{Content, Extent, Layer, Store};
use super::value::Value;
use crate::dtype::DType;
use crate::error::{Error, Result};

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

/// The stores of one layer.
pub fn layer(scope: &Scope<'_>, index: u64, dtype: DType) -> Result<Layer> {
    let mut layer = Layer { index, owner: None, query_heads: 0, stores: Vec::new(), class: 0 };
    for rule in scope.family.cache {
        if !scope.holds(rule.when)? {
            continue;
        }
        if let Some(owner) = rule.field("owner")
            && let Some(owner) = scope.optional_count("owner", owner)?.filter(|&owner| owner != index)
        {
            if owner > index {
                return Err(Error::bad_value(
                    words!("the layer whose cache is shared"),
                    owner,
                    words!("an earlier layer"),
                ));
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
        let source = rule
            .field(name)
            .ok_or_else(|| scope.broken(say!("cache rule `{0}` needs `{1}`", rule.kind, name)))?;
        scope.count(name, source)
    };
    let positive = |name: &'static str| match need(name)? {
        0 => {
            Err(Error::bad_value(field_name(rule.field(name).unwrap_or(name), name), 0, words!("at least 1")))
        }
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
                other => Err(Error::bad_value(name, other.describe(), words!("a dtype's name"))),
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
