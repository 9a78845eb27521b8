//! Releases of vLLM, and the rules that differ between them.
//!
//! A rule that is not listed here is that of 0.33.0 in every release. Each boundary was read in the code of the
//! releases on both sides of it, or seen in start-up logs where its rule says so.

/// Known releases; the first is the default. A minor release stands for its last patch.
pub const VERSIONS: &[&str] = &[
    "0.33.0", "0.33", "0.32.0", "0.32", "0.31.0", "0.31", "0.30.0", "0.30", "0.29.0", "0.29", "0.28.0",
    "0.28", "0.27.1", "0.27.0", "0.27", "0.26.0", "0.26", "0.25.1", "0.25.0", "0.25", "0.24.0", "0.24",
    "0.23.0", "0.23", "0.22.1", "0.22.0", "0.22", "0.21.0", "0.21", "0.20.2", "0.20.1", "0.20.0", "0.20",
    "0.19.1", "0.19.0", "0.19", "0.18.1", "0.18.0", "0.18", "0.17.1", "0.17.0", "0.17", "0.16.0", "0.16",
    "0.15.1", "0.15.0", "0.15",
];

/// A release: minor and patch number of `0.MINOR.PATCH`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64, u64);

/// A range of releases, both ends included, in which a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    first: Version,
    last: Version,
}

impl Span {
    /// From the oldest known release to 0.MINOR.PATCH.
    pub const fn until(minor: u64, patch: u64) -> Self {
        Self { first: Version(0, 0), last: Version(minor, patch) }
    }

    /// From 0.MINOR.PATCH on.
    pub const fn since(minor: u64, patch: u64) -> Self {
        Self { first: Version(minor, patch), last: Version(u64::MAX, 0) }
    }
}

impl Version {
    /// The release of one of [`VERSIONS`]; any other text is the newest release.
    pub fn of(text: &str) -> Self {
        let is_patch = |known: &&&str| known.strip_prefix(text).is_some_and(|patch| patch.starts_with('.'));
        let full = VERSIONS.iter().find(is_patch).copied().unwrap_or(text);
        let mut numbers = full.split('.').skip(1).map(|number| number.parse().ok());
        match (numbers.next().flatten(), numbers.next().flatten()) {
            (Some(minor), Some(patch)) => Self(minor, patch),
            _ => Self(33, 0),
        }
    }

    /// Whether a rule holds in this release.
    pub fn is_in(self, rule: Span) -> bool {
        (rule.first..=rule.last).contains(&self)
    }
}

/// `gpu_memory_utilization` is 0.90 by default; it is 0.92 from 0.20 on (`vllm/config/cache.py`).
pub const NINE_TENTHS: Span = Span::until(19, u64::MAX);

/// The logged "GPU KV cache size" is blocks ÷ groups × block size. From 0.20.1 on it is concurrency ×
/// `max_model_len` (`_report_kv_cache_config` of `vllm/v1/core/kv_cache_utils.py`).
pub const TOKENS_BY_GROUP: Span = Span::until(20, 0);

/// Windows and chunks have room for one batch of tokens. From 0.26 on they have it for every batch in flight
/// (`VllmConfig.max_in_flight_tokens`).
pub const ONE_BATCH_IN_FLIGHT: Span = Span::until(25, u64::MAX);

/// KDA layers: a checkpoint inside a prefill takes one more block of states.
pub const KDA_CHECKPOINT: Span = Span::since(29, 0);

/// Mamba-2 layers: the same.
pub const MAMBA2_CHECKPOINT: Span = Span::since(32, 0);

/// Gated delta nets: the same, and their blocks are then multiples of 64 tokens.
pub const GDN_CHECKPOINT: Span = Span::since(33, 0);

/// DeepSeek-V4's layers of all groups share tensors that hold the largest page of each size
/// (`_get_kv_cache_config_deepseek_v4` of `vllm/v1/core/kv_cache_utils.py`); from 0.23 on pages are packed.
pub const DEEPSEEK_V4_TUPLES: Span = Span::until(22, u64::MAX);

/// Prefix caching is switched off by `--no-enable-prefix-caching`; 0.33 calls it `--disable-prefix-caching`.
pub const NO_ENABLE_FLAGS: Span = Span::until(32, u64::MAX);

/// From 160 GiB on a step takes 16,384 tokens instead of 8,192 (`get_batch_defaults` of
/// `vllm/engine/arg_utils.py`): seen in 0.29.0, not in 0.27.1.
pub const LARGE_STEPS: Span = Span::since(29, 0);

/// The profiled step warms the sampler up with all its options (`_dummy_sampler_run` of
/// `vllm/v1/worker/gpu/model_runner.py`): seen in 0.33.0, not in 0.31.0.
pub const WARM_SAMPLER: Span = Span::since(33, 0);

/// All models run on the second model runner by default (`use_v2_model_runner` of `vllm/config/vllm.py`).
pub const V2_RUNNER: Span = Span::since(29, 0);

/// Dense models and some others do.
pub const V2_RUNNER_FOR_DENSE: Span = Span { first: Version(25, 0), last: Version(28, u64::MAX) };

/// Qwen3 without experts and without quantized weights does: read in 0.22.1 alone.
pub const V2_RUNNER_FOR_QWEN3: Span = Span { first: Version(22, 0), last: Version(24, u64::MAX) };

/// The first runner's sampler sorts the logits. From 0.17 on a Triton kernel finds the top k
/// (`apply_top_k_top_p` of `vllm/v1/sample/ops/topk_topp_sampler.py`).
pub const SORTING_SAMPLER: Span = Span::until(16, u64::MAX);

/// Less memory is outside PyTorch's allocator: 0.13 GiB on an H100, by start-up logs of 0.11 and 0.16; those
/// from 0.18 on show more.
pub const LEAN_OUTSIDE_TORCH: Span = Span::until(17, u64::MAX);

/// The estimate of CUDA graphs is subtracted from the room (`VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS` of
/// `vllm/envs.py`).
pub const GRAPHS_DEDUCTED: Span = Span::since(20, 0);

/// The second runner estimates its graphs; before, its estimate is 0 (`profile_cudagraph_memory`).
pub const V2_GRAPHS: Span = Span::since(29, 0);

/// The second runner keeps the counts of penalties on the GPU.
pub const V2_PENALTY_COUNTS: Span = Span::since(27, 0);

/// No start-up log that prints the parts of memory has been compared yet.
pub const UNSEEN: Span = Span::since(27, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minor_release_is_its_last_patch() {
        assert_eq!(Version::of("0.20"), Version(20, 2));
        assert_eq!(Version::of("0.20.0"), Version(20, 0));
        assert_eq!(Version::of("0.27"), Version(27, 1));
        assert_eq!(Version::of("0.33"), Version::of(VERSIONS[0]));
    }

    #[test]
    fn every_minor_release_stands_behind_its_patches() {
        let all: Vec<Version> = VERSIONS.iter().map(|text| Version::of(text)).collect();
        for (text, pair) in VERSIONS.iter().zip(all.windows(2)) {
            let is_minor = text.split('.').count() == 2;
            assert!(pair[0] > pair[1] || !is_minor, "{text}");
        }
    }

    #[test]
    fn a_rule_holds_at_both_its_ends() {
        let holds = |text: &str| Version::of(text).is_in(ONE_BATCH_IN_FLIGHT);
        assert!(holds("0.15.0") && holds("0.25.1") && !holds("0.26.0") && !holds("0.33"));
        assert!(
            Version::of("0.20.0").is_in(TOKENS_BY_GROUP) && !Version::of("0.20.1").is_in(TOKENS_BY_GROUP)
        );
        assert!(!Version::of("0.32").is_in(GDN_CHECKPOINT) && Version::of("0.33.0").is_in(GDN_CHECKPOINT));
    }
}
