//! What stands on a device beside the cache and the compute buffer.
//!
//! `load_tensors` of `src/llama-model.cpp` puts the input's tables on the host (`LLM_TENSOR_LAYER_INPUT`) and layer `i` of
//! `n` on device `i × devices / (n + 1)`, the output counting as one more; an output that is the table of tokens is loaded
//! once more for it (`TENSOR_DUPLICATED`). `--fit` (`common_params_fit_impl`) wants a margin free on every device. Encoders come in
//! a file of their own (`--mmproj`) and are not counted.

use crate::engine::memory::{BeforeCache, CENT, MemoryPart, PartKind, figures};
use crate::engine::{ResolvedRequest, ranks};
use crate::error::Result;
use crate::text::Words;
use crate::units::{product, sum};

figures! {
    /// The CUDA context of a process without PyTorch, kernels and cuBLAS included.
    DRIVER = 45 * CENT, 25 * CENT, "0c1e57098", "an estimate: 0.3 to 0.7 GiB by the card and the driver", [];
    /// What is left free on every device.
    MARGIN = 1 << 30, 0, "0c1e57098", "log of b10434: common_params_fit_impl leaves at least 1024 MiB of a device", [];
}

const WEIGHTS: Words = words!("weight bytes");

/// Parts of the input, on the host.
const INPUT: &str = "embeddings";
/// Parts that stand beside the language model, in a file of their own.
const BESIDE: [&str; 3] = ["audio", "projector", "vision"];

/// The parts on the fullest device of each pipeline stage; none where no GPU is named.
pub(super) fn of(run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
    let Some(device) = &run.request.gpu else { return Ok(None) };
    let tp = run.parallel.tp.max(1) as usize;
    let devices = devices(run)?;
    let stages = devices.chunks(tp).map(|devices| {
        let held = devices.iter().copied().max().unwrap_or(0);
        let weights = MemoryPart::exact(PartKind::Weights, held);
        match run.request.reserve {
            Some(reserve) => vec![weights, MemoryPart::exact(PartKind::Reserve, reserve)],
            None => vec![weights, DRIVER.part(PartKind::Driver), MARGIN.part(PartKind::Margin)],
        }
    });
    Ok(Some(BeforeCache { total_bytes: device.torch_memory(), stages: stages.collect() }))
}

/// Weights on every device.
fn devices(run: &ResolvedRequest<'_>) -> Result<Vec<u64>> {
    let model = run.model;
    let count = product(words!("number of GPUs"), &[run.parallel.tp, run.parallel.pp])?;
    let mut devices = vec![0_u64; count as usize];
    let layers = model.config_layers.max(1);
    let last = count.saturating_sub(1);
    let at = |layer: u64| (layer.saturating_mul(count) / (layers + 1)).min(last);
    let mut add = |device: u64, bytes: u64| -> Result<()> {
        if let Some(held) = devices.get_mut(device as usize) {
            *held = sum(WEIGHTS, [*held, bytes])?;
        }
        Ok(())
    };
    let tied = !model.parts.iter().any(|part| part.name == "head");
    if model.modules.is_empty() {
        // a file tells bytes by part: those of layers are taken to be alike
        let of = |wanted: &dyn Fn(&str) -> bool| {
            sum(WEIGHTS, model.parts.iter().filter(|part| wanted(part.name)).map(|part| part.bytes))
        };
        let output = of(&|name| name == "head" || tied && name == INPUT)?;
        let repeating = of(&|name| name != "head" && name != INPUT)?;
        for layer in 0..layers {
            let upto = |layer: u64| u128::from(repeating) * u128::from(layer) / u128::from(layers);
            add(at(layer), u64::try_from(upto(layer + 1) - upto(layer)).unwrap_or(u64::MAX))?;
        }
        add(last, output)?;
        return Ok(devices);
    }
    for module in model.modules.iter().filter(|module| !BESIDE.contains(&module.part)) {
        match module.layer {
            Some(layer) => add(at(layer), ranks::loaded(run, module)?)?,
            None if module.part != INPUT => add(last, ranks::loaded(run, module)?)?,
            None if tied && ranks::is_vocabulary(module) => add(last, ranks::loaded(run, module)?)?,
            None => {}
        }
    }
    Ok(devices)
}
