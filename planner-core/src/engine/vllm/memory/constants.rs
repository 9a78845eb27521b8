//! Measured constants: figures of this folder that the engine's code does not say, with their sources.

use crate::engine::memory::{CENT, figures};

figures! {
    /// Hundredths of a byte for each logit while the first runner's sampler sorts.
    SORTED_LOGIT = 3803, 10, "to 0.16",
        "logs; logits, their copy in f32, sorted values, 8-byte indices, probabilities and their sums in vllm/v1/sample", ["0.16.0-qwen3-14b"];
    /// The same where a Triton kernel finds the top k: bf16 logits, two f32 copies, and probabilities.
    V1_LOGIT = 1400, 10, "0.17 to 0.28", "vllm/v1/sample/sampler.py", ["0.19.0-llama3.1-8b-8192", "0.19.0-gemma2-2b-8192"];
    /// The same in the second runner, which profiles bf16 logits alone.
    V2_LOGIT = 200, 10, "0.25 to 0.32", "vllm/v1/worker/gpu/model_runner.py, _dummy_sampler_run", [];
    /// The same where the second runner also warms every option up: an f32 copy and probabilities as well.
    V2_WARM_LOGIT = 1000, 400, "0.33", "vllm/v1/worker/gpu/model_runner.py of 0.33.0; no log yet", [];
    /// Hundredths of a byte for each logit in the penalties' counts and masks.
    V2_COUNT = 413, 0, "from 0.27", "vllm/v1/worker/gpu/sample/penalties.py: 4 bytes and a bit", [];
    /// Hidden states at the peak of a layer's forward, in hundredths.
    FORWARD_HIDDEN = 425, 25, "0.19", "logs", ["0.19.0-llama3.1-8b-8192"];
    /// cuBLAS workspace on Hopper and on Blackwell of data centres.
    CUBLAS_LARGE = 32 << 20, 0, "all", "PyTorch, aten/src/ATen/cuda/CublasHandlePool.cpp", [];
    /// cuBLAS workspace on other GPUs.
    CUBLAS_SMALL = 8519680, 0, "all", "PyTorch, aten/src/ATen/cuda/CublasHandlePool.cpp", [];
    /// Memory outside PyTorch's allocator, on one data centre GPU.
    OUTSIDE_ONE = 25 * CENT, 21 * CENT, "from 0.18", "logs", ["0.19.0-llama3.1-8b-8192"];
    /// The same, in older releases.
    OUTSIDE_ONE_LEAN = 13 * CENT, 4 * CENT, "0.11 to 0.17", "logs", ["0.16.0-qwen3-14b"];
    /// The same, on a pipeline rank without tensor parallelism.
    OUTSIDE_PIPELINE = 7 * CENT, CENT, "0.19", "logs", ["0.19.0-llama3.1-8b-pp2-8192"];
    /// The same, on two GPUs with NVLink: NCCL, and buffers of the all-reduce kernels.
    OUTSIDE_TWO = 207 * CENT, 3 * CENT, "from 0.18", "logs", ["0.19.0-llama3.1-8b-tp2-8192"];
    /// The same, on four GPUs or more.
    OUTSIDE_FOUR = 215 * CENT, 6 * CENT, "from 0.18", "logs", ["0.19.0-llama3.1-8b-tp4-8192"];
    /// The same, on several GPUs in older releases.
    OUTSIDE_SEVERAL_LEAN = 55 * CENT, 20 * CENT, "0.11 to 0.17", "logs", [];
    /// The same, on one workstation or small data centre card.
    OUTSIDE_CARD = 8 * CENT, 4 * CENT, "all", "logs of 24 GB cards", [];
    /// The same, on a card before Ampere (T4).
    OUTSIDE_TURING = 4 * CENT, 2 * CENT, "all", "logs of T4", [];
    /// The same, on several cards without NVLink.
    OUTSIDE_CARDS = 70 * CENT, 50 * CENT, "from 0.18", "logs", ["0.28.0-gpt-oss-120b-tp8"];
    /// The same, in older releases.
    OUTSIDE_CARDS_LEAN = 21 * CENT, 10 * CENT, "to 0.17", "logs of L40S, tp 4", [];
    /// Margin where a release measures by free memory (`total_consumed`): no log yet.
    OUTSIDE_UNSEEN = 30 * CENT, 0, "from 0.27", "vllm/utils/mem_utils.py of 0.33.0; a margin, not a figure", [];
    /// The first CUDA graph.
    FIRST_GRAPH = 12 * CENT, 10 * CENT, "from 0.18", "logs", ["0.19.0-llama3.1-8b-8192"];
    /// Bytes of each layer in every further piecewise graph.
    PIECEWISE_LAYER = 17 * (1 << 20) / 100, (1 << 20) / 20, "from 0.18", "logs", ["0.19.0-llama3.1-8b-8192"];
    /// The same, on several GPUs.
    PIECEWISE_LAYER_TP = (1 << 20) / 4, (1 << 20) / 10, "from 0.18", "logs", ["0.19.0-llama3.1-8b-tp2-8192"];
    /// Bytes of each layer in every further full graph.
    FULL_LAYER = 15 * (1 << 20) / 100, (1 << 20) / 20, "from 0.18", "logs", ["0.19.0-llama3.1-8b-8192"];
    /// How far the estimate of all graphs differs from the engine's own.
    GRAPHS = 0, 15 * CENT, "0.18 to 0.28", "logs: the engine's own estimate differs by as much between equal runs", [];
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn every_figure_has_a_source() {
        assert!(ALL.iter().all(|constant| !constant.source.is_empty() && !constant.releases.is_empty()));
    }
}
