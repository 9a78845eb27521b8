//! llama.cpp's settings and its contexts, by hand: Llama 3 8B keeps 2 × 32 layers × 8 heads × 128 × 2 B =
//! 131,072 B for a cell, in whole blocks of 256 cells.

use planner_core::engine::llamacpp::from_gguf;
use planner_core::engine::report::EngineReport;
use planner_core::engine::{self, Allocation};
use planner_core::error::Error;
use planner_core::plan::resolve;
use planner_core::request::Request;
use planner_core::source::gguf::Header;
use planner_core::{catalog, source, spec::model::ModelSpec};
use planner_tests::{engine_keys, said};
use serde_json::{Value as Json, json};

const CELL: u64 = 131_072;

/// Asks a layout of the model for a run with these flags.
fn ask<T>(
    model: &ModelSpec,
    flags: &str,
    question: impl Fn(&dyn Allocation, u64, u64) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut request = Request::default();
    request.set("engine", "llama.cpp").unwrap();
    let words: Vec<&str> = flags.split_whitespace().collect();
    for pair in words.chunks(2) {
        request.set(pair[0], pair[1]).unwrap();
    }
    let (run, _) = resolve(model, &request)?;
    let layout = engine::find("llama.cpp")?.0.allocate(run)?;
    question(layout.as_ref(), request.users, run.tokens)
}

/// A GGUF file of an architecture with these keys: 2 layers of 4 KV heads × 64 unless they say otherwise.
fn file(arch: &str, keys: &Json) -> Result<ModelSpec, Error> {
    let usual = json!({"block_count": 2, "context_length": 4096, "embedding_length": 512,
                       "attention.head_count": 8, "attention.head_count_kv": 4});
    let own = usual.as_object().unwrap().iter().chain(keys.as_object().unwrap());
    let mut metadata: serde_json::Map<_, _> =
        own.map(|(key, value)| (format!("{arch}.{key}"), value.clone())).collect();
    metadata.insert("general.architecture".into(), arch.into());
    let header = Header { version: 3, metadata, tensors: Vec::new(), data_offset: 0, data_bytes: 0 };
    from_gguf::model(arch, &header)
}

/// Bytes of each layer of [`file`] in a context of 256 cells, where all layers are alike: keys and values, f16.
const FILE_LAYER: u64 = 256 * 2 * 4 * 64 * 2;

fn floor(arch: &str, keys: &Json, flags: &str) -> Result<u64, Error> {
    ask(&file(arch, keys)?, flags, |layout, _, _| layout.min_session_bytes())
}

fn kinds(model: &ModelSpec) -> Vec<Json> {
    let keys = ask(model, "seq 1000", |layout, _, _| Ok(engine_keys(&layout.report(None)?))).unwrap();
    keys["caches"].as_array().unwrap().iter().map(|cache| cache["kind"].clone()).collect()
}

fn llama() -> ModelSpec {
    catalog::model("llama3-8b").unwrap()
}

fn session(flags: &str) -> u64 {
    ask(&llama(), flags, |layout, _, tokens| layout.session_bytes(tokens)).unwrap()
}

fn stages(flags: &str) -> Result<Vec<u64>, Error> {
    ask(&llama(), flags, |layout, users, tokens| layout.stage_bytes(users, tokens))
}

fn details(flags: &str) -> EngineReport {
    ask(&llama(), flags, |layout, _, _| layout.report(None)).unwrap()
}

fn codes(flags: &str) -> Vec<&'static str> {
    details(flags).notes.iter().map(|note| note.code).collect()
}

#[test]
fn the_smallest_context_has_256_cells() {
    let floor = ask(&llama(), "seq 9000", |layout, _, _| layout.min_session_bytes()).unwrap();
    assert_eq!(floor, 256 * CELL);
}

#[test]
fn a_session_is_a_slot() {
    // A context made for the session: 1,000 tokens take 1,024 cells.
    assert_eq!(session("seq 1000"), 1024 * CELL);
    assert_eq!(session("seq 1000 users 4"), 1024 * CELL);
    // Nothing given: the training context.
    assert_eq!(session("users 1"), 8192 * CELL);
    assert_eq!(session("users 2"), session("users 2 seq 8192"));
    // A given context: 5,000 cells for 7 slots are 768 for each.
    assert_eq!(session("ctx-size 5000 users 7"), 768 * CELL);
    assert_eq!(session("ctx-size 8192 users 3 kv-unified on"), (8192 * CELL).div_ceil(3));
}

#[test]
fn layers_go_to_devices_in_order_with_the_output_as_one_more() {
    // 17 of 33 layers on two devices are on the first; the output is on the second.
    let layer = 1024 * CELL / 32;
    assert_eq!(stages("seq 1000 tp 2").unwrap(), [17 * layer]);
    assert_eq!(stages("seq 1000 pp 2").unwrap(), [17 * layer, 15 * layer]);
    // 9, 8, 8 and 7 layers on four devices: each stage counts as its fullest device.
    assert_eq!(stages("seq 1000 tp 2 pp 2").unwrap(), [9 * layer, 8 * layer]);
    assert_eq!(stages("seq 1000 users 3").unwrap(), [3 * 1024 * CELL]);
}

#[test]
fn a_context_must_hold_its_sessions() {
    let refused = |flags: &str| format!("{:?}", stages(flags).unwrap_err());
    assert!(refused("seq 100 users 3 n-parallel 2").contains("LlamacppTooFewSlots"));
    assert!(stages("seq 100 users 2 n-parallel 2").is_ok());
    assert!(refused("seq 4097 users 2 ctx-size 8192").contains("LlamacppContextTooSmall"));
    assert!(stages("seq 4096 users 2 ctx-size 8192").is_ok());
    // One pool for all sessions: the sum of their tokens counts.
    assert!(refused("seq 4097 users 2 ctx-size 8192 kv-unified on").contains("LlamacppContextTooSmall"));
    assert!(stages("seq 4096 users 2 ctx-size 8192 kv-unified on").is_ok());
    // Only a given length must fit.
    assert!(stages("users 2 ctx-size 8192").is_ok());
}

#[test]
fn notes_say_what_became_of_a_setting() {
    assert_eq!(codes("seq 1000"), [""; 0]);
    assert_eq!(codes("users 3 n-parallel 2 seq 100"), ["more_users_than_slots"]);
    assert_eq!(codes("users 2 n-parallel 2 seq 100"), [""; 0]);
    assert_eq!(codes("ctx-size 5000 n-parallel 7"), ["context_padded"]);
    assert_eq!(codes("ctx-size 8192 n-parallel 2"), [""; 0]);
    // 0 is the model's own length, not a size that was changed.
    assert_eq!(codes("ctx-size 0"), [""; 0]);
    assert_eq!(codes("seq 1000 tp 2"), ["layers_split"]);
    let nemotron = catalog::model("nemotron-h-56b").unwrap();
    let notes = ask(&nemotron, "seq 1000", |layout, _, _| Ok(layout.report(None)?.notes)).unwrap();
    assert_eq!(notes.iter().map(|note| note.code).collect::<Vec<_>>(), ["mlp_layers_with_states"]);
    // Nemotron 3 has expert layers instead.
    let nemotron = catalog::model("nemotron-3-nano-30b-a3b").unwrap();
    let notes = ask(&nemotron, "seq 1000", |layout, _, _| Ok(layout.report(None)?.notes)).unwrap();
    assert_eq!(notes.len(), 0);
}

/// `LLAMA_MAX_LAYERS` is 512; Nanbeige's loops count.
#[test]
fn a_model_has_at_most_512_layers() {
    let layers = |arch: &str, count: u64, loops: u64| {
        floor(arch, &json!({"block_count": count, "num_loops": loops}), "seq 1")
    };
    assert_eq!(layers("llama", 1, 1).unwrap(), FILE_LAYER);
    assert_eq!(layers("llama", 512, 1).unwrap(), 512 * FILE_LAYER);
    assert!(layers("llama", 513, 1).is_err() && layers("llama", 0, 1).is_err());
    assert_eq!(layers("nanbeige", 256, 2).unwrap(), 512 * FILE_LAYER);
    assert!(layers("nanbeige", 257, 2).is_err());
}

/// `create_memory` leaves prediction layers out, but not where a model has no others.
#[test]
fn a_file_of_prediction_layers_alone_caches_them() {
    let floor = |next: u64| floor("llama", &json!({"nextn_predict_layers": next}), "seq 1");
    assert_eq!([0, 1, 2].map(|next| floor(next).unwrap()), [2, 1, 2].map(|layers| layers * FILE_LAYER));
    assert!(floor(3).is_err());
}

/// "n_ctx and model->hparams.n_ctx_train cannot both be zero" (`llama_init_from_model`).
#[test]
fn a_model_of_no_length_needs_a_context_size() {
    let model = file("llama", &json!({"context_length": 0})).unwrap();
    let total = |flags: &str| ask(&model, flags, |layout, users, _| layout.total_bytes(users, 1));
    assert!(total("ctx-size 0 seq 1").is_err());
    assert_eq!(total("ctx-size 256 seq 1").unwrap(), 2 * FILE_LAYER);
}

#[test]
fn a_context_has_at_most_2_31_cells() {
    assert_eq!(stages("ctx-size 2147483648").unwrap(), [CELL << 31]);
    assert!(stages("ctx-size 2147483649").is_err() && stages("ctx-size 4294967296").is_err());
}

/// Causal attention bounds the batch by the context (`llama_context::llama_context`).
#[test]
fn a_batch_is_no_longer_than_a_causal_context() {
    let batch = |is_causal: Option<bool>| {
        let mut config = json!({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 512,
            "intermediate_size": 1024, "num_hidden_layers": 2, "num_attention_heads": 8, "vocab_size": 4096,
            "max_position_embeddings": 4096});
        if let Some(is_causal) = is_causal {
            config["is_causal"] = is_causal.into();
        }
        let model = source::from_config_json(&config.to_string(), false).unwrap();
        let keys =
            ask(&model, "ctx-size 300", |layout, _, _| Ok(engine_keys(&layout.report(None)?))).unwrap();
        keys["n_ubatch"].clone()
    };
    assert_eq!([None, Some(true), Some(false)].map(batch), [300, 300, 512].map(Json::from));
}

/// A null `mamba_d_ssm` is `mamba_expand` times the model's width (`FalconH1Config`); the converter stops at it.
#[test]
fn a_falcon_without_a_state_width_has_its_expansion() {
    let config = json!({"architectures": ["FalconH1ForCausalLM"], "model_type": "falcon_h1", "hidden_size": 512,
        "intermediate_size": 1536, "num_hidden_layers": 2, "num_attention_heads": 8, "num_key_value_heads": 4,
        "head_dim": 64, "vocab_size": 4096, "mamba_d_ssm": null, "mamba_expand": 2, "mamba_n_heads": 16,
        "mamba_d_head": 64, "mamba_n_groups": 1, "mamba_d_state": 32, "mamba_d_conv": 4});
    let model = source::from_config_json(&config.to_string(), false).unwrap();
    let floor = ask(&model, "seq 1", |layout, _, _| layout.min_session_bytes()).unwrap();
    let state = 3 * (1024 + 2 * 32) + 32 * 1024;
    assert_eq!(floor, 2 * (FILE_LAYER + 4 * state));
}

/// `GraniteMoeHybridConfig` takes `layers_block_type` for `layer_types`; the converter refuses a file with
/// nothing else.
#[test]
fn a_granite_hybrid_may_name_its_blocks() {
    let config = json!({"architectures": ["GraniteMoeHybridForCausalLM"], "model_type": "granitemoehybrid",
        "hidden_size": 512, "intermediate_size": 1024, "shared_intermediate_size": 1024, "num_hidden_layers": 3,
        "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 4096, "max_position_embeddings": 4096,
        "mamba_n_heads": 16, "mamba_d_head": 64, "mamba_n_groups": 1, "mamba_d_state": 32, "mamba_expand": 2,
        "num_local_experts": 0, "num_experts_per_tok": 0, "layers_block_type": ["mamba", "attention", "mamba"]});
    let model = source::from_config_json(&config.to_string(), false).unwrap();
    let floor = ask(&model, "seq 1", |layout, _, _| layout.min_session_bytes()).unwrap();
    assert_eq!(floor, FILE_LAYER + 2 * 4 * (3 * (1024 + 2 * 32) + 32 * 1024));
}

/// `--kv-heads` applies to every layer with KV heads; a latent has one.
#[test]
fn kv_heads_replace_those_of_the_file() {
    assert_eq!(session("seq 1000 kv-heads 2"), 1024 * CELL / 4);
    let half = json!({"attention.head_count_kv": [4, 0]});
    assert_eq!(floor("deci", &half, "seq 1").unwrap(), FILE_LAYER);
    assert_eq!(floor("deci", &half, "seq 1 kv-heads 2").unwrap(), FILE_LAYER / 2);
    let latent = json!({"attention.head_count_kv": 1, "attention.key_length": 320, "attention.value_length": 256,
        "attention.key_length_mla": 96, "attention.value_length_mla": 64, "attention.kv_lora_rank": 256});
    for flags in ["seq 1", "seq 1 kv-heads 2"] {
        // keys alone: 2 layers × 256 cells × 320 × 2 B
        assert_eq!(floor("deepseek2", &latent, flags).unwrap(), 327_680);
    }
}

/// `GGML_ASSERT(hparams.is_swa_any())` in `create_memory`.
#[test]
fn a_window_needs_a_layer_that_slides() {
    let file = |slides: [bool; 2]| {
        let keys = json!({"attention.sliding_window": 256, "attention.sliding_window_pattern": slides});
        file("granite_swa", &keys).unwrap()
    };
    let refused = ask(&file([false, false]), "seq 1", |layout, _, _| layout.min_session_bytes()).unwrap_err();
    assert!(format!("{refused:?}").contains("is_swa_any"), "{refused:?}");
    assert_eq!(kinds(&file([true, false])), ["full", "sliding"]);
    // a cache without layers does not exist
    assert_eq!(kinds(&file([true, true])), ["sliding"]);
    assert_eq!(kinds(&catalog::model("llama4-scout").unwrap()), ["full", "chunked"]);
}

/// Each cache has its own type and its own width, which must be whole blocks under flash attention
/// (`llama_init_from_model`).
#[test]
fn quantized_keys_are_checked_against_the_width_of_keys() {
    let keys = json!({"attention.key_length": 64, "attention.value_length": 72});
    let floor = |flags: &str| floor("llama", &keys, flags);
    assert!(floor("seq 1 k-dtype q8_0 flash-attn on").is_ok());
    let refused = format!("{:?}", floor("seq 1 k-dtype q8_0 v-dtype q8_0 flash-attn on").unwrap_err());
    assert!(refused.contains("does not divide n_embd_head_v=72"), "{refused}");
}

#[test]
fn encoders_and_drafts_have_no_cache() {
    for (arch, why) in [
        ("bert", "encoder"),
        ("dream", "diffusion"),
        ("llada-moe", "diffusion"),
        ("eagle3", "draft"),
        ("gemma4-assistant", "draft"),
        ("clip", "projector"),
    ] {
        let error = file(arch, &json!({})).unwrap_err();
        assert!(matches!(error, Error::NoCache { .. }) && said(&error).contains(why), "{}", said(&error));
    }
}

/// The router of Granite Switch is one more layer, of one head.
#[test]
fn a_router_is_a_layer_of_one_head() {
    let layers = file("graniteswitch", &json!({})).unwrap().layers;
    assert_eq!(layers.iter().map(|layer| layer.query_heads).collect::<Vec<_>>(), [8, 8, 1]);
}

/// `GraniteHybridModel`, and with it Nemotron-H, writes a training context of 2²⁰ tokens. A context without a
/// size has that length.
#[test]
fn a_single_session_of_no_length_has_the_trained_context() {
    let model = catalog::model("nemotron-h-56b").unwrap();
    let session = |flags: &str| ask(&model, flags, |layout, _, tokens| layout.session_bytes(tokens)).unwrap();
    assert_eq!(session("users 1"), session("seq 1048576"));
    assert_eq!(session("users 2"), session("seq 8192"));
    assert!(session("users 1") > session("users 2"));
}

#[test]
fn any_common_start_is_reused_but_not_of_a_state() {
    assert_eq!(engine_keys(&details("seq 1000"))["min_prefix_hit_tokens"], json!(1));
    let mamba = catalog::model("qwen3.5-27b").unwrap();
    let keys = ask(&mamba, "seq 1000", |layout, _, _| Ok(engine_keys(&layout.report(None)?))).unwrap();
    assert_eq!(keys["min_prefix_hit_tokens"], json!(null));
    let caches: Vec<_> = keys["caches"].as_array().unwrap().iter().map(|cache| &cache["kind"]).collect();
    assert_eq!(caches, ["full", "recurrent"]);
}

#[test]
fn the_engine_reads_its_own_flags_in_its_own_version() {
    let (engine, version) = engine::find("llama.cpp").unwrap();
    assert_eq!((engine.versions(), version), (&["0c1e57098"][..], "0c1e57098"));
    let flags = ["ctx-size", "n-parallel", "batch", "ubatch", "kv-unified", "flash-attn", "swa-full"];
    assert_eq!(engine.reads(&Request::default()), flags);
}
