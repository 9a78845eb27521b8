//! `vllm serve` with a plan's settings: names of `EngineArgs.add_cli_args` in `vllm/engine/arg_utils.py`,
//! vLLM 0.33.0.

use serde_json::json;

use super::model::dtype;
use super::model::length;
use super::settings;
use super::version::{self, Version};
use crate::engine::ResolvedRequest;
use crate::engine::command::Command;
use crate::engine::flag_support;
use crate::request::Speculative;
use crate::spec::hf_config::HfConfig;
use crate::spec::model::Note;

/// Settings that the command says.
const SAID: &[&str] = &[
    "nnodes",
    "pp",
    "dp",
    "dcp",
    "kv-dtype",
    "k-dtype",
    "v-dtype",
    "kv-memory",
    "memory-utilization",
    "attention-backend",
    "block-size",
    "max-num-batched-tokens",
    "ep",
    "redundant-experts",
    "max-model-len",
    "max-num-seqs",
    "speculative",
    "async-scheduling",
    "prefix-caching",
];

/// The command.
pub fn command(run: &ResolvedRequest) -> Command {
    let (request, parallel) = (run.request, run.parallel);
    let mut command = Command::serving(&["vllm", "serve"], run);
    command.size("--tensor-parallel-size", parallel.tp);
    command.size("--pipeline-parallel-size", parallel.pp);
    command.given("--nnodes", run.request.nnodes);
    command.size("--data-parallel-size", parallel.dp);
    command.size("--decode-context-parallel-size", parallel.dcp);
    if run.expert_ranks().is_some() {
        command.switch("--enable-expert-parallel");
    }
    if let Some(copies) = request.redundant_experts.filter(|copies| *copies > 0) {
        command.switch("--enable-eplb");
        command.flag("--eplb-config", json!({ "num_redundant_experts": copies }));
    }
    command.length("--max-model-len", run, length::default(HfConfig::of(run.model), run.model.max_position));
    let kv_dtype = flag_support::kv_dtype(request).and_then(|name| dtype::name(name).ok());
    command.given("--kv-cache-dtype", kv_dtype);
    match request.kv_memory {
        Some(bytes) => command.flag("--kv-cache-memory-bytes", bytes),
        None => command.given("--gpu-memory-utilization", request.memory_utilization),
    }
    let (_, sequences) = settings::batch_defaults(request, Version::of(run.version));
    let users = parallel.users_per_replica(request.users);
    command.given("--max-num-seqs", request.max_num_seqs.or((users > sequences).then_some(users)));
    command.given("--max-num-batched-tokens", request.max_num_batched_tokens);
    command.given("--block-size", request.block_size);
    command.given("--attention-backend", request.attention_backend.as_ref());
    if let Some(speculative) = &request.speculative {
        let mut config = match speculative {
            Speculative::Ngram(n) => json!({ "method": "ngram", "num_speculative_tokens": n }),
            Speculative::Mtp(n) => json!({ "method": "mtp", "num_speculative_tokens": n }),
            Speculative::Eagle(n) => json!({ "method": "eagle", "num_speculative_tokens": n }),
        };
        if matches!(speculative, Speculative::Eagle(_)) {
            config["model"] = "DRAFT".into();
            command.notes.push(Note::new(
                "command_draft",
                words!("DRAFT stands for the hub id or folder of the EAGLE head"),
            ));
        }
        command.flag("--speculative-config", config);
    }
    match request.async_scheduling {
        Some(true) => command.switch("--async-scheduling"),
        Some(false) => command.switch("--no-async-scheduling"),
        None => {}
    }
    match request.prefix_caching {
        Some(true) => command.switch("--enable-prefix-caching"),
        Some(false) if Version::of(run.version).is_in(version::NO_ENABLE_FLAGS) => {
            command.switch("--no-enable-prefix-caching")
        }
        Some(false) => command.switch("--disable-prefix-caching"),
        None => {}
    }
    command.without(run, SAID)
}
