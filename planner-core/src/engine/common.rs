//! What several engines' rules share: the dtypes of a request, stores by class of layers, one GPU's part of a
//! store.

use super::ResolvedRequest;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::parallel::heads_per_rank;
use crate::request::Request;
use crate::spec::layer::{Content, Layer, LayerClass, Store, classes};
use crate::spec::model::ModelSpec;
use crate::units::{product, sum};

/// The dtypes of keys and values that a request asks for.
pub fn kv_dtypes(request: &Request, auto: DType) -> Result<(DType, DType)> {
    let both = request.kv_dtype.as_deref();
    let one = |flag: &str, own: Option<&str>| match own.or(both) {
        Some(name) => DType::parse(if own.is_some() { flag } else { "--kv-dtype" }, name),
        None => Ok(auto),
    };
    Ok((one("--k-dtype", request.k_dtype.as_deref())?, one("--v-dtype", request.v_dtype.as_deref())?))
}

/// Every store that an engine keeps, class by class, with the number of layers in the class.
pub(super) fn kept<'a>(layers: &'a [Layer], engine: &'static str) -> impl Iterator<Item = (u64, &'a Store)> {
    let stores = |class: LayerClass<'a>| class.stores.iter().map(move |store| (class.layers, store));
    classes(layers).into_iter().flat_map(stores).filter(move |(_, store)| store.is_kept_by(engine))
}

/// The part of a store that one GPU of a tensor-parallel group keeps.
pub(super) fn share(store: &Store, tp: u64) -> Store {
    let mut share = store.clone();
    match &mut share.content {
        Content::KeysValues { heads, .. } | Content::Cross { heads, .. } => {
            *heads = heads_per_rank(*heads, tp)
        }
        Content::State { conv, recurrent, .. } => {
            *conv = conv.div_ceil(tp);
            *recurrent = recurrent.div_ceil(tp);
        }
        Content::Latent { .. } | Content::IndexKey { .. } => {}
    }
    share
}

/// Routed experts of a layer.
pub fn routed_experts(model: &ModelSpec) -> Option<u64> {
    model.modules.iter().filter(|module| module.part == "experts").map(|module| module.count).max()
}

/// Experts on one of `ranks`, copies included: the first ranks hold one more where they do not divide.
pub fn experts_per_rank(run: &ResolvedRequest<'_>, experts: u64, ranks: u64) -> u64 {
    experts.saturating_add(run.request.redundant_experts.unwrap_or(0)).div_ceil(ranks.max(1))
}

/// Weights of one GPU where every matrix is divided evenly; experts as `--ep` shares them out.
///
/// # Errors
/// Sums beyond 64 bits.
pub fn even_weights(run: &ResolvedRequest<'_>) -> Result<u64> {
    let (model, parallel) = (run.model, run.parallel);
    let pp = parallel.pp.max(1);
    let ranks = product(words!("number of GPUs"), &[parallel.tensor_ranks(), pp])?.max(1);
    let bytes =
        |name: &str| model.parts.iter().filter(|part| part.name == name).map(|part| part.bytes).sum::<u64>();
    let mut rest = model.weight_bytes;
    let mut own = 0;
    if parallel.attention_groups > 1 {
        // each group holds attention whole
        let attention = bytes("attention").min(rest);
        rest -= attention;
        own = attention.div_ceil(product(words!("number of GPUs"), &[parallel.tp, pp])?.max(1));
    }
    if let (Some(group), Some(experts)) = (run.expert_ranks(), routed_experts(model)) {
        let routed = bytes("experts").min(rest);
        rest -= routed;
        let each = routed.div_ceil(product(words!("weight bytes"), &[experts, pp])?.max(1));
        let held = product(words!("weight bytes"), &[each, experts_per_rank(run, experts, group)])?;
        own = sum(words!("weight bytes"), [own, held])?;
    }
    sum(words!("weight bytes"), [own, rest.div_ceil(ranks)])
}

/// Refuses a tensor parallel size that does not divide the attention heads.
pub fn check_parallel(run: &ResolvedRequest<'_>) -> Result<()> {
    let Some(heads) = run.model.attention_heads else { return Ok(()) };
    let tp = run.parallel.tp;
    // vLLM's rule refuses such a size itself, with the engine's own reason
    if heads % tp != 0 && run.engine.id() != "vllm" {
        return Err(Error::bad_value(
            "--tp",
            tp,
            say!("a divisor of the model's {0} attention heads", heads),
        ));
    }
    Ok(())
}
