//! No flag is ignored in silence: under every engine it changes a figure, or it is refused, or a note names it.

use planner_core::catalog;
use planner_core::engine::{self, Engine};
use planner_core::error::{Code, Error};
use planner_core::plan::plan;
use planner_core::render::json;
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
use planner_tests::{request, said};

/// A flag, values to try, and flags that go with them.
type Probe = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const PROBES: &[Probe] = &[
    ("dcp", &["2"], &[("tp", "16")]),
    ("nnodes", &["3"], &[("tp", "4")]),
    ("ep", &["on"], &[("tp", "4")]),
    ("redundant-experts", &["4", "8"], &[("tp", "4"), ("ep", "on")]),
    ("dp-attention", &["on", "4"], &[("tp", "4")]),
    ("k-dtype", &["fp8", "q8_0"], &[]),
    ("v-dtype", &["fp8", "q8_0"], &[]),
    ("attention-backend", &["TRITON_ATTN", "trtllm_mha"], &[]),
    ("block-size", &["64", "128"], &[]),
    ("max-num-batched-tokens", &["512", "16384"], &[]),
    ("max-num-seqs", &["2", "8"], &[]),
    ("max-model-len", &["4096"], &[("cache", "static")]),
    ("ctx-size", &["32768"], &[]),
    ("n-parallel", &["8"], &[]),
    ("batch", &["128"], &[]),
    ("ubatch", &["128"], &[]),
    ("kv-unified", &["on"], &[]),
    ("flash-attn", &["off"], &[]),
    ("flash-attn", &["off"], &[("v-dtype", "q8_0")]),
    ("swa-full", &["on"], &[]),
    ("cache", &["static", "quantized"], &[]),
    ("speculative", &["ngram:4", "mtp:1"], &[]),
    ("async-scheduling", &["off"], &[]),
    ("prefix-caching", &["off"], &[]),
    ("shared-prefix", &["500"], &[]),
    ("source-len", &["700"], &[]),
    ("reserve", &["1GiB"], &[]),
    ("memory-utilization", &["0.5"], &[]),
    ("kv-heads", &["2"], &[]),
    ("weight-dtype", &["fp8"], &[]),
];

const MODELS: &[&str] = &["llama3-8b", "gemma3-1b", "gpt-oss-20b", "qwen3.5-27b", "deepseek-v3"];

fn base(engine: &'static dyn Engine) -> Request {
    request(&format!("engine {} gpu h200 seq 3000 users 3", engine.id())).unwrap()
}

/// Figures of a plan; the question itself is left out.
fn figures(model: &ModelSpec, request: &Request) -> Result<String, Error> {
    let plan = plan(model, request)?;
    let mut all = json::plan(&plan, Lang::En);
    all.as_object_mut().unwrap().remove("request");
    all["engine"].as_object_mut().unwrap().remove("command");
    Ok(all.to_string())
}

/// Whether one of the probes changes an engine's answer; `None` where the engine answers none of them.
fn heard(engine: &'static dyn Engine, models: &[ModelSpec], (flag, values, with): &Probe) -> Option<bool> {
    let mut plain = base(engine);
    with.iter().for_each(|(flag, value)| plain.set(flag, value).unwrap());
    let answered = models.iter().filter_map(|model| Some((model, figures(model, &plain).ok()?)));
    let answers: Vec<(&ModelSpec, String)> = answered.collect();
    let changes = |(model, before): &(&ModelSpec, String)| {
        values.iter().any(|value| {
            let mut asked = plain.clone();
            asked.set(flag, value).unwrap();
            figures(model, &asked).as_ref() != Ok(before)
        })
    };
    (!answers.is_empty()).then(|| answers.iter().any(changes))
}

/// A note is an answer too.
#[test]
fn every_flag_changes_a_figure_or_is_refused_or_named() {
    let models: Vec<ModelSpec> = MODELS.iter().map(|id| catalog::model(id).unwrap()).collect();
    let mut silent = Vec::new();
    for engine in engine::all() {
        for (flag, ..) in PROBES {
            let probes = PROBES.iter().filter(|(other, ..)| other == flag);
            let answers: Vec<bool> = probes.filter_map(|probe| heard(engine, &models, probe)).collect();
            if !answers.is_empty() && !answers.contains(&true) {
                silent.push(format!("{} --{flag}", engine.id()));
            }
        }
    }
    assert!(silent.is_empty(), "ignored in silence: {}", silent.join(", "));
}

#[test]
fn engines_of_one_type_refuse_two_and_say_the_way_out() {
    let model = catalog::model("llama3-8b").unwrap();
    for engine in engine::all().into_iter().filter(|engine| engine.one_kv_dtype()) {
        for flags in [&["k-dtype"][..], &["v-dtype"]] {
            let mut request = base(engine);
            flags.iter().for_each(|flag| request.set(flag, "fp8").unwrap());
            let error = plan(&model, &request).unwrap_err();
            assert_eq!(error.code(), Code::EngineOneKvDtype);
            let text = said(&error);
            assert!(text.contains(&format!("--{}", flags[0])) && text.contains("--kv-dtype fp8"), "{text}");
        }
    }
}

#[test]
fn the_same_type_for_keys_and_values_is_one_type() {
    let model = catalog::model("llama3-8b").unwrap();
    for id in ["vllm", "sglang", "tensorrt-llm"] {
        let (engine, _) = engine::find(id).unwrap();
        let with = |flags: &[&str]| {
            let mut request = base(engine);
            flags.iter().for_each(|flag| request.set(flag, "fp8").unwrap());
            plan(&model, &request).unwrap().engine.total_bytes
        };
        assert_eq!(with(&["k-dtype", "v-dtype"]), with(&["kv-dtype"]), "{id}");
    }
}

/// Llama 3 8B keeps 131,072 B a token. vLLM's blocks hold 16: 1,000 tokens take 63 of them, and 500 shared
/// tokens are 31 whole ones, so that 10 sessions take 10 × 63 − 9 × 31 = 351. SGLang's pages hold 1 token:
/// 10 × 1,000 − 9 × 500. TensorRT-LLM's blocks hold 32: 10 × 32 − 9 × 15.
#[test]
fn a_shared_prefix_is_stored_once() {
    let model = catalog::model("llama3-8b").unwrap();
    for (id, tokens) in
        [("vllm", 351 * 16), ("sglang", 5_500), ("tensorrt-llm", 185 * 32), ("architecture", 10_000)]
    {
        let line = format!("engine {id} seq 1000 users 10 shared-prefix 500 kv-memory 1TiB");
        let request = request(&line).unwrap();
        let answer = plan(&model, &request).unwrap();
        assert_eq!(answer.engine.total_bytes, 131_072 * tokens, "{id}");
        let code = if id == "architecture" { "prefix_not_shared" } else { "prefix_shared" };
        assert!(answer.notes.iter().any(|note| note.code == code), "{id}");
    }
}

/// A prefix is found only where every layer still holds all its tokens, and where prefixes are cached.
#[test]
fn no_prefix_sharing_with_sliding_window() {
    for (id, model, caching) in [
        ("vllm", "gemma3-1b", "on"),
        ("vllm", "qwen3.5-27b", "on"),
        ("vllm", "llama3-8b", "off"),
        ("sglang", "mimo-v2-flash", "on"),
        ("sglang", "qwen3.5-27b", "on"),
        ("sglang", "llama3-8b", "off"),
        ("tensorrt-llm", "llama3-8b", "off"),
    ] {
        let mut request = base(engine::find(id).unwrap().0);
        request.set("shared-prefix", "2000").unwrap();
        request.set("prefix-caching", caching).unwrap();
        let model = catalog::model(model).unwrap();
        let answer = plan(&model, &request).unwrap();
        assert_eq!(answer.engine.total_bytes, 3 * answer.engine.session_bytes, "{id} {}", model.id);
        assert!(answer.notes.iter().any(|note| note.code == "prefix_not_shared"), "{id} {}", model.id);
    }
}

/// An engine's version is the one that its oracle runs, or whose source was read.
#[test]
fn an_engine_has_the_version_of_its_oracle() {
    let pins = [
        ("vllm", "vllm==", include_str!("../oracles/vllm/setup.sh")),
        ("sglang", "sglang==", include_str!("../oracles/sglang/setup.sh")),
        ("transformers", "transformers==", include_str!("../oracles/transformers/requirements.txt")),
        ("llama.cpp", "llama.cpp ", include_str!("../oracles/llamacpp/setup.sh")),
        ("candle", "candle-transformers = { version = \"=", include_str!("../../planner-verify/Cargo.toml")),
        ("tensorrt-llm", "version ", include_str!("../oracles/flags/README.md")),
    ];
    for (id, before, text) in pins {
        let (_, pinned) = text.split_once(before).unwrap();
        let end = pinned.find(|c: char| c.is_whitespace() || c == '"').unwrap();
        let (_, version) = engine::find(id).unwrap();
        assert_eq!(version, &pinned[..end], "{id}");
    }
}
