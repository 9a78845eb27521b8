//! The architecture itself: what the model's definition needs kept, without any engine's rounding.
//!
//! Full layers keep a row per token, sliding and chunked layers at most their window, latent layers
//! one latent, states once per session. Under tensor parallelism a GPU keeps its share of the KV
//! heads (at least one) and of the states; latents and index keys are whole on every GPU.

use super::{Engine, Layout, Run};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::parallel::{heads_per_rank, stage_slices};
use crate::request::Request;
use crate::spec::layer::{Content, Layer, Store};
use crate::units::{product, sum};

/// The rule of no engine.
#[derive(Debug)]
pub struct Architecture;

impl Engine for Architecture {
    fn id(&self) -> &'static str {
        "architecture"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["1"]
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &["dcp"]
    }

    fn one_kv_dtype(&self) -> bool {
        false
    }

    fn layout<'a>(&self, run: Run<'a>) -> Result<Box<dyn Layout + 'a>> {
        Ok(Box::new(Needed::new(run, kv_dtypes(run.request, run.model.dtype)?)))
    }
}

/// The dtypes of keys and values that a request asks for.
pub fn kv_dtypes(request: &Request, auto: DType) -> Result<(DType, DType)> {
    let both = request.kv_dtype.as_deref();
    let one = |flag: &str, own: Option<&str>| match own.or(both) {
        Some(name) => DType::parse(if own.is_some() { flag } else { "--kv-dtype" }, name),
        None => Ok(auto),
    };
    Ok((one("--k-dtype", request.k_dtype.as_deref())?, one("--v-dtype", request.v_dtype.as_deref())?))
}

/// Layers that keep the same: how many, and what each keeps.
type Group<'a> = (u64, &'a [Store]);

/// What the definition keeps.
pub struct Needed<'a> {
    run: Run<'a>,
    k: DType,
    v: DType,
    groups: Vec<Group<'a>>,
}

impl<'a> Needed<'a> {
    fn new(run: Run<'a>, (k, v): (DType, DType)) -> Self {
        Self { run, k, v, groups: grouped(&run.model.layers) }
    }

    /// The definition beside an engine's answer: in the request's dtypes, or in the model's where
    /// the request names a layout that only the engine knows.
    pub fn of_definition(run: Run<'a>) -> Result<Self> {
        let dtypes = match kv_dtypes(run.request, run.model.dtype) {
            Err(error) if run.request.engine.id() == Architecture.id() => return Err(error),
            dtypes => dtypes.unwrap_or((run.model.dtype, run.model.dtype)),
        };
        Ok(Self::new(run, dtypes))
    }

    /// How many layers keep the same, and what.
    pub fn groups(&self) -> &[(u64, &'a [Store])] {
        &self.groups
    }

    /// The dtypes of keys and values.
    pub fn dtypes(&self) -> (DType, DType) {
        (self.k, self.v)
    }

    /// Bytes of one session in all layers.
    pub fn bytes(&self, tokens: u64) -> Result<u64> {
        self.each(&self.groups, |store| store.session_bytes(tokens, self.run.source, self.k, self.v))
    }

    fn each(&self, groups: &[Group<'_>], bytes: impl Fn(&Store) -> Result<u64>) -> Result<u64> {
        let mut total = 0;
        for (layers, stores) in groups {
            for store in stores.iter().filter(|store| store.is_kept_by("architecture")) {
                total = sum(
                    words!("bytes of a session"),
                    [total, product(words!("bytes of a session"), &[bytes(store)?, *layers])?],
                )?;
            }
        }
        Ok(total)
    }
}

/// Layers that keep the same, wherever they stand.
pub(super) fn grouped(layers: &[Layer]) -> Vec<Group<'_>> {
    let mut groups: Vec<(u64, Group<'_>)> = Vec::new();
    for layer in layers {
        match groups.iter_mut().find(|(same, _)| *same == layer.same) {
            Some((_, (count, _))) => *count += 1,
            None => groups.push((layer.same, (1, &layer.stores))),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// What an engine keeps in some layers: how many layers keep the same, and each store of them.
pub(super) fn kept<'a>(layers: &'a [Layer], engine: &'static str) -> impl Iterator<Item = (u64, &'a Store)> {
    let stores = |(count, stores): Group<'a>| stores.iter().map(move |store| (count, store));
    grouped(layers).into_iter().flat_map(stores).filter(move |(_, store)| store.is_kept_by(engine))
}

/// What one GPU of a tensor-parallel group keeps of a store.
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

impl Layout for Needed<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.bytes(tokens)
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        let layers = &self.run.model.layers;
        let parallel = self.run.parallel;
        let held = tokens.div_ceil(parallel.dcp);
        let mut result = Vec::new();
        for own in stage_slices(layers, parallel.pp) {
            let session = self.each(&grouped(own), |store| {
                share(store, parallel.tp).session_bytes(held, self.run.source, self.k, self.v)
            })?;
            result.push(product(words!("bytes of all sessions"), &[session, users])?);
        }
        Ok(result)
    }

    fn floor_bytes(&self) -> Result<u64> {
        self.bytes(0)
    }
}

/// Refuses sizes that no engine could divide this model by.
pub fn check_parallel(run: &Run<'_>) -> Result<()> {
    let Some(heads) = run.model.attention_heads else { return Ok(()) };
    let tp = run.parallel.tp;
    // vLLM's rule refuses such sizes itself, as input that the engine does not take
    if heads % tp != 0 && run.request.engine.id() != "vllm" {
        return Err(Error::bad_value(
            "--tp",
            tp,
            say!("a divisor of the model's {0} attention heads", heads),
        ));
    }
    Ok(())
}
