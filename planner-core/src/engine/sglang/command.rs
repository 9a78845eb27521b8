//! `sglang.launch_server` with a plan's settings: names of `arg_groups/fields/`, from which
//! `server_args.py` makes the parser.

use crate::dtype::DType;
use crate::engine::ResolvedRequest;
use crate::engine::command::Command;
use crate::engine::flag_support;
use crate::request::Speculative;

/// Settings of a request that the command says.
const SAID: &[&str] = &[
    "nnodes",
    "pp",
    "dp",
    "ep",
    "redundant-experts",
    "dp-attention",
    "kv-dtype",
    "k-dtype",
    "v-dtype",
    "memory-utilization",
    "block-size",
    "max-num-seqs",
    "max-num-batched-tokens",
    "max-model-len",
    "attention-backend",
    "prefix-caching",
    "async-scheduling",
    "speculative",
];

pub(super) fn command(run: &ResolvedRequest<'_>) -> Command {
    let request = run.request;
    let mut command = Command::serving(&["python", "-m", "sglang.launch_server", "--model-path"], run);
    command.size("--tp-size", run.parallel.tensor_ranks());
    command.size("--pp-size", run.parallel.pp);
    command.given("--nnodes", request.nnodes);
    command.size("--dp-size", run.parallel.replicas());
    command.size("--attn-dp-size", run.parallel.attention_groups);
    command.size("--ep-size", run.expert_ranks().unwrap_or(1));
    command.given("--ep-num-redundant-experts", request.redundant_experts);
    command.length("--context-length", run, run.model.max_position);
    let kv_dtype = flag_support::kv_dtype(request).and_then(DType::from_name);
    command.given(
        "--kv-cache-dtype",
        kv_dtype.map(|dtype| match dtype {
            DType::FP8 => "fp8_e4m3",
            DType::BF16 => "bf16",
            _ => "auto",
        }),
    );
    // the share that is planned with otherwise is the engine's own default
    command.given("--mem-fraction-static", request.memory_utilization);
    command.given("--page-size", request.block_size);
    command.given("--max-running-requests", request.max_num_seqs);
    command.given("--chunked-prefill-size", request.max_num_batched_tokens);
    command.given("--attention-backend", request.attention_backend.as_ref());
    if request.prefix_caching == Some(false) {
        command.switch("--disable-radix-cache");
    }
    if request.async_scheduling == Some(false) {
        command.switch("--disable-overlap-schedule");
    }
    if let Some(Speculative::Ngram(tokens)) = request.speculative {
        command.flag("--speculative-algorithm", "NGRAM");
        command.flag("--speculative-num-draft-tokens", tokens);
    }
    if let Some(Speculative::Mtp(tokens)) = request.speculative {
        command.flag("--speculative-algorithm", "EAGLE");
        command.flag("--speculative-num-steps", tokens);
        command.flag("--speculative-eagle-topk", 1);
        command.flag("--speculative-num-draft-tokens", tokens.saturating_add(1));
    }
    command.without(run, SAID)
}
