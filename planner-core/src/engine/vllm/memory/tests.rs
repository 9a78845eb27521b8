//! Figures worked out by hand from the modules' shapes.

use crate::engine::memory::PartKind;
use crate::error::Result;
use crate::plan::resolve;
use crate::request::Request;
use crate::source::from_config_json;

/// Bytes of one kind on each stage.
fn bytes(config: &str, kind: PartKind, flags: &[(&str, &str)]) -> Result<Vec<u64>> {
    let model = from_config_json(config, true)?;
    let mut request = Request::default();
    for (flag, value) in [("engine", "vllm"), ("gpu", "h100-80gb"), ("seq", "8")].iter().chain(flags) {
        request.set(flag, value)?;
    }
    let (run, _) = resolve(&model, &request)?;
    let before = super::parts(&run)?.unwrap();
    let of = |parts: &Vec<_>| {
        parts
            .iter()
            .filter(|part: &&crate::engine::memory::MemoryPart| part.kind == kind)
            .map(|part| part.bytes)
            .sum()
    };
    Ok(before.stages.iter().map(of).collect())
}

fn weights(config: &str, flags: &[(&str, &str)]) -> Result<Vec<u64>> {
    bytes(config, PartKind::Weights, flags)
}

/// 64 wide, 4 heads of 16, 2 KV heads, 128 inner, a vocabulary of 100.
fn llama(layers: u64, more: &str) -> String {
    format!(
        r#"{{"model_type": "llama", "architectures": ["LlamaForCausalLM"], "dtype": "bfloat16", "num_hidden_layers": {layers},
        "hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100,
        "max_position_embeddings": 64 {more}}}"#
    )
}

/// Both tables of 128 padded rows, norms, and the rotary table of 64 positions × 16.
const TABLE: u64 = 128 * 64 * 2;
const NORM: u64 = 64 * 2;
const ROTARY: u64 = 64 * 16 * 2;
/// Queries and outputs 64 × 64, keys and values 64 × 32, three matrices of 64 × 128.
const LAYER: u64 = (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128) * 2;

#[test]
fn a_dense_model_is_cut_but_for_norms_and_positions() {
    let untied = llama(2, r#", "tie_word_embeddings": false"#);
    let whole = 5 * NORM + ROTARY;
    assert_eq!(weights(&untied, &[]), Ok(vec![2 * TABLE + 2 * LAYER + whole]));
    assert_eq!(weights(&untied, &[("tp", "2")]), Ok(vec![TABLE + LAYER + whole]));
    // four ranks and two KV heads: each rank holds one of them
    let layer = (2 * 64 * 16 + 2 * 64 * 16 + 3 * 64 * 32) * 2;
    assert_eq!(weights(&untied, &[("tp", "4")]), Ok(vec![TABLE / 2 + 2 * layer + whole]));
}

#[test]
fn the_first_stage_embeds_and_the_last_one_has_the_head() {
    let stage = LAYER + 2 * NORM + ROTARY;
    let untied = llama(2, r#", "tie_word_embeddings": false"#);
    assert_eq!(weights(&untied, &[("pp", "2")]), Ok(vec![TABLE + stage, TABLE + stage + NORM]));
    // a tied head needs the table on the last stage too
    let tied = llama(2, r#", "tie_word_embeddings": true"#);
    assert_eq!(weights(&tied, &[("pp", "2")]), Ok(vec![TABLE + stage, TABLE + stage + NORM]));
    assert_eq!(weights(&tied, &[]), Ok(vec![TABLE + 2 * LAYER + 5 * NORM + ROTARY]));
}

#[test]
fn experts_are_cut_over_all_replicas() {
    let config =
        llama(1, r#", "num_local_experts": 4, "num_experts_per_tok": 2, "tie_word_embeddings": false"#);
    let config = config.replace("\"llama\"", "\"mixtral\"").replace("LlamaForCausalLM", "MixtralForCausalLM");
    // attention, a router of four rows, and the rest as above
    let rest = 2 * TABLE + (2 * 64 * 64 + 2 * 64 * 32) * 2 + 64 * 4 * 2 + 3 * NORM + ROTARY;
    let expert = 3 * 64 * 128 * 2;
    let held = |flags: &[(&str, &str)]| weights(&config, flags);
    assert_eq!(held(&[]), Ok(vec![rest + 4 * expert]));
    assert_eq!(held(&[("dp", "8")]), Ok(vec![rest + expert / 2]));
    // whole experts: eight ranks hold one each
    assert_eq!(held(&[("dp", "8"), ("ep", "on")]), Ok(vec![rest + expert]));
    assert_eq!(held(&[("dp", "2"), ("ep", "on")]), Ok(vec![rest + 2 * expert]));
}

#[test]
fn latents_stand_whole_on_every_rank() {
    let config = r#"{"model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"], "dtype": "bfloat16",
        "num_hidden_layers": 1, "first_k_dense_replace": 1, "hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2,
        "q_lora_rank": 32, "kv_lora_rank": 16, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8, "topk_group": 1,
        "n_group": 1, "intermediate_size": 128, "vocab_size": 64, "max_position_embeddings": 64, "tie_word_embeddings": false}"#;
    let whole = 64 * 32 + 64 * (16 + 8) + 3 * 64 + 32 + 16;
    // the second factors of queries and keys, that of keys once more to decode by, outputs, the MLP, both tables
    let cut = 32 * 2 * 16 + 2 * (16 * 2 * 16) + 2 * 8 * 64 + 3 * 64 * 128 + 2 * 64 * 64;
    let rotary = 64 * 8 * 4;
    assert_eq!(weights(config, &[]), Ok(vec![2 * (whole + cut) + rotary]));
    assert_eq!(weights(config, &[("tp", "2")]), Ok(vec![2 * whole + cut + rotary]));
}

#[test]
fn a_weight_dtype_leaves_tables_and_head() {
    let config = llama(1, r#", "tie_word_embeddings": false"#);
    let rest = 2 * TABLE + 3 * NORM + ROTARY;
    assert_eq!(weights(&config, &[("weight-dtype", "fp8")]), Ok(vec![rest + LAYER / 2]));
    assert_eq!(weights(&config, &[("weight-dtype", "f32")]), Ok(vec![2 * (rest - ROTARY + LAYER) + ROTARY]));
}

#[test]
fn the_sampler_is_the_peak_of_a_small_step() {
    let flags = [("engine", "vllm@0.19.0"), ("max-num-batched-tokens", "8"), ("max-num-seqs", "4")];
    // logits at 14 B, four programs' rows of f32, 8 hidden states, 4 in f32, cuBLAS
    let sampler = 14 * 4 * 100 + 4 * 4 * 100 + 2 * 8 * 64 + 4 * 4 * 64 + (32 << 20);
    let activation = |flags: &[(&str, &str)]| bytes(&llama(2, ""), PartKind::Activation, flags);
    assert_eq!(activation(&flags), Ok(vec![sampler]));
    // the first of two stages runs its layer alone: gate, up and their product, 4.25 hidden states, and those handed on
    let step = 3 * 8 * 256 + 17 * 8 * 64 / 2 + 4 * 8 * 64;
    let staged = [&flags[..], &[("pp", "2")]].concat();
    assert_eq!(activation(&staged), Ok(vec![step, sampler]));
}

#[test]
fn graphs_count_from_0_20_on() {
    let graphs = |version: &str| {
        let flags = [("engine", version), ("max-num-batched-tokens", "8"), ("max-num-seqs", "4")];
        bytes(&llama(2, ""), PartKind::Graphs, &flags)
    };
    // sizes 1, 2, 4, 8 in pieces, 1, 2, 4 whole, over two layers
    let further = 3 * 2 * (17 * (1 << 20) / 100) + 2 * 2 * (15 * (1 << 20) / 100);
    assert_eq!(graphs("vllm@0.22.0"), Ok(vec![12 * ((1 << 30) / 100) + further]));
    assert_eq!(graphs("vllm@0.19.1"), Ok(vec![0]));
    // the second runner said 0 before 0.29
    assert_eq!(graphs("vllm@0.27.1"), Ok(vec![0]));
    assert_ne!(graphs("vllm@0.29.0"), Ok(vec![0]));
}

#[test]
fn a_reserve_stands_for_all_but_the_weights() {
    let reserved = bytes(&llama(2, ""), PartKind::Reserve, &[("reserve", "1GiB")]);
    assert_eq!(reserved, Ok(vec![1 << 30]));
    let others = bytes(&llama(2, ""), PartKind::Activation, &[("reserve", "1GiB")]);
    assert_eq!(others, Ok(vec![0]));
}

#[test]
fn rotary_tables_follow_their_scaling() {
    let table = |more: &str| {
        let whole = weights(&llama(1, more), &[]);
        whole.map(|stages| stages[0] - (TABLE + LAYER + 3 * NORM))
    };
    assert_eq!(table(r#", "tie_word_embeddings": true"#), Ok(ROTARY));
    let linear = r#", "tie_word_embeddings": true, "rope_scaling": {"rope_type": "linear", "factor": 2.5}"#;
    assert_eq!(table(linear), Ok(ROTARY * 5 / 2));
    let yarn = r#", "tie_word_embeddings": true, "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}"#;
    assert_eq!(table(yarn), Ok(2 * ROTARY));
}
