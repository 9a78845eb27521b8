//! The share of a GPU's memory for weights and pools, and the prefill chunk, by the GPU's size
//! (`arg_groups/memory_hook.py`, `handle_gpu_memory_settings`).
//!
//! The engine keeps free:
//!
//! - 512 MiB; 1.5 MiB for each token of a prefill chunk; 128 MiB for each GPU of the replica; 2 MiB for each
//!   request of the largest decode graph;
//! - 8 MiB for each prefill graph, or 1.5 GiB in all where the class stores latents; none for most multimodal
//!   models and under pipeline parallelism;
//! - at least 10 GiB on a GPU of more than 60 GiB;
//! - more for models with a vision tower, by its size.

use super::classes;
use crate::engine::ResolvedRequest;
use crate::spec::model::nested;
use crate::units::Ratio;

const MIB: u64 = 1 << 20;

/// Tokens of a prefill chunk, and requests of the largest decode graph.
fn sizes(memory: u64, tp: u64) -> (u64, u64) {
    let by_tp = |few: u64, many: u64| if tp < 4 { few } else { many };
    match memory / 1024 {
        0..20 => (2048, 8),
        20..35 => (4096, by_tp(48, 160)),
        35..60 => (4096, by_tp(32, 160)),
        60..90 => (8192, by_tp(256, 512)),
        90..160 => (8192, by_tp(256, 512)),
        _ => (16384, 512),
    }
}

/// MiB of the GPU; an H100's where none is named.
fn memory(run: &ResolvedRequest<'_>) -> u64 {
    run.request.gpu.as_ref().map_or(81_559, |gpu| gpu.memory_bytes / MIB)
}

/// `chunked_prefill_size`.
pub(super) fn chunk(run: &ResolvedRequest<'_>) -> u64 {
    run.request.max_num_batched_tokens.unwrap_or_else(|| sizes(memory(run), run.parallel.tp).0)
}

/// How many prefill graphs are captured for up to `most` tokens (`generate_prefill_cuda_graph_batch_sizes`).
fn graphs(most: u64) -> u64 {
    let steps = [
        (4, 32, 4),
        (48, 256, 16),
        (288, 512, 32),
        (576, 1024, 64),
        (1280, 4096, 256),
        (4608, u64::MAX, 512),
    ];
    let counted = |(first, last, step): (u64, u64, u64)| (last.min(most) + step).saturating_sub(first) / step;
    steps.into_iter().map(counted).sum()
}

/// `mem_fraction_static`, in thousandths.
pub(super) fn fraction(run: &ResolvedRequest<'_>) -> Ratio {
    let parallel = run.parallel;
    let memory = memory(run);
    let (_, decode) = sizes(memory, parallel.tp);
    let decode = run.request.max_num_seqs.map_or(decode, |requests| requests.min(decode));
    let chunk = chunk(run);
    let class = run.model.architecture.as_str();
    let captured = parallel.pp == 1 && (!is_multimodal(run) || classes::captures_prefill(class));
    let prefill = match (captured && !classes::is_v4(class), classes::stores_latents(class)) {
        (false, _) => 0,
        (true, true) => 1536,
        (true, false) => graphs(chunk) * 8,
    };
    let kept = 512 + chunk.max(2048) * 3 / 2 + parallel.tp * parallel.pp * 128 + decode * 2 + prefill;
    let kept = if memory > 60 * 1024 { kept.max(10 * 1024) } else { kept };
    let free = memory.saturating_sub(kept);
    let thousandths = (free * 2000 / memory.max(1)).div_ceil(2).max(1);
    vision(run, thousandths)
}

/// Whether the engine loads more than the language model. A few classes load their towers only when asked to
/// (`mm_disabled_models`).
pub(super) fn is_multimodal(run: &ResolvedRequest<'_>) -> bool {
    let model = run.model;
    let towers = ["vision_config", "audio_config"].iter().any(|key| nested(&model.config, key).is_some());
    (towers || model.text_key.is_some()) && !classes::reads_text_only(&model.architecture)
}

/// `adjust_mem_fraction_for_vlm`: the fraction × 0.95 × a factor between 0.8 and 1.05, to twelve decimals. The
/// factor is 1.1 less a tenth of the tower's size, layers × width² in units of ViT-L/14's.
fn vision(run: &ResolvedRequest<'_>, thousandths: u64) -> Ratio {
    let plain = Ratio::decimal(thousandths, 3);
    let tower = nested(&run.model.config, "vision_config").filter(|_| is_multimodal(run));
    let Some(tower) = tower else { return plain };
    let number =
        |keys: [&str; 2], usual: u64| keys.iter().find_map(|key| tower.get(*key)?.as_u64()).unwrap_or(usual);
    let layers = number(["num_hidden_layers", "vt_num_hidden_layers"], 24);
    let width = number(["hidden_size", "vt_hidden_size"], 1024);
    let unit = 24 * 1024 * 1024_u128;
    let size = u128::from(layers).saturating_mul(u128::from(width).pow(2)).min(11 * unit);
    // in twentieths of a unit 1.1 is 22, and a tenth of the size is 2 × size
    let factor = (22 * unit - 2 * size).clamp(16 * unit, 21 * unit);
    // thousandths × hundredths × twentieths, in units of 10⁻¹²
    let parts = u128::from(thousandths) * 95 * factor * 10_000_000 / (20 * unit);
    Ratio::decimal(u64::try_from(parts).unwrap_or(0).max(1), 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `generate_prefill_cuda_graph_batch_sizes(8192)` has 58 entries.
    #[test]
    fn graphs_are_counted_as_the_engine_lists_them() {
        // 8 + 14 + 8 + 8 + 12 = 50 up to 4,096, and (8192 − 4608) / 512 + 1 = 8 more
        assert_eq!(graphs(8192), 58);
        assert_eq!(graphs(4096), 50);
        assert_eq!(graphs(2048), 8 + 14 + 8 + 8 + 4);
    }
}
