//! TensorRT-LLM 1.2 (PyTorch backend): whole blocks of 32 tokens, in a share of the memory that the weights
//! leave free.
//!
//! Read in its source, not run: `tensorrt_llm/_torch/pyexecutor/resource_manager.py`
//! (`KVCacheManager.__init__`, `calculate_max_num_blocks`, `get_cache_bytes_per_token`) and
//! `tensorrt_llm/llmapi/llm_args.py` (`KvCacheConfig`). In short:
//!
//! - A rank has `ceil(num_kv_heads / tp)` heads. MLA is one head of `kv_lora_rank + qk_rope_head_dim` without
//!   values, whole on every rank. A sparse indexer adds 128 B and a 4 B scale a token.
//! - `max_attention_window` is unset unless the user sets it, so window layers keep the whole session.
//! - `tokens_per_block` is 32; `free_gpu_memory_fraction` is 0.9 of the memory that is free at the peak of a step of
//!   `max_num_tokens` prompt tokens, which is run with the weights loaded (`KvCacheCreator._cal_max_memory` and
//!   `_create_dummy_context_requests` of `_torch/pyexecutor/_util.py`).

use serde_json::{Map, Value as Json};

use super::command::Command;
use super::common::kv_dtypes;
use super::flag_support;
use super::memory::{BeforeCache, CENT, Constant, MemoryPart, PartKind, figures};
use super::report::{EngineReport, Pool, TensorRtLlmReport};
use super::{Allocation, Engine, ResolvedRequest, ShareOf, Term, Unit, ranks, step, without_shared};
use crate::dtype::DType;
use crate::error::{Code, Error, Result};
use crate::parallel::{Parallel, heads_per_rank, stage_slices, stages};
use crate::request::Request;
use crate::spec::layer::{Content, Store};
use crate::spec::model::Note;
use crate::text::Words;
use crate::units::{Ratio, product, sum};

/// `KvCacheConfig.tokens_per_block`.
const TOKENS_PER_BLOCK: u64 = 32;
/// `indexer_k_cache_quant_block_size`: elements that share one f32 scale.
const INDEX_SCALE_BLOCK: u64 = 128;

/// `max_num_tokens` of `TorchLlmArgs`.
const MAX_NUM_TOKENS: u64 = 8192;

figures! {
    /// What is outside PyTorch at the peak on one GPU: CUDA context, workspaces of kernels, graphs.
    OUTSIDE_ONE = 100 * CENT, 80 * CENT, "1.2", "an estimate; no log yet", [];
    /// The same on several, with NCCL and the workspaces of the all-reduce kernels.
    OUTSIDE_SEVERAL = 250 * CENT, 150 * CENT, "1.2", "an estimate; no log yet", [];
}

/// The parts on a GPU of each pipeline stage at the peak of the step that is run; none where no GPU is named.
fn parts(run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
    let Some(device) = &run.request.gpu else { return Ok(None) };
    let layers = stages(run.model.config_layers, run.parallel.pp);
    let tokens = run.request.max_num_batched_tokens.unwrap_or(MAX_NUM_TOKENS);
    let longest = run.request.max_model_len.or(run.model.max_position).unwrap_or(tokens);
    let prompts = tokens.div_ceil(longest.clamp(1, tokens.max(1)));
    let states = product(step::ACTIVATION, &[tokens, step::token_bytes(run)?])?;
    let activation = sum(step::ACTIVATION, [states, step::logits(run.model, prompts)?])?;
    let outside = if run.parallel.tp * run.parallel.pp == 1 { OUTSIDE_ONE } else { OUTSIDE_SEVERAL };
    let of = |weights| {
        let weights = MemoryPart::exact(PartKind::Weights, weights);
        match run.request.reserve {
            Some(reserve) => vec![weights, MemoryPart::exact(PartKind::Reserve, reserve)],
            None => vec![
                weights,
                MemoryPart::estimate(PartKind::Activation, activation, activation / 2),
                outside.part(PartKind::OutsideTorch),
            ],
        }
    };
    let stages = ranks::weights(run, &layers, 0)?.into_iter().map(of).collect();
    Ok(Some(BeforeCache { total_bytes: device.torch_memory(), stages }))
}

/// TensorRT-LLM's rule.
#[derive(Debug)]
pub struct TensorRtLlm;

impl Engine for TensorRtLlm {
    fn id(&self) -> &'static str {
        "tensorrt-llm"
    }

    fn name(&self) -> &'static str {
        "TensorRT-LLM"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["1.2"]
    }

    fn allocates_for_users(&self) -> bool {
        false
    }

    fn utilization(&self, _: &ResolvedRequest<'_>) -> Ratio {
        Ratio::decimal(9, 1)
    }

    fn utilization_of(&self) -> ShareOf {
        ShareOf::FreeAfterWeights
    }

    fn before_cache(&self, run: &ResolvedRequest<'_>) -> Result<Option<BeforeCache>> {
        parts(run)
    }

    fn constants(&self) -> &'static [Constant] {
        ALL
    }

    fn rule(&self) -> Words {
        words!("whole blocks of 32 tokens out of the memory left after the weights")
    }

    fn citation(&self) -> &'static str {
        "tensorrt_llm/_torch/pyexecutor/resource_manager.py, _util.py, llmapi/llm_args.py"
    }

    fn expert_group(&self, parallel: Parallel) -> u64 {
        parallel.tensor_ranks()
    }

    fn reads(&self, _: &Request) -> &'static [&'static str] {
        &[
            "ep",
            "dp-attention",
            "block-size",
            "max-num-seqs",
            "max-num-batched-tokens",
            "max-model-len",
            "prefix-caching",
        ]
    }

    /// Flags of `tensorrt_llm/commands/serve.py`. Settings without a flag go into the file of `--config`, under
    /// the names of `KvCacheConfig`.
    fn command(&self, run: &ResolvedRequest<'_>) -> Option<Command> {
        let request = run.request;
        let mut command = Command::serving(&["trtllm-serve"], run);
        command.size("--tensor_parallel_size", run.parallel.tensor_ranks());
        command.size("--pipeline_parallel_size", run.parallel.pp);
        command.size("--ep_size", run.expert_ranks().unwrap_or(1));
        command.length("--max_seq_len", run, run.model.max_position);
        command.given("--max_batch_size", request.max_num_seqs);
        command.given("--max_num_tokens", request.max_num_batched_tokens);
        command.given("--free_gpu_memory_fraction", request.memory_utilization);
        let mut cache = Map::new();
        let kv_dtype = flag_support::kv_dtype(request).and_then(DType::from_name);
        if kv_dtype == Some(DType::FP8) {
            cache.insert("dtype".into(), "fp8".into());
        }
        if let Some(tokens) = request.block_size {
            cache.insert("tokens_per_block".into(), tokens.into());
        }
        if let Some(on) = request.prefix_caching {
            cache.insert("enable_block_reuse".into(), on.into());
        }
        let mut config = Map::new();
        if !cache.is_empty() {
            config.insert("kv_cache_config".into(), cache.into());
        }
        if run.parallel.attention_groups > 1 {
            config.insert("enable_attention_dp".into(), true.into());
        }
        if !config.is_empty() {
            command.flag("--config", "trtllm.yaml");
            command.file = Some(("trtllm.yaml", Json::Object(config).to_string()));
        }
        const SAID: &[&str] = &[
            "pp",
            "ep",
            "dp-attention",
            "kv-dtype",
            "k-dtype",
            "v-dtype",
            "memory-utilization",
            "block-size",
            "max-num-seqs",
            "max-num-batched-tokens",
            "max-model-len",
            "prefix-caching",
        ];
        Some(command.without(run, SAID))
    }

    fn allocate<'a>(&self, run: ResolvedRequest<'a>) -> Result<Box<dyn Allocation + 'a>> {
        Ok(Box::new(Blocks::new(run)?))
    }
}

struct Blocks<'a> {
    run: ResolvedRequest<'a>,
    /// Bytes of one token on a GPU of each stage.
    stages: Vec<u64>,
    tokens_per_block: u64,
    max_model_len: u64,
}

impl<'a> Blocks<'a> {
    fn new(run: ResolvedRequest<'a>) -> Result<Self> {
        let (k, _) = kv_dtypes(run.request, run.model.dtype)?;
        if ![DType::BF16, DType::F16, DType::F32, DType::FP8].contains(&k) {
            return Err(Error::bad_value(
                "--kv-dtype",
                k.name,
                words!("auto, bf16, f16 or fp8: kvplan has no rule for TensorRT-LLM's other types"),
            )
            .coded(Code::TensorrtLlmNotRestatedKvDtype));
        }
        let mut stages_bytes = Vec::new();
        for own in stage_slices(&run.model.layers, run.parallel.pp) {
            let mut bytes = 0;
            for store in
                own.iter().flat_map(|layer| &layer.stores).filter(|store| store.is_kept_by("tensorrt-llm"))
            {
                bytes = sum(words!("bytes of a token"), [bytes, token_bytes(store, k, run.parallel.tp)?])?;
            }
            stages_bytes.push(bytes);
        }
        Ok(Self {
            run,
            stages: stages_bytes,
            tokens_per_block: run.request.block_size.unwrap_or(TOKENS_PER_BLOCK),
            max_model_len: run.request.max_model_len.unwrap_or(run.tokens),
        })
    }

    fn blocks(&self, tokens: u64) -> u64 {
        tokens.div_ceil(self.tokens_per_block)
    }

    /// Blocks of a prefix that sessions share (`enable_block_reuse`, on by default).
    fn shared_blocks(&self, tokens: u64) -> u64 {
        if self.reuses() {
            self.run.shared_prefix(tokens, self.tokens_per_block) / self.tokens_per_block
        } else {
            0
        }
    }

    fn reuses(&self) -> bool {
        self.run.request.prefix_caching.unwrap_or(true)
    }

    /// Bytes of `blocks` blocks on all GPUs of a replica.
    fn everywhere(&self, blocks: u64) -> Result<u64> {
        let mut total = 0;
        for stage in &self.stages {
            let bytes = product(
                words!("bytes of a session"),
                &[blocks, self.block_bytes(*stage)?, self.run.parallel.tp],
            )?;
            total = sum(words!("bytes of a session"), [total, bytes])?;
        }
        Ok(total)
    }

    fn block_bytes(&self, token: u64) -> Result<u64> {
        product(words!("bytes of a block"), &[token, self.tokens_per_block])
    }
}

fn token_bytes(store: &Store, dtype: DType, tp: u64) -> Result<u64> {
    let not_covered = |what: Words| Error::refused(Code::TensorrtLlmNotRestatedCache, what);
    if store.tokens_per_row > 1 {
        return Err(not_covered(words!("a compressed cache")));
    }
    match store.content {
        Content::KeysValues { heads, k_dim, v_dim } if k_dim == v_dim => {
            product(words!("bytes of a token"), &[heads_per_rank(heads, tp), 2, k_dim, dtype.bytes])
        }
        Content::KeysValues { .. } => Err(not_covered(words!("keys and values of different width"))),
        Content::Latent { rank, rope } => product(
            words!("bytes of a token"),
            &[sum(words!("width of a latent"), [rank, rope])?, dtype.bytes],
        ),
        Content::IndexKey { heads, dim } => {
            product(words!("bytes of a token"), &[heads, dim + dim / INDEX_SCALE_BLOCK * 4])
        }
        Content::State { .. } => Err(not_covered(words!("a recurrent state"))),
        Content::Cross { .. } => Err(not_covered(words!("cross-attention"))),
    }
}

impl Allocation for Blocks<'_> {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        self.everywhere(self.blocks(tokens))
    }

    fn terms(&self, tokens: u64) -> Result<Vec<Term>> {
        let size = (self.tokens_per_block, Unit::Tokens);
        let blocks = (self.blocks(tokens), Unit::Blocks);
        let gpus = self.run.parallel.tp;
        let stage = |token: &u64| Term::new("blocks", [blocks, size, (*token, Unit::Bytes)], gpus);
        Ok(self.stages.iter().map(stage).collect())
    }

    fn shared_bytes(&self, tokens: u64) -> Result<u64> {
        self.everywhere(self.shared_blocks(tokens))
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        flag_support::check_max_num_seqs(self.run.request.max_num_seqs, users)?;
        let blocks = without_shared(users, self.blocks(tokens), self.shared_blocks(tokens))?;
        let one =
            |stage: &u64| product(words!("bytes of all sessions"), &[blocks, self.block_bytes(*stage)?]);
        self.stages.iter().map(one).collect()
    }

    fn min_session_bytes(&self) -> Result<u64> {
        Ok(0)
    }

    fn report(&self, available: Option<&[u64]>) -> Result<EngineReport> {
        let num_blocks = match available {
            None => None,
            Some(available) => {
                let mut fewest = u64::MAX;
                for (stage, room) in self.stages.iter().zip(available) {
                    fewest = fewest.min(room.checked_div(self.block_bytes(*stage)?).unwrap_or(u64::MAX));
                }
                Some(fewest)
            }
        };
        let a_session = self.blocks(self.max_model_len).max(1);
        let report = TensorRtLlmReport {
            pool: Pool {
                block_size: self.tokens_per_block,
                num_blocks,
                kv_cache_tokens: num_blocks.map(|blocks| blocks.saturating_mul(self.tokens_per_block)),
                max_concurrency: num_blocks.map(|blocks| blocks as f64 / a_session as f64),
            },
            blocks_per_session: self.blocks(self.run.tokens),
        };
        let text = say!(
            "{0}: the rule was read in its source, not compared with a running engine",
            "tensorrt-llm 1.2"
        );
        let hit = self.reuses().then_some(self.tokens_per_block);
        Ok(EngineReport::new(report, hit, vec![Note::new("engine_not_run", text)]))
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::plan;
    use crate::request::Request;
    use crate::source::from_config_json;

    const LLAMA_3_8B: &str = r#"{"model_type":"llama","architectures":["LlamaForCausalLM"],"dtype":"bfloat16","hidden_size":4096,
        "intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":128256}"#;

    /// By hand: 131,072 B a token × 32 = 4 MiB a block; 1,000 tokens are 32 blocks; 1 GiB holds 256.
    #[test]
    fn sessions_are_whole_blocks_of_32() {
        let model = from_config_json(LLAMA_3_8B, true).unwrap();
        let mut request = Request::default();
        for (flag, value) in [("engine", "trtllm"), ("kv-memory", "1GiB"), ("seq", "1000")] {
            request.set(flag, value).unwrap();
        }
        let plan = plan(&model, &request).unwrap();
        assert_eq!(plan.engine.report.pool().unwrap().num_blocks, Some(256));
        assert_eq!(plan.engine.session_bytes, 32 * 4 * 1024 * 1024);
        assert_eq!(plan.verdict.unwrap().max_users, 8);
    }

    /// 0.9 of what is left of 80 GiB after 16,060,522,496 B of weights and the reserve, not 0.9 of 80 GiB.
    #[test]
    fn the_share_is_of_free_memory() {
        let model = from_config_json(LLAMA_3_8B, true).unwrap();
        let mut request = Request::default();
        for (flag, value) in [("engine", "tensorrt-llm"), ("gpu", "80GiB"), ("reserve", "0"), ("seq", "1000")]
        {
            request.set(flag, value).unwrap();
        }
        let plan = plan(&model, &request).unwrap();
        let gpu = &plan.memory.unwrap().gpus[0];
        assert_eq!(gpu.kv_bytes_available, (80 * (1_u64 << 30) - 16_060_522_496) * 9 / 10);
    }

    /// A latent of 32 + 8 in bf16, whole on both ranks, and an index key of 128 B with a 4 B scale: 212 B
    /// a token and layer, in blocks of 32.
    #[test]
    fn a_latent_and_its_index_key_are_whole_on_every_rank() {
        let config = r#"{"model_type":"deepseek_v32","architectures":["DeepseekV32ForCausalLM"],"dtype":"bfloat16",
            "hidden_size":64,"intermediate_size":64,"num_hidden_layers":2,"num_attention_heads":4,
            "num_key_value_heads":4,"kv_lora_rank":32,"qk_rope_head_dim":8,"qk_nope_head_dim":16,"v_head_dim":16,
            "q_lora_rank":32,"index_head_dim":128,"index_n_heads":4,"index_topk":64,"vocab_size":100}"#;
        let model = from_config_json(config, true).unwrap();
        let mut request = Request::default();
        for (flag, value) in [("engine", "trtllm"), ("tp", "2"), ("seq", "33")] {
            request.set(flag, value).unwrap();
        }
        let plan = plan(&model, &request).unwrap();
        assert_eq!(plan.engine.session_bytes, 2 * 2 * 64 * (40 * 2 + 132));
    }
}
