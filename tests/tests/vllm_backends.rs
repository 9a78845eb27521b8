//! Which attention backend vLLM 0.33.0's own platform gives invented layers (`oracles/vllm/backends.py`), against
//! this engine's. `VLLM_BACKENDS` names another file of answers.

use std::path::PathBuf;

use planner_core::device::Device as Gpu;
use planner_core::engine::vllm::backend::mla::Latent;
use planner_core::engine::vllm::backend::priority;
use planner_core::engine::vllm::backend::{Backend, BackendQuery, Context, Device, Size};
use planner_core::engine::vllm::kv_cache::tensor_layout::TensorLayout;
use planner_core::engine::vllm::model::dtype;
use planner_tests::{fixture, json};
use serde_json::{Value as Json, json};

/// What the three configurations of the oracle say of heads and latents.
fn widths(model: &str) -> (u64, Latent) {
    let latent = Latent { nope: Some(128), rope: Some(64), rank: Some(512), value: Some(128), topk: None };
    match model {
        "plain" => (128, Latent::default()),
        "latent" => (576, latent),
        _ => (576, Latent { topk: Some(2048), ..latent }),
    }
}

fn answer(case: &Json) -> Option<Json> {
    let text = |key: &str| case[key].as_str().unwrap();
    let on = |key: &str| case[key].as_bool().unwrap_or(false);
    let element = if on("float32") { 4 } else { 2 };
    let (major, minor) =
        Gpu::resolve(text("gpu")).unwrap().compute_capability.unwrap().split_once('.').unwrap();
    let (head_size, latent) = widths(text("model"));
    let cache_dtype = dtype::name(text("kv")).ok()?;
    let model = Context {
        device: Device { major: major.parse().unwrap(), minor: minor.parse().unwrap() },
        head_size,
        cache_dtype,
        model_bytes: element,
        mm_prefix: false,
        softcap: false,
        alibi: false,
        diffusion: false,
        non_causal: false,
        flash_version: None,
        forced: case["forced"].as_str().map(|name| Backend::parse(name).unwrap()),
        dcp: case["dcp"].as_u64().unwrap_or(1),
        user_block: case["block"].as_u64(),
        query_heads: case["query_heads"].as_u64().unwrap_or(32),
        latent,
    };
    let ask = BackendQuery {
        head: case["head"].as_u64().unwrap(),
        cache_dtype,
        element,
        mla: text("model") != "plain",
        sparse: text("model") == "sparse",
        sinks: on("sinks"),
        window: on("window"),
        mm_prefix: on("mm_prefix"),
        cross: on("cross"),
        per_head_scales: on("per_head_scales"),
    };
    let chosen = priority::choose(&model, &ask).ok()?;
    let size = |size: &Size| match size {
        Size::Exact(tokens) => json!(["exact", tokens]),
        Size::Multiple(tokens) => json!(["multiple", tokens]),
    };
    let layout = |layout: &TensorLayout| format!("{layout:?}").to_uppercase();
    let sizes: Vec<Json> = chosen.sizes(&model, None).iter().map(size).collect();
    let layouts: Option<Vec<String>> = chosen.layouts(&model).map(|all| all.iter().map(layout).collect());
    Some(
        json!({ "backend": chosen.name(), "sizes": sizes, "preferred": chosen.preferred(&model), "layouts": layouts }),
    )
}

#[test]
fn invented_layers_get_the_engine_s_backend() {
    let own = fixture("vllm_backends.json");
    let path = std::env::var("VLLM_BACKENDS").map_or(own, PathBuf::from);
    let cases = json(&path);
    let cases = cases.as_array().unwrap();
    let (mut wrong, mut served) = (Vec::new(), 0);
    for case in cases {
        let engine = match &case["backend"] {
            Json::Null => Json::Null,
            name => {
                served += 1;
                json!({ "backend": name, "sizes": case["sizes"], "preferred": case["preferred"], "layouts": case["layouts"] })
            }
        };
        let ours = answer(case).unwrap_or_default();
        if ours != engine {
            wrong.push(format!("{case}\n    ours {ours}"));
        }
    }
    let shown = wrong.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{shown}", wrong.len(), cases.len());
    assert!(served >= 300 && cases.len() > served + 300, "{served} of {} served", cases.len());
}
