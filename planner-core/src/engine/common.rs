//! What several engines' rules share: the dtypes of a request, stores by class of layers, one GPU's part of a
//! store.

use super::ResolvedRequest;
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::parallel::heads_per_rank;
use crate::request::Request;
use crate::spec::layer::{Content, Layer, LayerClass, Store, classes};

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
