//! The model's definition as an engine: what each store needs, without any engine's rounding.
//!
//! A full layer keeps a row per token, a sliding or chunked layer at most its window. A latent layer keeps one
//! latent per token. A state is kept once per session. Under tensor parallelism a GPU has its share of the KV
//! heads (at least one) and of the states; latents and index keys are whole on every GPU.

use super::common::{kv_dtypes, share};
use super::{Allocation, Engine, ResolvedRequest};
use crate::dtype::DType;
use crate::error::Result;
use crate::parallel::stage_slices;
use crate::request::Request;
use crate::spec::layer::{LayerClass, Store, classes};
use crate::text::Words;
use crate::units::{product, sum};

/// The rule of the definition.
#[derive(Debug)]
pub struct Architecture;

impl Engine for Architecture {
    fn id(&self) -> &'static str {
        "architecture"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["1"]
    }

    fn allocates_for_users(&self) -> bool {
        false
    }

    fn rule(&self) -> Words {
        words!("what the definition needs, without any engine's rounding")
    }

    fn citation(&self) -> &'static str {
        ""
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &["dcp", "ep", "redundant-experts", "dp-attention"]
    }

    fn one_kv_dtype(&self) -> bool {
        false
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        Ok(Box::new(ReferenceCache::new(run, kv_dtypes(run.request, run.model.dtype)?)))
    }
}

/// The cache by the model's definition.
pub struct ReferenceCache<'a> {
    run: ResolvedRequest<'a>,
    k: DType,
    v: DType,
    classes: Vec<LayerClass<'a>>,
}

impl<'a> ReferenceCache<'a> {
    fn new(run: ResolvedRequest<'a>, (k, v): (DType, DType)) -> Self {
        Self { run, k, v, classes: classes(&run.model.layers) }
    }

    /// The definition beside an engine's answer, in the request's dtypes. Where the request names a cache type
    /// that only the engine knows, in the model's dtype.
    pub fn of_definition(run: ResolvedRequest<'a>) -> Result<Self> {
        let dtypes = match kv_dtypes(run.request, run.model.dtype) {
            Err(error) if run.engine.id() == Architecture.id() => return Err(error),
            dtypes => dtypes.unwrap_or((run.model.dtype, run.model.dtype)),
        };
        Ok(Self::new(run, dtypes))
    }

    /// The layers by class.
    pub fn classes(&self) -> &[LayerClass<'a>] {
        &self.classes
    }

    /// The dtypes of keys and values.
    pub fn dtypes(&self) -> (DType, DType) {
        (self.k, self.v)
    }

    /// Bytes of one session in all layers.
    pub fn bytes(&self, tokens: u64) -> Result<u64> {
        self.each(&self.classes, |store| store.session_bytes(tokens, self.run.encoder_tokens, self.k, self.v))
    }

    fn each(&self, classes: &[LayerClass<'_>], bytes: impl Fn(&Store) -> Result<u64>) -> Result<u64> {
        let mut total = 0;
        for class in classes {
            for store in class.stores.iter().filter(|store| store.is_kept_by("architecture")) {
                total = sum(
                    words!("bytes of a session"),
                    [total, product(words!("bytes of a session"), &[bytes(store)?, class.layers])?],
                )?;
            }
        }
        Ok(total)
    }
}

impl Allocation for ReferenceCache<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.bytes(tokens)
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        let layers = &self.run.model.layers;
        let parallel = self.run.parallel;
        let held = tokens.div_ceil(parallel.dcp);
        let mut result = Vec::new();
        for own in stage_slices(layers, parallel.pp) {
            let session = self.each(&classes(own), |store| {
                share(store, parallel.tp).session_bytes(held, self.run.encoder_tokens, self.k, self.v)
            })?;
            result.push(product(words!("bytes of all sessions"), &[session, users])?);
        }
        Ok(result)
    }

    fn min_session_bytes(&self) -> Result<u64> {
        self.bytes(0)
    }
}
