//! candle-transformers' own modules, compared with the `candle` engine.
//!
//! A module keeps its cache private. The heap's growth for two sessions less that for one is one session's
//! cache: position tables, tensor headers and buffers do not depend on the sessions and cancel. A module that
//! decodes one session only is run with elements of four bytes and of two instead. The module runs with weights
//! of zero and a narrowed configuration (`narrow`), and the engine is asked about that configuration, so both
//! must give equal bytes.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use planner_core::engine::report::{CandleReport, ReportKind};
use planner_core::engine::{self, ResolvedRequest, architecture::ReferenceCache};
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::source::from_config_json;
use planner_core::spec::model::ModelSpec;
use serde_json::{Map, Value as Json};

use crate::alloc;
use crate::report::ModuleReport;
use crate::{device, shape};

mod narrow;
mod table;

use table::Vary;

/// Tokens of the prompt.
const PROMPT: usize = 4;

/// Tokens at the end: more than the narrowed window, fewer than the narrowed positions.
pub const TOKENS: usize = 24;

/// Tokens of an encoder's input.
const SOURCE: usize = 20;

/// Feeds ids `[sessions, tokens]`, the first of them at a position.
pub type Step = Box<dyn FnMut(&Tensor, usize) -> Result<()>>;

/// Inputs of a module's constructor.
#[derive(Clone)]
pub struct BuildInput {
    /// The narrowed configuration, with keys that the module needs filled in.
    pub config: Map<String, Json>,
    /// All zero.
    pub weights: VarBuilder<'static>,
    /// Sessions in the batch.
    pub sessions: usize,
    /// Type of weights and cache.
    pub dtype: DType,
    /// An encoder's output, all zero.
    pub source: Tensor,
}

impl BuildInput {
    /// The configuration as a module's own type reads it.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(Json::Object(self.config.clone())).map_err(candle_core::Error::wrap)
    }

    /// A size of the configuration.
    pub fn size(&self, key: &str) -> Result<usize> {
        let value = self.config.get(key).and_then(Json::as_u64).and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(|| candle_core::Error::msg(format!("the configuration has no `{key}`")))
    }
}

/// Runs the module of a model alone, without measuring the plan.
pub fn own_module(model: &ModelSpec, request: &Request) -> planner_core::Result<Option<ModuleReport>> {
    report(&resolve(model, request)?.0)
}

/// Runs the module that the `candle` engine has for a model, in the planned type. `None` where the engine
/// refuses the plan, or where the module is not run here.
pub fn report(run: &ResolvedRequest<'_>) -> planner_core::Result<Option<ModuleReport>> {
    let (narrowed, whole) = narrow::config(run.model);
    let text = Json::Object(whole).to_string();
    let Ok(model) = from_config_json(&text, false) else { return Ok(None) };
    let mut request = run.request.clone();
    request.engine = Some(engine::CANDLE);
    request.seq = Some(TOKENS as u64);
    request.source_len = Some(SOURCE as u64);
    // The narrowed configuration may lack the type that the whole one has.
    let dtypes = ReferenceCache::of_definition(*run)?.dtypes();
    request.kv_dtype = request.kv_dtype.or(Some(dtypes.0.name.to_owned()));
    let Ok((run, _)) = resolve(&model, &request) else { return Ok(None) };
    // The engine's refusal of this plan is no failure of the measurement.
    let Ok(allocation) = run.engine.allocate(run) else { return Ok(None) };
    let ReportKind::Candle(CandleReport { module: name, .. }) = allocation.report(None)?.kind else {
        return Ok(None);
    };
    let Some((vary, build)) = table::of(&name) else { return Ok(None) };
    let predicted_bytes = allocation.session_bytes(TOKENS as u64)?;
    let dtype = shape::dtype(dtypes.0)?;
    let config = narrow::filled(narrowed, &model);
    let width = config.get("d_model").and_then(Json::as_u64).unwrap_or(1) as usize;
    let input = |sessions: usize, dtype: DType| -> Result<BuildInput> {
        Ok(BuildInput {
            config: config.clone(),
            weights: VarBuilder::zeros(dtype, &Device::Cpu),
            sessions,
            dtype,
            source: Tensor::zeros((sessions, SOURCE, width), dtype, &Device::Cpu)?,
        })
    };
    let (small, large) = match vary {
        Vary::Sessions => ((1, dtype), (2, dtype)),
        Vary::Dtypes => ((1, DType::F16), (1, DType::F32)),
    };
    let grown = || -> Result<(i128, u64)> {
        let run = |(sessions, dtype): (usize, DType)| heap_growth(build, input(sessions, dtype)?);
        // One run before any reading, so that buffers which threads keep exist already.
        run(large)?;
        run(small)?;
        let (one, transient) = run(small)?;
        let more = run(large)?.0 - one;
        let measured = match vary {
            Vary::Sessions => more,
            Vary::Dtypes => more / 2 * dtype.size_in_bytes() as i128,
        };
        Ok((measured, transient))
    };
    let (measured, transient_bytes) = grown().map_err(device::failed)?;
    Ok(Some(ModuleReport {
        name,
        layers: model.layers.len() as u64,
        tokens: TOKENS as u64,
        predicted_bytes,
        measured_bytes: u64::try_from(measured).unwrap_or(0),
        transient_bytes,
    }))
}

/// Builds a module and decodes. Returns the heap's growth, and the transient bytes of the last step.
fn heap_growth(build: table::Build, input: BuildInput) -> Result<(i128, u64)> {
    let sessions = input.sessions;
    let mut step = build(input)?;
    let before = alloc::live_bytes();
    let ids = |count: usize| Tensor::ones((sessions, count), DType::U32, &Device::Cpu);
    step(&ids(PROMPT)?, 0)?;
    let mut transient = 0;
    for at in PROMPT..TOKENS {
        let ids = ids(1)?;
        alloc::forget_peak();
        let start = alloc::live_bytes();
        step(&ids, at)?;
        let stays = (alloc::live_bytes() - start).max(0);
        transient = u64::try_from(alloc::peak_bytes() - stays).unwrap_or(0);
    }
    Ok((alloc::live_bytes() - before, transient))
}
