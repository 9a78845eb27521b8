//! In Chinese no plan, refusal or error has an English sentence left. Names, values, text in `quotes` and an
//! engine's own sentence between “ and ” may be English.

use planner_core::device::Device;
use planner_core::engine;
use planner_core::render::words::{error_hint, error_message};
use planner_core::request::Request;
use planner_core::source;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
use planner_core::{Error, catalog, plan};
use planner_tests::request;
use serde_json::{Value, json};

/// Words that occur in no name or value: one of them shows an English sentence.
const FUNCTION_WORDS: &str = "a an and are as at be beside but by does for from has have in is it its keeps must no \
                              none not of or other such than that the their them there this to under was what \
                              which with without";

/// The first English words of a text that is to be Chinese.
fn english(text: &str) -> Option<String> {
    let told = text.split_once('“').map_or(text.to_owned(), |(before, rest)| {
        format!("{before}{}", rest.rsplit_once('”').map_or("", |(_, after)| after))
    });
    let bare: String = told.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let words: Vec<&str> = bare.split(' ').collect();
    let is_plain = |word: &str| word.len() > 1 && word.bytes().all(|b| b.is_ascii_lowercase());
    let is_function = |word: &str| FUNCTION_WORDS.split_whitespace().any(|known| known == word);
    let pair = words.windows(2).find(|pair| pair.iter().all(|word| is_plain(word)));
    let one = bare
        .split(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c))
        .find(|word| is_function(word) && word.len() > 1);
    pair.map(|pair| pair.join(" ")).or(one.map(str::to_owned))
}

#[derive(Default)]
struct Read {
    texts: usize,
    left: Vec<String>,
}

impl Read {
    fn text(&mut self, text: &str) {
        self.texts += 1;
        if let Some(found) = english(text) {
            self.left.push(format!("{found}: {text}"));
        }
    }

    fn error(&mut self, error: &Error) {
        self.text(&error_message(Lang::Zh, error));
        if let Some(hint) = error_hint(Lang::Zh, error) {
            self.text(&hint);
        }
    }

    fn plan(&mut self, model: &ModelSpec, request: &Request) {
        match plan::plan(model, request) {
            Err(error) => self.error(&error),
            Ok(plan) => {
                let command = plan.command();
                for note in plan.notes.iter().chain(command.iter().flat_map(|command| &command.notes)) {
                    self.text(&note.text.text(Lang::Zh));
                }
            }
        }
    }

    fn config(&mut self, text: &str) {
        match source::from_config_json(text, false) {
            Err(error) => self.error(&error),
            Ok(model) => {
                for note in &model.notes {
                    self.text(&note.text.text(Lang::Zh));
                }
            }
        }
    }

    fn done(mut self, least: usize) {
        self.left.sort();
        self.left.dedup();
        assert!(self.left.is_empty(), "{} texts: {:#?}", self.left.len(), self.left);
        assert!(self.texts >= least, "only {} texts were read", self.texts);
    }
}

#[test]
fn the_test_itself_sees_english() {
    assert!(english("该模型 keeps 状态").is_some());
    assert!(english("不支持 sliding window 的层").is_some());
    assert!(english("`--seq` 的值是 many，应为：不小于 1 的整数个 token，例如 1000、32k 或 128K").is_none());
}

#[test]
fn every_model_of_the_catalogue_under_every_engine() {
    let settings = [
        "seq 100000000 users 3",
        "kv-dtype fp8 tp 3",
        "kv-dtype int4 gpus 8 cache quantized",
        "tp 8 dcp 2 kv-heads 3",
        "k-dtype q8_0 v-dtype q4_0 flash-attn off ctx-size 1000 n-parallel 2",
        "speculative mtp:2 users 9 max-model-len 7 pp 2",
        "cache static attention-backend FLASHMLA block-size 13",
        "speculative eagle:2 weight-dtype fp8 attention-backend nonsense",
    ];
    let mut read = Read::default();
    for (index, model) in planner_models::MODELS.iter().enumerate() {
        let model = catalog::model(model.id).unwrap();
        for engine in engine::all() {
            // the first without any flag, and in turn two of the others
            for flags in ["", settings[index % settings.len()], settings[(index + 3) % settings.len()]] {
                match request(&format!("engine {} gpu h100 {flags}", engine.id())) {
                    Ok(request) => read.plan(&model, &request),
                    Err(error) => read.error(&error),
                }
            }
        }
    }
    read.done(5_000);
}

#[test]
fn every_type_of_model_with_next_to_no_configuration() {
    let mut read = Read::default();
    for family in planner_models::FAMILIES {
        for (model_type, _) in family.model_types {
            read.config(&json!({ "model_type": model_type }).to_string());
            let layers = json!({
                "model_type": model_type, "num_hidden_layers": 2, "n_layer": 2, "num_layers": 2, "hidden_size": 64,
                "num_attention_heads": 4, "vocab_size": 100, "intermediate_size": 100,
                "architectures": ["ForConditionalGeneration"],
            });
            read.config(&layers.to_string());
        }
    }
    for encoder in planner_models::ENCODERS {
        read.error(&catalog::model(encoder.id).unwrap_err());
    }
    read.done(300);
}

#[test]
fn every_key_of_a_configuration_with_a_value_it_cannot_have() {
    let bad =
        [json!("text"), json!([]), json!({}), json!(-1), json!(0), json!(1.5), json!(1e300), json!(u64::MAX)];
    let mut read = Read::default();
    let step = 29; // a share of the catalogue, which takes its time
    for model in planner_models::MODELS.iter().step_by(step) {
        let config: Value = serde_json::from_str(model.config).unwrap();
        let mut configs = vec![config.clone()];
        for (key, value) in config.as_object().unwrap() {
            for bad in &bad {
                let mut changed = config.clone();
                changed[key] = bad.clone();
                configs.push(changed);
            }
            for inner in value.as_object().into_iter().flat_map(|map| map.keys()) {
                for bad in &bad {
                    let mut changed = config.clone();
                    changed[key][inner] = bad.clone();
                    configs.push(changed);
                }
            }
        }
        for method in ["", "awq", "gptq", "fp8", "modelopt", "compressed-tensors", "bitsandbytes", "nonsense"]
        {
            let mut changed = config.clone();
            changed["quantization_config"] = json!({ "quant_method": method, "bits": 5, "version": "x" });
            configs.push(changed);
        }
        configs.iter().for_each(|config| read.config(&config.to_string()));
    }
    for text in ["", "<html>", "[1]", "{", "{\"a\": }", "nonsense", "{}", "{\"model_type\": 3}"] {
        read.config(text);
    }
    read.config(&json!({ "model_type": "nobody", "architectures": ["NobodyForMaskedLM"] }).to_string());
    read.config(&json!({ "model_type": "nobody", "text_config": { "model_type": "llama" } }).to_string());
    read.done(500);
}

#[test]
fn every_flag_with_nonsense() {
    let flags = "engine seq users tp pp dp dcp gpus kv-dtype k-dtype v-dtype weight-dtype kv-heads kv-memory \
                 memory-utilization reserve attention-backend block-size max-num-batched-tokens max-num-seqs \
                 max-model-len ctx-size n-parallel batch ubatch kv-unified flash-attn swa-full cache source-len \
                 shared-prefix speculative async-scheduling prefix-caching strict no-such-flag";
    let mut read = Read::default();
    for flag in flags.split_whitespace() {
        for value in ["nonsense", "0", "-1", "", "99999999999999999999999", "vllm@0.1", "1.7"] {
            if let Err(error) = Request::default().set(flag, value) {
                read.error(&error);
            }
        }
    }
    for name in ["h100-81gb", "1B", "", "0GiB"] {
        read.error(&Device::resolve(name).unwrap_err());
    }
    read.error(&catalog::model("lama3-70b").unwrap_err());
    read.done(100);
}

#[test]
fn files_that_are_no_gguf() {
    let mut file = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
    for (key, text) in [("general.architecture", "llama"), ("general.name", "x")] {
        file.extend((key.len() as u64).to_le_bytes());
        file.extend(key.as_bytes());
        file.extend(8_u32.to_le_bytes());
        file.extend((text.len() as u64).to_le_bytes());
        file.extend(text.as_bytes());
    }
    file.extend(5_u64.to_le_bytes());
    file.extend(b"t.wei");
    file.extend(1_u32.to_le_bytes());
    file.extend(0_u64.to_le_bytes());
    file.extend(2_u32.to_le_bytes());
    file.extend(7_u64.to_le_bytes());
    let mut read = Read::default();
    let mut attempt = |bytes: &[u8]| match source::gguf::Header::read(&mut { bytes }) {
        Err(error) => read.error(&error),
        Ok(header) => {
            if let Err(error) = planner_core::engine::llamacpp::from_gguf::model("x", &header) {
                read.error(&error);
            }
        }
    };
    for end in 0..=file.len() {
        attempt(&file[..end]);
    }
    for at in 0..file.len() {
        for byte in [0, 1, 3, 9, 12, 255] {
            let mut changed = file.clone();
            changed[at] = byte;
            attempt(&changed);
        }
    }
    read.done(300);
}
