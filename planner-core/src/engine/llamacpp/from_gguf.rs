//! From a GGUF header to a [`ModelSpec`]: layers as llama.cpp loads them; exact weight bytes and parameters
//! from the tensor table.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::architectures;
use super::hparams::{Hparams, LayerHparams};
use super::metadata::{self, Metadata};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::source::gguf::{Header, Tensor};
use crate::spec::layer::{Content, Extent, Layer, Store, assign_classes};
use crate::spec::model::{Kept, ModelSpec, Note, Origin, Part};
use crate::units::sum;

/// The model behind a header; `id` is the name that the user gave.
pub fn model(id: &str, header: &Header) -> Result<ModelSpec> {
    build(id, header).map_err(Error::of_model)
}

fn build(id: &str, header: &Header) -> Result<ModelSpec> {
    let metadata = Metadata::of(&header.metadata)
        .ok_or_else(|| Error::missing("general.architecture", words!("the GGUF metadata")))?;
    let name = header.metadata.get("general.architecture").and_then(Json::as_str).unwrap_or_default();
    if let Some(why) = architectures::no_cache(name) {
        return Err(Error::NoCache { architecture: name.to_owned(), why: why.into() });
    }
    if !architectures::is_known(name) {
        return Err(metadata::refused(format!("unknown model architecture: '{name}'")));
    }
    let (files, _) = header.split();
    if let Some(missing) = expected_tensors(header).filter(|&all| all != header.tensors.len() as u64) {
        return Err(Error::refused(
            Code::GgufMissingFiles,
            say!(
                "{0} of {1} tensors are there, of a model in {2} files",
                header.tensors.len(),
                missing,
                files
            ),
        )
        .way_out(words!("all its files must stand beside the first, NAME-00001-of-0000N.gguf")));
    }
    let mut shape = metadata.shape()?;
    strip_prediction(&mut shape, header);
    let mut layers: Vec<Layer> = (0..shape.trunk).map(|index| layer(&metadata, &shape, index)).collect();
    assign_classes(&mut layers);
    let parts = parts(header)?;
    let number = |key: &str| header.metadata.get(&format!("{name}.{key}")).and_then(Json::as_u64);
    let widest = shape.layers.iter().filter(|layer| layer.cached).map(|layer| (layer.heads, layer.k)).max();
    let attention_heads = shape.layers.iter().map(|layer| layer.query_heads).max().filter(|&heads| heads > 0);
    let title = header.metadata.get("general.name").and_then(Json::as_str).unwrap_or(name);
    let mut notes = Vec::new();
    if layers.iter().flat_map(|layer| &layer.stores).any(|store| store.extent == Extent::Session) {
        notes.push(Note::new(
            "gguf_states",
            words!("states as llama.cpp keeps them, in f32 and without the newest convolution tap: other engines differ"),
        ));
    }
    if header.tensors.is_empty() {
        notes.push(Note::new(
            "no_tensors",
            words!("the file has no tensor table: weights are counted as 0 bytes"),
        ));
    }
    Ok(ModelSpec {
        id: id.to_owned(),
        location: None,
        name: title.to_owned(),
        architecture: name.to_owned(),
        model_type: name.to_owned(),
        family: "gguf",
        dtype: float_type(header),
        max_position: shape.trained,
        hidden_size: number("embedding_length").unwrap_or(0),
        inner_size: metadata.inner_size()?,
        vocab_size: number("vocab_size").or_else(|| vocabulary(header)).unwrap_or(0),
        attention_heads,
        kv_heads: widest.map(|(heads, _)| heads),
        head_dim: widest.map(|(_, width)| width),
        config_layers: shape.trunk as u64,
        source_len: None,
        parameters: sum(words!("parameters"), parts.iter().map(|part| part.parameters))?,
        weight_refusal: None,
        weight_bytes: sum(words!("weight bytes"), parts.iter().map(|part| part.bytes))?,
        parts,
        modules: Vec::new(),
        origin: origins(name, header),
        layers,
        notes,
        config: Arc::new(header.metadata.clone()),
        text_key: None,
        converted: Kept::default(),
    })
}

/// `split.tensors.count`: how many tensors all files of a split model have.
fn expected_tensors(header: &Header) -> Option<u64> {
    header.metadata.get("split.tensors.count").and_then(Json::as_u64)
}

/// A DeepSeek V4 file may name prediction layers that it does not hold; then it has none (`deepseek4.cpp`).
fn strip_prediction(shape: &mut Hparams, header: &Header) {
    let probe = format!("blk.{}.nextn.eh_proj.weight", shape.trunk);
    if shape.is_compressed() && !header.tensors.iter().any(|tensor| tensor.name == probe) {
        shape.trunk = shape.layers.len();
    }
}

fn vocabulary(header: &Header) -> Option<u64> {
    let tokens = header.metadata.get("tokenizer.ggml.tokens")?;
    tokens
        .get("list_length")
        .and_then(Json::as_u64)
        .or_else(|| tokens.as_array().map(|list| list.len() as u64))
}

fn layer(metadata: &Metadata<'_>, shape: &Hparams, index: usize) -> Layer {
    let own = shape.layers.get(index).copied().unwrap_or_default();
    let mut stores = Vec::new();
    if own.cached {
        stores.push(attention(metadata, shape, &own));
        if own.compress > 1 {
            let content = Content::KeysValues { heads: own.heads, k_dim: own.k, v_dim: 0 };
            stores.push(store(content, Extent::Full, own.compress));
        }
    }
    if let Some(indexer) = shape.indexer.filter(|_| own.indexed || own.compress == 4) {
        stores.push(store(Content::IndexKey { heads: 1, dim: indexer.k }, Extent::Full, own.compress.max(1)));
    }
    if own.recurrent {
        let extra = if own.extra { shape.extra_state } else { 0 };
        let content = Content::State {
            mixer: "state",
            conv: 0,
            recurrent: shape.state.saturating_add(extra),
            recurrent_dtype: DType::F32,
            conv_dtype: DType::F32,
        };
        stores.push(store(content, Extent::Session, 1));
    }
    let owners = shape.layers.iter().filter(|layer| layer.cached).count();
    let reads = stores.is_empty() && matches!(shape.arch.as_str(), "gemma3n" | "gemma4") && index >= owners;
    let back = if own.sliding { 2 } else { 1 };
    let owner = reads.then(|| owners.saturating_sub(back) as u64);
    let query_heads = if own.cached || owner.is_some() { own.query_heads } else { 0 };
    Layer { index: index as u64, owner, query_heads, stores, class: index }
}

fn attention(metadata: &Metadata<'_>, shape: &Hparams, own: &LayerHparams) -> Store {
    let extent = match shape.window.filter(|_| own.sliding) {
        None => Extent::Full,
        Some(n) if architectures::is_chunked(&shape.arch) => Extent::Chunk(n),
        Some(n) => Extent::Window(n),
    };
    if !shape.mla {
        let v_dim = if shape.is_compressed() { 0 } else { own.v };
        return store(Content::KeysValues { heads: own.heads, k_dim: own.k, v_dim }, extent, 1);
    }
    let width = own.k.saturating_mul(own.heads);
    let suffix = if own.sliding { "_swa" } else { "" };
    let rank = metadata.number(&format!("attention.kv_lora_rank{suffix}")).unwrap_or(width).min(width);
    let mut latent = store(Content::Latent { rank, rope: width - rank }, extent, 1);
    for (dim, key) in
        [("expanded_k", "attention.key_length_mla"), ("expanded_v", "attention.value_length_mla")]
    {
        if let Some(width) = metadata.number(&format!("{key}{suffix}")) {
            latent.dims.push((dim, width));
        }
    }
    latent
}

fn store(content: Content, extent: Extent, tokens_per_row: u64) -> Store {
    Store { content, extent, tokens_per_row, dims: Vec::new(), only: &[], except: &[] }
}

/// The model's dtype, for engines whose cache takes it: the dtype of most float elements.
fn float_type(header: &Header) -> DType {
    let elements = |name: &str| {
        let own = header.tensors.iter().filter(|tensor| tensor.kind.name == name);
        own.map(|tensor| tensor.elements).fold(0, u64::saturating_add)
    };
    let (bf16, f16, f32) = (elements("bf16"), elements("f16"), elements("f32"));
    let all = header.tensors.iter().map(|tensor| tensor.elements).fold(0, u64::saturating_add);
    match bf16 > f16 {
        true => DType::BF16,
        false if f32 > all / 2 => DType::F32,
        false => DType::F16,
    }
}

/// Parameters and bytes by part, from tensor names (`LLM_TENSOR_NAMES` of `src/llama-arch.cpp`).
fn parts(header: &Header) -> Result<Vec<Part>> {
    let name = header.metadata.get("general.architecture").and_then(Json::as_str).unwrap_or_default();
    let number = |key: &str| header.metadata.get(&format!("{name}.{key}")).and_then(Json::as_u64);
    let (experts, used) = (number("expert_count").unwrap_or(0), number("expert_used_count").unwrap_or(0));
    let mut by_part: BTreeMap<&'static str, Part> = BTreeMap::new();
    for tensor in &header.tensors {
        let name = part_of(tensor);
        let part = by_part.entry(name).or_insert(Part { name, parameters: 0, active: 0, bytes: 0 });
        let active = if name == "experts" && experts > 0 {
            (u128::from(tensor.elements) * u128::from(used.min(experts)) / u128::from(experts)) as u64
        } else {
            tensor.elements
        };
        part.parameters = sum(words!("parameters"), [part.parameters, tensor.elements])?;
        part.active = sum(words!("parameters"), [part.active, active])?;
        part.bytes = sum(words!("weight bytes"), [part.bytes, tensor.bytes])?;
    }
    Ok(by_part.into_values().collect())
}

fn part_of(tensor: &Tensor) -> &'static str {
    let name = match tensor.name.strip_prefix("blk.") {
        Some(rest) => rest.split_once('.').map_or(rest, |(_, name)| name),
        None => tensor.name.as_str(),
    };
    let starts = |start: &str| name.starts_with(start);
    match name {
        _ if starts("token_embd.") || starts("position_embd") => "embeddings",
        _ if starts("output.") => "head",
        _ if name.contains("norm") => "norm",
        _ if starts("indexer") => "indexer",
        _ if starts("attn_") => "attention",
        _ if starts("ssm_") || starts("shortconv") || starts("time_mix") || starts("channel_mix") => "state",
        _ if starts("ffn_gate_inp") => "router",
        _ if name.contains("_shexp") => "shared_experts",
        _ if name.contains("_exps") => "experts",
        _ if starts("ffn_") => "mlp",
        _ => "other",
    }
}

fn origins(arch: &str, header: &Header) -> Vec<Origin> {
    let keys = [
        ("layers", "block_count"),
        ("attention_heads", "attention.head_count"),
        ("kv_heads", "attention.head_count_kv"),
        ("head_dim", "attention.key_length"),
        ("max_position", "context_length"),
    ];
    let read = keys.iter().filter_map(|(field, key)| {
        let key = format!("{arch}.{key}");
        let value = header.metadata.get(&key)?.clone();
        Some(Origin { field, value, from: key })
    });
    let tensors = Origin {
        field: "weight_bytes",
        value: json!(header.tensors.len()),
        from: "the tensor table's types and shapes".into(),
    };
    read.chain([tensors]).collect()
}

#[cfg(test)]
mod tests;
