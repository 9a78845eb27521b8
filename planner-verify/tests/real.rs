//! Weights in files: the caches of candle-transformers' own modules equal `--engine candle`.
//!
//! The files are small and hold random numbers; expected bytes are worked out by hand from their shapes.

// A panic is how a test fails, in what its cases share as well.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use planner_core::request::Request;
use planner_core::source::{from_config_json, gguf};
use planner_core::spec::model::ModelSpec;
use planner_verify::real::{Generated, Options, generate, weights};

/// All tests of this program share one heap, so only one runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static HEAP: Mutex<()> = Mutex::new(());
    HEAP.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two layers, four query heads and two KV heads of 16, so 2 × 2 × 2 × 16 × 4 B = 512 B per token in f32.
const TOKEN: u64 = 512;
const HIDDEN: usize = 64;
const KEYS: usize = 32;
const INNER: usize = 96;
const VOCAB: usize = 128;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("kvplan-real-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn random(shape: &[usize]) -> Tensor {
    Tensor::randn(0_f32, 0.2, shape, &Device::Cpu).unwrap()
}

fn options() -> Options {
    Options { device: Some("cpu".into()), new_tokens: Some(12), ..Options::default() }
}

fn run(path: &Path, model: &ModelSpec, request: &Request, options: &Options) -> Generated {
    generate(model, request, &weights(path, model).unwrap(), options).unwrap()
}

/// A GGUF file of an architecture; tensors of every layer start with `blk.N.`.
fn write_gguf(
    name: &str,
    keys: &[(&str, Value)],
    whole: &[(&str, &[usize])],
    layer: &[(&str, &[usize])],
) -> PathBuf {
    let path = folder(name).join("model.gguf");
    let mut metadata = vec![
        ("general.architecture".to_owned(), Value::String(name.to_owned())),
        (format!("{name}.block_count"), Value::U32(2)),
        (format!("{name}.context_length"), Value::U32(64)),
        (format!("{name}.embedding_length"), Value::U32(HIDDEN as u32)),
        (format!("{name}.feed_forward_length"), Value::U32(INNER as u32)),
        (format!("{name}.attention.head_count"), Value::U32(4)),
        (format!("{name}.vocab_size"), Value::U32(VOCAB as u32)),
    ];
    metadata.extend(keys.iter().map(|(key, value)| (format!("{name}.{key}"), value.clone())));
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    let mut add = |name: String, shape: &[usize]| {
        tensors.push((name, QTensor::quantize(&random(shape), GgmlDType::F32).unwrap()));
    };
    whole.iter().for_each(|(name, shape)| add((*name).to_owned(), shape));
    for at in 0..2 {
        layer.iter().for_each(|(name, shape)| add(format!("blk.{at}.{name}"), shape));
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut File::create(&path).unwrap(), &metadata, &tensors).unwrap();
    path
}

fn gguf_model(path: &Path) -> ModelSpec {
    planner_core::engine::llamacpp::from_gguf::model(
        "file",
        &gguf::Header::read(&mut File::open(path).unwrap()).unwrap(),
    )
    .unwrap()
}

/// What holds for every module that concatenates.
fn check_growing(found: &Generated, token: u64, tensors_shown: bool) {
    assert!(found.matches(), "{found:?}");
    assert_eq!(found.not_predicted, None);
    assert_eq!(found.points.len(), 3);
    for point in &found.points {
        assert_eq!(point.predicted_bytes, Some(token * point.tokens));
        assert_eq!(point.measured_bytes, tensors_shown.then_some(token * point.tokens));
        let more = i128::from(token * (point.tokens - found.points[0].tokens));
        assert_eq!(point.heap_growth, Some(more));
    }
    assert!(found.points[2].tokens > found.points[0].tokens + 8);
}

const GATED: &[(&str, &[usize])] = &[
    ("attn_norm.weight", &[HIDDEN]),
    ("attn_q.weight", &[HIDDEN, HIDDEN]),
    ("attn_k.weight", &[KEYS, HIDDEN]),
    ("attn_v.weight", &[KEYS, HIDDEN]),
    ("attn_output.weight", &[HIDDEN, HIDDEN]),
    ("ffn_norm.weight", &[HIDDEN]),
    ("ffn_gate.weight", &[INNER, HIDDEN]),
    ("ffn_up.weight", &[INNER, HIDDEN]),
    ("ffn_down.weight", &[HIDDEN, INNER]),
];
const WHOLE: &[(&str, &[usize])] =
    &[("token_embd.weight", &[VOCAB, HIDDEN]), ("output_norm.weight", &[HIDDEN])];

#[test]
fn a_gguf_file_of_llama_keeps_f32_whatever_it_stores() {
    let _alone = alone();
    let path = write_gguf(
        "llama",
        &[
            ("attention.head_count_kv", Value::U32(2)),
            ("rope.dimension_count", Value::U32(16)),
            ("attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ],
        WHOLE,
        GATED,
    );
    let model = gguf_model(&path);
    let found = run(&path, &model, &Request::default(), &options());
    check_growing(&found, TOKEN, true);
    assert_eq!(found.text, None);
    assert!(found.no_text.as_ref().is_some_and(|why| why.contains("tokenizer")), "{found:?}");
    // A planted mistake is found.
    let wrong = Options { planted_bytes: 1, ..options() };
    let wrong = run(&path, &model, &Request::default(), &wrong);
    assert!(!wrong.matches());
    assert_eq!(wrong.difference_bytes(), -1);
}

#[test]
fn a_gguf_file_of_qwen2_grows_as_predicted() {
    let _alone = alone();
    let mut layer = GATED.to_vec();
    layer.extend([("attn_q.bias", &[HIDDEN][..]), ("attn_k.bias", &[KEYS]), ("attn_v.bias", &[KEYS])]);
    let keys =
        [("attention.head_count_kv", Value::U32(2)), ("attention.layer_norm_rms_epsilon", Value::F32(1e-5))];
    let path = write_gguf("qwen2", &keys, WHOLE, &layer);
    check_growing(&run(&path, &gguf_model(&path), &Request::default(), &options()), TOKEN, false);
}

#[test]
fn a_gguf_file_of_gemma3_keeps_what_its_window_hides() {
    let _alone = alone();
    let mut layer = GATED.to_vec();
    layer.extend([
        ("attn_q_norm.weight", &[16][..]),
        ("attn_k_norm.weight", &[16]),
        ("post_attention_norm.weight", &[HIDDEN]),
        ("post_ffw_norm.weight", &[HIDDEN]),
    ]);
    let keys = [
        ("attention.head_count_kv", Value::U32(2)),
        ("attention.key_length", Value::U32(16)),
        ("attention.value_length", Value::U32(16)),
        ("attention.sliding_window", Value::U32(4)),
        ("attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ];
    let path = write_gguf("gemma3", &keys, WHOLE, &layer);
    check_growing(&run(&path, &gguf_model(&path), &Request::default(), &options()), TOKEN, true);
}

#[test]
fn a_gguf_file_of_phi3_takes_its_whole_context_at_once() {
    let _alone = alone();
    let layer: &[(&str, &[usize])] = &[
        ("attn_norm.weight", &[HIDDEN]),
        ("attn_qkv.weight", &[HIDDEN + 2 * KEYS, HIDDEN]),
        ("attn_output.weight", &[HIDDEN, HIDDEN]),
        ("ffn_norm.weight", &[HIDDEN]),
        ("ffn_up.weight", &[2 * INNER, HIDDEN]),
        ("ffn_down.weight", &[HIDDEN, INNER]),
    ];
    let mut whole = WHOLE.to_vec();
    whole.push(("output.weight", &[VOCAB, HIDDEN]));
    let keys = [
        ("attention.head_count_kv", Value::U32(2)),
        ("rope.dimension_count", Value::U32(16)),
        ("attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ];
    let path = write_gguf("phi3", &keys, &whole, layer);
    let found = run(&path, &gguf_model(&path), &Request::default(), &options());
    assert!(found.matches() && found.not_predicted.is_none(), "{found:?}");
    for point in &found.points {
        assert_eq!(point.measured_bytes, Some(TOKEN * point.tokens));
        assert_eq!(point.heap_growth, Some(0));
    }
}

#[test]
fn a_gguf_file_of_qwen3_is_run_and_not_compared() {
    let _alone = alone();
    let mut layer = GATED.to_vec();
    layer.extend([("attn_q_norm.weight", &[16][..]), ("attn_k_norm.weight", &[16])]);
    let keys = [
        ("attention.head_count_kv", Value::U32(2)),
        ("attention.key_length", Value::U32(16)),
        ("attention.value_length", Value::U32(16)),
        ("rope.freq_base", Value::F32(10_000.0)),
        ("attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ];
    let path = write_gguf("qwen3", &keys, WHOLE, &layer);
    let found = run(&path, &gguf_model(&path), &Request::default(), &options());
    assert!(
        found.not_predicted.as_ref().is_some_and(|why| why.contains("keeps the prompt twice")),
        "{found:?}"
    );
    assert_eq!(found.new_tokens, 12);
}

/// A checkpoint of a `model_type` with tensors of every layer under `model.layers.N.`.
fn write_checkpoint(model_type: &str, more: &str, layer: &[(&str, &[usize])]) -> (PathBuf, ModelSpec) {
    let folder = folder(model_type);
    let config = format!(
        r#"{{"model_type": "{model_type}", "dtype": "float32", "num_hidden_layers": 2, "hidden_size": {HIDDEN},
        "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": {INNER}, "vocab_size": {VOCAB},
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": false {more}}}"#
    );
    std::fs::write(folder.join("config.json"), &config).unwrap();
    let mut tensors = HashMap::from([
        ("model.embed_tokens.weight".to_owned(), random(&[VOCAB, HIDDEN])),
        ("model.norm.weight".to_owned(), random(&[HIDDEN])),
        ("lm_head.weight".to_owned(), random(&[VOCAB, HIDDEN])),
    ]);
    for at in 0..2 {
        let named = layer.iter().map(|(name, shape)| (format!("model.layers.{at}.{name}"), random(shape)));
        tensors.extend(named);
    }
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    (folder, from_config_json(&config, true).unwrap())
}

const DECODER: &[(&str, &[usize])] = &[
    ("self_attn.q_proj.weight", &[HIDDEN, HIDDEN]),
    ("self_attn.k_proj.weight", &[KEYS, HIDDEN]),
    ("self_attn.v_proj.weight", &[KEYS, HIDDEN]),
    ("self_attn.o_proj.weight", &[HIDDEN, HIDDEN]),
    ("mlp.gate_proj.weight", &[INNER, HIDDEN]),
    ("mlp.up_proj.weight", &[INNER, HIDDEN]),
    ("mlp.down_proj.weight", &[HIDDEN, INNER]),
    ("input_layernorm.weight", &[HIDDEN]),
    ("post_attention_layernorm.weight", &[HIDDEN]),
];

#[test]
fn checkpoints_keep_the_type_they_are_run_in() {
    let _alone = alone();
    let mut request = Request::default();
    let (llama, model) = write_checkpoint("llama", "", DECODER);
    check_growing(&run(&llama, &model, &request, &options()), TOKEN, true);
    // The configuration itself names the folder as well.
    check_growing(&run(&llama.join("config.json"), &model, &request, &options()), TOKEN, true);
    request.set("kv-dtype", "f16").unwrap();
    check_growing(&run(&llama, &model, &request, &options()), TOKEN / 2, true);
}

#[test]
fn a_window_of_mistral_is_only_a_mask() {
    let _alone = alone();
    let (mistral, model) = write_checkpoint("mistral", r#", "head_dim": 16, "sliding_window": 4"#, DECODER);
    check_growing(&run(&mistral, &model, &Request::default(), &options()), TOKEN, true);
}

#[test]
fn qwen3_keeps_its_prompt_once_in_a_checkpoint() {
    let _alone = alone();
    let mut layer = DECODER.to_vec();
    layer.extend([("self_attn.q_norm.weight", &[16][..]), ("self_attn.k_norm.weight", &[16])]);
    let more =
        r#", "head_dim": 16, "attention_bias": false, "max_window_layers": 2, "use_sliding_window": false"#;
    let (qwen3, model) = write_checkpoint("qwen3", more, &layer);
    check_growing(&run(&qwen3, &model, &Request::default(), &options()), TOKEN, true);
}

#[test]
fn gpt2_runs_from_the_tensors_of_a_checkpoint() {
    let _alone = alone();
    let folder = folder("gpt2");
    let config = r#"{"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "dtype": "float32",
        "n_layer": 2, "n_embd": 64, "n_head": 4, "n_positions": 64, "n_ctx": 64, "vocab_size": 128}"#;
    std::fs::write(folder.join("config.json"), config).unwrap();
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("wte.weight".into(), vec![VOCAB, HIDDEN]),
        ("wpe.weight".into(), vec![64, HIDDEN]),
        ("ln_f.weight".into(), vec![HIDDEN]),
        ("ln_f.bias".into(), vec![HIDDEN]),
    ];
    for at in 0..2 {
        for (name, rows, columns) in [
            ("attn.c_attn", HIDDEN, 3 * HIDDEN),
            ("attn.c_proj", HIDDEN, HIDDEN),
            ("mlp.c_fc", HIDDEN, 4 * HIDDEN),
            ("mlp.c_proj", 4 * HIDDEN, HIDDEN),
        ] {
            shapes.push((format!("h.{at}.{name}.weight"), vec![rows, columns]));
            shapes.push((format!("h.{at}.{name}.bias"), vec![columns]));
        }
        for name in ["ln_1", "ln_2"] {
            shapes.push((format!("h.{at}.{name}.weight"), vec![HIDDEN]));
            shapes.push((format!("h.{at}.{name}.bias"), vec![HIDDEN]));
        }
    }
    // Some checkpoints name the outer module first.
    let tensors: HashMap<String, Tensor> =
        shapes.into_iter().map(|(name, shape)| (format!("transformer.{name}"), random(&shape))).collect();
    candle_core::safetensors::save(&tensors, folder.join("model.safetensors")).unwrap();
    let model = from_config_json(config, true).unwrap();
    let found = run(&folder, &model, &Request::default(), &options());
    assert!(found.matches(), "{found:?}");
    for point in &found.points {
        // 2 layers × 2 × 4 heads × 16 × 4 B; the rows are there beforehand.
        assert_eq!(point.measured_bytes, Some(1024 * point.tokens));
        assert_eq!(point.heap_growth, Some(0));
    }
}

#[test]
fn weights_that_do_not_fit_their_configuration_are_refused_by_name() {
    let _alone = alone();
    let (llama, _) = write_checkpoint("granite", "", DECODER);
    let text = std::fs::read_to_string(llama.join("config.json")).unwrap();
    let model = from_config_json(
        &text.replace("granite", "llama").replace("\"vocab_size\": 128", "\"vocab_size\": 64"),
        true,
    )
    .unwrap();
    let found = generate(&model, &Request::default(), &weights(&llama, &model).unwrap(), &options());
    assert!(found.is_err_and(
        |error| error.to_string().contains("model.safetensors") || error.to_string().contains("shape")
    ));
    assert_eq!(weights(&std::env::temp_dir().join("nothing-here"), &model), None);
}
