//! llama.cpp's rule against the engine's own cache tensors (`oracles/llamacpp`).

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use planner_core::engine::llamacpp::from_gguf;
use planner_core::engine::{self, ResolvedRequest};
use planner_core::request::Request;
use planner_core::source::gguf::Header;
use planner_core::spec::model::{Kept, ModelSpec};
use planner_core::{Error, catalog, plan, source};
use planner_tests::{engine_keys, fixture, json, refusals, request, said, text};
use serde_json::{Map, Value as Json, json};

const FIGURES: [&str; 6] = ["n_ctx", "n_ctx_seq", "k_bytes", "v_bytes", "recurrent_bytes", "total_bytes"];

/// The request of one row: ctx, batch, ubatch, parallel, unified, flash, swa_full, k, v.
fn asked(row: &[Json]) -> Request {
    let value = |at: usize| match &row[at] {
        Json::Bool(yes) => if *yes { "on" } else { "off" }.to_owned(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let flags = [
        "ctx-size",
        "batch",
        "ubatch",
        "n-parallel",
        "kv-unified",
        "flash-attn",
        "swa-full",
        "k-dtype",
        "v-dtype",
    ];
    let flags = flags.into_iter().enumerate().map(|(at, flag)| format!(" --{flag} {}", value(at)));
    request(&flags.fold("--engine llama.cpp".to_owned(), |line, flag| line + &flag)).unwrap()
}

/// kvplan's answer to a row, in the order of [`FIGURES`].
fn answer(model: &ModelSpec, request: &Request) -> Result<Vec<Json>, Error> {
    let (engine, version) = engine::find("llama.cpp")?;
    let parallel = request.parallel()?;
    let run = ResolvedRequest { model, request, tokens: 8192, encoder_tokens: 0, parallel, engine, version };
    let layout = engine.allocate(run)?;
    let mut keys = engine_keys(&layout.report(None)?);
    keys.insert("total_bytes".into(), layout.total_bytes(request.users, run.tokens)?.into());
    Ok(FIGURES.iter().map(|figure| keys.get(*figure).cloned().unwrap_or(Json::Null)).collect())
}

/// Compares all rows of one model.
fn compare(name: &str, model: &ModelSpec, rows: &Json, wrong: &mut Vec<String>) -> usize {
    let rows = rows.as_array().unwrap();
    for row in rows.iter().map(|row| row.as_array().unwrap()) {
        let (want, got) = (&row[9], answer(model, &asked(row)));
        let equal = match (want, &got) {
            (Json::String(refusal), Err(error)) => {
                !error.is_usage() && refusals::theirs(refusal) == refusals::ours(error)
            }
            (Json::Array(want), Ok(got)) => want == got,
            _ => false,
        };
        if !equal {
            let got = got.map_err(|error| said(&error));
            wrong.push(format!("{name} {:?}: {got:?}, the engine {want}", &row[..9]));
        }
    }
    rows.len()
}

fn check(wrong: &[String]) {
    let shown: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
    assert!(wrong.is_empty(), "{} rows differ:\n{}", wrong.len(), shown.join("\n"));
}

/// Configurations made up for keys that decide in the converter's classes.
#[test]
fn made_up_configurations_take_what_the_engine_allocates() {
    let (rows, architectures) = configurations("boundary.json", "vllm/configs");
    assert!(rows >= 500 && architectures >= 25, "{rows} rows, {architectures} architectures");
}

/// Compares the configurations of a folder with the answers of a file.
fn configurations(answers: &str, folder: &str) -> (usize, usize) {
    let (mut rows, mut wrong, mut architectures) = (0, Vec::new(), BTreeSet::new());
    let answers = json(&fixture("llamacpp").join(answers));
    for (name, entry) in answers.as_object().unwrap() {
        let config = text(&fixture(folder).join(format!("{name}.json")));
        match source::from_config_json(&config, false) {
            Ok(model) => {
                rows += compare(name, &model, &entry["rows"], &mut wrong);
                architectures.insert(entry["arch"].as_str().unwrap().to_owned());
            }
            Err(error) => wrong.push(format!("{name}: {}", said(&error))),
        }
    }
    check(&wrong);
    (rows, architectures.len())
}

/// Each of the converter's classes, with keys that it reads differently from others.
#[test]
fn converter_classes_take_what_the_engine_allocates() {
    let (mut rows, mut wrong, mut architectures) = (0, Vec::new(), BTreeSet::new());
    let answers = json(&fixture("llamacpp/classes.json"));
    for (name, entry) in answers.as_object().unwrap() {
        let file = fixture(&format!("llamacpp/configs/{name}.json"));
        let model = source::from_config_json(&text(&file), false).unwrap_or_else(|_| unread(&json(&file)));
        rows += compare(name, &model, &entry["rows"], &mut wrong);
        architectures.insert(entry["arch"].as_str().unwrap());
    }
    check(&wrong);
    assert!(rows >= 1000 && architectures.len() >= 50, "{rows} rows, {architectures:?}");
}

/// A configuration that no family reads, for the converter's rules alone.
fn unread(config: &Json) -> ModelSpec {
    ModelSpec {
        architecture: config["architectures"][0].as_str().unwrap().to_owned(),
        model_type: String::new(),
        max_position: None,
        attention_heads: None,
        config: Arc::new(config.as_object().unwrap().clone()),
        text_key: config.get("text_config").map(|_| "text_config".to_owned()),
        converted: Kept::default(),
        ..catalog::model("llama3-8b").unwrap()
    }
}

/// `RWKV6Qwen2Model` writes hidden / heads as the width of a state, one token shift and no heads. The
/// engine stops while it loads such a file, so by hand: 5 layers × (480 + 480 × 40) × 4 B, in any cache type.
#[test]
fn a_converted_rwkv6_has_states_by_its_heads() {
    let config = json!({"architectures": ["RWKV6Qwen2ForCausalLM"], "num_hidden_layers": 5, "hidden_size": 480,
        "num_attention_heads": 12, "num_key_value_heads": 4, "head_size": 32, "head_dim": 64});
    for (flash, dtype) in [("auto", "f16"), ("on", "q8_0")] {
        let row = json!([4096, 2048, 512, 1, false, flash, false, dtype, dtype]);
        let answer = answer(&unread(&config), &asked(row.as_array().unwrap())).unwrap();
        assert_eq!(Json::from(answer), json!([4096, 4096, 0, 0, 393_600, 393_600]));
    }
}

/// `is_full_attention` of `conversion/bailingmoe3.py`: the last layer of a group of two attends. Of four layers
/// and the output on four devices two are on the first, and one each on the next two.
#[test]
fn the_last_layer_of_a_bailing_group_attends() {
    let config = json!({"architectures": ["BailingMoeV3ForCausalLM"], "num_hidden_layers": 4, "layer_group_size": 2,
        "hidden_size": 512, "num_attention_heads": 8, "head_dim": 32, "short_conv_kernel_size": 4, "kv_lora_rank": 96,
        "qk_rope_head_dim": 32, "qk_nope_head_dim": 32, "v_head_dim": 64});
    let row = json!([256, 2048, 512, 1, false, "auto", false, "f16", "f16"]);
    let mut request = asked(row.as_array().unwrap());
    request.set("pp", "4").unwrap();
    let model = unread(&config);
    let (engine, version) = engine::find("llama.cpp").unwrap();
    let run = ResolvedRequest {
        model: &model,
        request: &request,
        tokens: 256,
        encoder_tokens: 0,
        parallel: request.parallel().unwrap(),
        engine,
        version,
    };
    let stages = engine.allocate(run).unwrap().stage_bytes(1, 256).unwrap();
    // three rows of queries, keys and values and a square for each of 8 heads, f32; 256 latents, f16
    let (state, latent) = ((3 * 3 * 8 * 32 + 32 * 32 * 8) * 4, 256 * (96 + 32) * 2);
    assert_eq!(stages, [state + latent, state, latent, 0]);
}

#[test]
fn configurations_take_what_the_engine_allocates() {
    let (rows, architectures) = configurations("configs.json", "configs");
    assert!(rows >= 1800 && architectures >= 45, "{rows} rows, {architectures} architectures");
}

/// The default configurations of transformers' model types, as the engine's converter writes them.
#[test]
fn default_configurations_take_what_the_engine_allocates() {
    let (rows, architectures) = configurations("defaults.json", "vllm/configs");
    assert!(rows >= 900 && architectures >= 60, "{rows} rows, {architectures} architectures");
}

#[test]
fn catalogue_models_take_what_the_engine_allocates() {
    let answers = json(&fixture("llamacpp/catalog.json"));
    let (mut rows, mut wrong) = (0, Vec::new());
    for (name, entry) in answers.as_object().unwrap() {
        let model = catalog::model(name).unwrap_or_else(|error| panic!("{name}: {}", said(&error)));
        rows += compare(name, &model, &entry["rows"], &mut wrong);
    }
    check(&wrong);
    assert!(rows >= 1000, "{rows} rows");
}

/// Architectures that no configuration reaches, as metadata of invented shapes.
#[test]
fn metadata_takes_what_the_engine_allocates() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for (name, entry) in json(&fixture("llamacpp/shapes.json")).as_object().unwrap() {
        let arch = entry["arch"].as_str().unwrap();
        let own = entry["metadata"].as_object().unwrap().iter();
        let mut metadata: Map<String, Json> =
            own.map(|(key, value)| (format!("{arch}.{key}"), value.clone())).collect();
        metadata.insert("general.architecture".into(), arch.into());
        let header = Header { version: 3, metadata, tensors: Vec::new(), data_offset: 0, data_bytes: 0 };
        rows += compare(name, &from_gguf::model(name, &header).unwrap(), &entry["rows"], &mut wrong);
    }
    check(&wrong);
    assert!(rows >= 300, "{rows} rows");
}

#[test]
fn gguf_files_take_what_the_engine_allocates() {
    let folder = fixture("gguf");
    let (mut rows, mut wrong) = (0, Vec::new());
    for (name, entry) in json(&folder.join("expected.json")).as_object().unwrap() {
        let bytes = fs::read(folder.join(format!("{name}.gguf"))).unwrap();
        let header = Header::read(&mut bytes.as_slice()).unwrap();
        assert_eq!(Json::from(header.tensors.len()), entry["tensors"], "{name}");
        let model = from_gguf::model(name, &header).unwrap();
        assert_eq!(Json::from(model.parameters), entry["parameters"], "{name}");
        assert_eq!(Json::from(model.weight_bytes), entry["weight_bytes"], "{name}");
        rows += compare(name, &model, &entry["rows"], &mut wrong);
    }
    check(&wrong);
    assert!(rows >= 36, "{rows} rows");
}

/// A model from its file equals the model from its configuration.
#[test]
fn a_gguf_file_and_its_configuration_agree() {
    let file = fixture("gguf/llama3.2-1b.gguf");
    let bytes = fs::read(file).unwrap();
    let from_file = from_gguf::model("x", &Header::read(&mut bytes.as_slice()).unwrap()).unwrap();
    let from_catalogue = catalog::model("llama3.2-1b").unwrap();
    let request = request("--seq 1000 --users 20 --kv-dtype f16").unwrap();
    let (file, catalogue) =
        (plan::plan(&from_file, &request).unwrap(), plan::plan(&from_catalogue, &request).unwrap());
    assert_eq!(file.kv.total_bytes, catalogue.kv.total_bytes);
    assert_eq!(file.kv.all_heads, catalogue.kv.all_heads);
    // 2 × 16 layers × 8 heads × 64 × 2 B
    assert_eq!(file.kv.bytes_per_token, 32_768);
}
