//! Resolves what a request leaves open: defaults, each with a note, and flags that change the model.

use std::borrow::Cow;

use crate::device::DEFAULT_RESERVE;
use crate::engine::common::check_parallel;
use crate::engine::{self, Allocation, ResolvedRequest, flag_support};
#[cfg(feature = "lists")]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::parallel::Parallel;
use crate::request::{Request, WeightType};
use crate::spec::layer::{Content, Extent};
use crate::spec::model::{ModelSpec, Note};
#[cfg(feature = "lists")]
use crate::units::human_bytes;

/// Tokens per session when `--seq` is not given: the model's maximum, at most this.
pub const DEFAULT_SEQ_CAP: u64 = 8192;

/// Encoder tokens when neither `--source-len` nor the configuration says.
const DEFAULT_ENCODER_TOKENS: u64 = 512;

/// The model with `--kv-heads` and `--weight-dtype` applied.
///
/// # Errors
/// `--kv-heads` for a model without any; weights of unknown bytes without `--weight-dtype`.
pub fn adjusted<'a>(model: &'a ModelSpec, request: &Request) -> Result<Cow<'a, ModelSpec>> {
    if let (None, Some(refusal)) = (request.weight_dtype, &model.weight_refusal) {
        return Err(refusal.clone());
    }
    if request.kv_heads.is_none() && request.weight_dtype.is_none() {
        return Ok(Cow::Borrowed(model));
    }
    let mut model = model.clone();
    if let Some(wanted) = request.kv_heads {
        let mut changed = false;
        for store in model.layers.iter_mut().flat_map(|layer| &mut layer.stores) {
            if let Content::KeysValues { heads, .. } = &mut store.content {
                *heads = wanted;
                changed = true;
            }
        }
        if !changed {
            return Err(Error::bad_value(
                "--kv-heads",
                wanted,
                say!("left out: {0} keeps no key and value heads", model.name),
            ));
        }
        model.notes.push(Note::new(
            "kv_heads_overridden",
            say!("--kv-heads {0}: not the model's own number of KV heads", wanted),
        ));
        model.kv_heads = Some(wanted);
    }
    match request.weight_dtype {
        None => {}
        Some(WeightType::One(dtype)) => {
            model.weight_bytes = dtype.row_bytes(model.parameters)?;
            model.notes.push(Note::new(
                "weight_dtype_overridden",
                say!("--weight-dtype {0}: parameters counted in it, without scales", dtype.name),
            ));
        }
        #[cfg(feature = "quantizers")]
        Some(WeightType::Written(form)) => {
            form.store(&mut model)?;
            model.notes.push(Note::new(
                "weight_dtype_written",
                say!("--weight-dtype {0}: as its quantizer writes them unless told otherwise", form.name()),
            ));
        }
    }
    Ok(Cow::Owned(model))
}

/// GPUs of a usual node.
pub(super) const GPUS_OF_A_NODE: u64 = 8;

/// GPUs of each node: all of them over `--nnodes`, 8 where it is not given.
fn gpus_of_a_node(request: &Request, gpus: u64) -> Result<u64> {
    match request.nnodes {
        None => Ok(GPUS_OF_A_NODE),
        Some(nodes) if gpus.is_multiple_of(nodes) => Ok(gpus / nodes),
        Some(nodes) => Err(Error::bad_value("--nnodes", nodes, say!("a divisor of the {0} GPUs", gpus))),
    }
}

/// Tensor ranks within a node of `node` GPUs, where more than 8 GPUs do not divide the attention heads: a GB200 NVL72
/// runs 9 replicas of 8 ranks, not 72 stages.
fn node_group(heads: Option<u64>, gpus: u64, node: u64) -> Option<u64> {
    let heads = heads.filter(|heads| gpus > GPUS_OF_A_NODE && heads % gpus != 0)?;
    let mut groups = [node, GPUS_OF_A_NODE, 4].into_iter().filter(|&group| group <= node);
    groups.find(|&group| gpus.is_multiple_of(group) && heads.is_multiple_of(group))
}

/// A request with its defaults put in, and notes on them.
pub fn resolve<'a>(model: &'a ModelSpec, request: &'a Request) -> Result<(ResolvedRequest<'a>, Vec<Note>)> {
    let mut notes = model.notes.clone();
    let tokens = request.seq.unwrap_or_else(|| {
        let tokens = model.max_position.unwrap_or(DEFAULT_SEQ_CAP).min(DEFAULT_SEQ_CAP);
        notes.push(Note::new(
            "seq_default",
            say!(
                "--seq not given: {0} tokens, the model's maximum or {1}, whichever is less",
                tokens,
                DEFAULT_SEQ_CAP
            ),
        ));
        tokens
    });
    if let Some(max) = model.max_position.filter(|&max| tokens > max) {
        notes.push(Note::new(
            "beyond_max_position",
            say!("{0} tokens is beyond the {1} that the model is made for", tokens, max),
        ));
    }
    let has_cross =
        model.layers.iter().flat_map(|layer| &layer.stores).any(|store| store.extent == Extent::Source);
    let encoder_tokens = request.source_len.or(model.source_len).unwrap_or(DEFAULT_ENCODER_TOKENS);
    if has_cross && request.source_len.is_none() {
        notes.push(Note::new(
            "source_default",
            say!("--source-len not given: {0} encoder tokens", encoder_tokens),
        ));
    }
    let (engine, version) = engine::resolve(request.engine.as_ref())?;
    let mut parallel = request.parallel()?;
    let node = gpus_of_a_node(request, parallel.gpus())?;
    let groups = if request.gpus.is_none() { engine.attention_groups(parallel, node) } else { 1 };
    if groups > 1 && parallel.attention_groups == 1 {
        notes.push(Note::new(
            "dp_as_attention",
            say!(
                "--dp {0} as groups of data-parallel attention within --tp {1} (--dp-attention on): {2} runs no replicas over several nodes",
                parallel.dp,
                parallel.tp,
                engine.id()
            ),
        ));
        let one = Parallel::new(parallel.tp, parallel.pp, 1, parallel.dcp)?;
        parallel = one.with_attention_groups(groups)?;
    }
    if request.gpus.is_some()
        && request.tp.is_none()
        && let Some(tp) = node_group(model.attention_heads, parallel.tp, node)
    {
        let groups = parallel.tp / tp;
        parallel = Parallel::new(tp, parallel.pp, parallel.dp * groups, parallel.dcp)?;
        notes.push(Note::new("gpus_as_replicas", say!("--gpus as --tp {0} --dp {1}", tp, parallel.dp)));
    } else if request.gpus.is_some()
        && request.tp.is_none()
        && model.attention_heads.is_some_and(|heads| heads % parallel.tp != 0)
    {
        parallel = parallel.as_stages();
        notes.push(Note::new(
            "gpus_as_pipeline",
            say!("--gpus as {0} pipeline stages: the attention heads do not divide by it", parallel.pp),
        ));
    } else if request.gpus.is_some() && request.tp.is_none() && parallel.tp > 1 {
        notes.push(Note::new("gpus_as_tensor", say!("--gpus as tensor parallelism: --tp {0}", parallel.tp)));
    }
    #[cfg(feature = "lists")]
    notes.extend(unequal(request, engine.id())?);
    let run = ResolvedRequest { model, request, tokens, encoder_tokens, parallel, engine, version };
    check_parallel(&run)?;
    flag_support::check(&run)?;
    notes.extend(flag_support::notes(&run));
    Ok((run, notes))
}

/// The note on GPUs that are named one by one.
///
/// # Errors
/// llama.cpp, which divides layers by the memory of each device (`--tensor-split`).
#[cfg(feature = "lists")]
fn unequal(request: &Request, engine: &str) -> Result<Option<Note>> {
    let Some(device) = request.gpu.as_ref().filter(|device| device.several().is_some()) else {
        return Ok(None);
    };
    if engine == "llama.cpp" {
        let reason = words!("unequal devices, over which it divides layers by memory (--tensor-split)");
        let way_out = words!("name one GPU, the smallest for an answer that holds");
        return Err(Error::refused(Code::EngineNotRestatedUnequal, reason).about("--gpu").way_out(way_out));
    }
    let memory = human_bytes(device.memory_bytes);
    let text = say!(
        "{0}: ranks hold equal shares, so each is planned with the least memory, {1}",
        device.id,
        memory
    );
    Ok(Some(Note::new("unequal_gpus", text)))
}

/// Bytes kept free on each GPU.
pub fn reserve(request: &Request) -> u64 {
    request.reserve.unwrap_or(DEFAULT_RESERVE)
}

/// The allocation of a changed request; `None` where the engine or the model refuses it.
pub(crate) fn try_allocate<'a>(
    model: &'a ModelSpec,
    request: &'a Request,
) -> Option<(ResolvedRequest<'a>, Box<dyn Allocation + 'a>)> {
    let (run, _) = resolve(model, request).ok()?;
    let allocation = run.engine.allocate(run).ok()?;
    Some((run, allocation))
}
