//! Common parts of every engine's answer, and TensorRT-LLM's blocks, by hand: Llama 3 8B keeps 131,072 B a
//! token.

use planner_core::catalog;
use planner_core::dtype::DType;
use planner_core::engine::architecture::ReferenceCache;
use planner_core::engine::{self, ShareOf, Unit};
use planner_core::error::{Code, Error};
use planner_core::plan::{Plan, plan, resolve};
use planner_core::request::Request;
use planner_core::source::{from_config_json, gguf};
use planner_core::spec::model::ModelSpec;
use planner_tests::{configuration, engine_keys, fixture, json, request, said, text};
use serde_json::json;

/// A model of the catalogue, or of a configuration among the fixtures.
fn load(model: &str) -> ModelSpec {
    if !model.ends_with(".json") {
        return catalog::model(model).unwrap();
    }
    let path = configuration(model).unwrap();
    from_config_json(&text(&path), false).unwrap()
}

/// Asks something of the plan of a model.
fn of<T>(model: &str, flags: &str, question: impl Fn(&Plan<'_>) -> T) -> Result<T, Error> {
    let request = request(flags)?;
    plan(&load(model), &request).map(|plan| question(&plan))
}

/// The notes of an answer.
fn notes(model: &str, flags: &str) -> Vec<String> {
    of(model, flags, |plan| plan.notes.iter().map(|note| format!("{}: {}", note.code, note.text)).collect())
        .unwrap()
}

fn refusal(model: &str, flags: &str) -> String {
    let error = of(model, flags, |_| ()).unwrap_err();
    let said = said(&error);
    assert!(!error.is_usage(), "{said}");
    said
}

#[test]
fn engines_go_by_several_names() {
    let id = |name: &str| engine::find(name).map(|(engine, version)| (engine.id(), version));
    for (name, expected) in [
        ("llamacpp", "llama.cpp"),
        ("Llama.CPP", "llama.cpp"),
        ("trtllm", "tensorrt-llm"),
        ("TensorRT", "tensorrt-llm"),
        ("hf", "transformers"),
        ("huggingface", "transformers"),
        ("truth", "architecture"),
        ("vllm", "vllm"),
    ] {
        assert_eq!(id(name).unwrap().0, expected, "{name}");
    }
    // A version is the engine's own, the first one where none is named.
    assert_eq!(id("vllm").unwrap(), ("vllm", "0.33.0"));
    assert_eq!(id("vllm@0.24").unwrap(), ("vllm", "0.24"));
    assert!(said(&id("vllm@9").unwrap_err()).contains("0.33.0"));
    assert!(said(&id("vlm").unwrap_err()).contains("vllm"));
    assert_eq!(engine::resolve(None).unwrap().0.id(), "architecture");
    let all: Vec<&str> = engine::all().iter().map(|engine| engine.id()).collect();
    let known = ["architecture", "vllm", "sglang", "llama.cpp", "transformers", "candle", "tensorrt-llm"];
    assert!(known.iter().all(|id| all.contains(id)) && all.len() == known.len(), "{all:?}");
}

#[test]
fn a_flag_that_an_engine_has_no_use_for_is_named() {
    let has = |flags: &str, code: &str, text: &str| {
        let found = notes("llama3-8b", flags);
        found.iter().any(|note| note.starts_with(code) && note.contains(text))
    };
    assert!(has(
        "engine transformers block-size 16 ctx-size 9",
        "setting_unread",
        "--block-size, --ctx-size"
    ));
    assert!(!has("engine vllm block-size 16", "setting_unread", ""));
    assert!(!has("engine vllm pp 2 kv-dtype fp8", "setting_unread", ""));
    // Where the room is given, shares of a GPU and reserves change nothing.
    assert!(has("kv-memory 8GiB reserve 1GiB gpu h100", "budget_skipped", "--reserve"));
    assert!(has("kv-memory 8GiB memory-utilization 0.5 gpu h100", "budget_skipped", "--memory-utilization"));
    assert!(!has("kv-memory 8GiB gpu h100", "budget_skipped", ""));
    assert!(!has("reserve 1GiB gpu h100", "budget_skipped", ""));
    assert!(has("source-len 100", "source_unread", ""));
    assert!(notes("bart-large", "source-len 100").iter().all(|note| !note.starts_with("source_unread")));
    assert!(has("shared-prefix 64 engine vllm users 2 seq 1000", "prefix_shared", " 8 MiB"));
    assert!(has("shared-prefix 64 engine transformers users 2 seq 1000", "prefix_not_shared", "64"));
    assert!(!has("engine vllm users 2 seq 1000", "prefix", ""));
}

#[test]
fn what_an_engine_cannot_do_is_refused() {
    assert!(refusal("llama3-8b", "engine transformers dcp 2 tp 16").contains("--dcp"));
    assert!(refusal("llama3-8b", "engine llama.cpp speculative eagle:2").contains("--speculative"));
    assert!(of("llama3-8b", "engine llama.cpp speculative ngram:2", |_| ()).is_ok());
    assert!(refusal("llama3-8b", "engine vllm k-dtype fp8").contains("--k-dtype"));
    assert!(refusal("llama3-8b", "engine vllm v-dtype fp8").contains("--v-dtype"));
    assert!(of("llama3-8b", "engine vllm k-dtype fp8 v-dtype fp8", |_| ()).is_ok());
    assert!(of("llama3-8b", "engine llama.cpp k-dtype q8_0 v-dtype f16", |_| ()).is_ok());
}

/// Llama 2 13B has 40 heads, but an inner width of 13,824, which five ranks cannot share out.
#[test]
fn ranks_share_out_whole_widths() {
    for engine in ["vllm", "sglang"] {
        let flags = |tp: u64| format!("engine {engine} gpu h100-80gb seq 1024 tp {tp}");
        let error = of("llama2-13b", &flags(5), |_| ()).unwrap_err();
        assert!(said(&error).contains("intermediate_size") && said(&error).contains("13824"));
        assert!(of("llama2-13b", &flags(4), |_| ()).is_ok());
    }
}

#[test]
fn a_shared_prefix_is_stored_once_in_whole_blocks() {
    // Of 1,000 tokens 100 are shared, six blocks of 16; a session is 63 blocks.
    let block = 16 * 131_072;
    let figures = |flags: &str| of("llama3-8b", flags, |plan| plan.engine.total_bytes).unwrap();
    assert_eq!(figures("engine vllm seq 1000 users 3"), 3 * 63 * block);
    assert_eq!(figures("engine vllm seq 1000 users 3 shared-prefix 100"), (63 + 2 * 57) * block);
    assert_eq!(figures("engine vllm seq 1000 users 3 shared-prefix 96"), (63 + 2 * 57) * block);
    assert_eq!(figures("engine vllm seq 1000 users 3 shared-prefix 95"), (63 + 2 * 58) * block);
    // One token is always computed: of 32 shared ones a session of 32 finds 16.
    assert_eq!(figures("engine vllm seq 32 users 2 shared-prefix 32"), (2 + 1) * block);
    assert_eq!(figures("engine vllm seq 1000 users 3 shared-prefix 100 prefix-caching off"), 3 * 63 * block);
}

#[test]
fn seats_bound_the_users() {
    let seats = |users: u64, engine: &str| {
        of("llama3-8b", &format!("engine {engine} gpu h200 seq 100 users {users} max-num-seqs 4"), |_| ())
    };
    for engine in ["vllm", "tensorrt-llm"] {
        assert!(seats(4, engine).is_ok(), "{engine}");
        assert!(said(&seats(5, engine).unwrap_err()).contains("at least 5 users"), "{engine}");
    }
}

#[test]
fn tensorrt_llm_keeps_whole_blocks() {
    let token = 131_072;
    let keys = |flags: &str| {
        let flags = format!("engine trtllm {flags}");
        of("llama3-8b", &flags, |plan| (engine_keys(&plan.engine.report), plan.engine.session_bytes)).unwrap()
    };
    let (found, session) = keys("seq 1000 kv-memory 1GiB");
    assert_eq!(session, 32 * 32 * token);
    assert_eq!([&found["block_size"], &found["num_blocks"], &found["kv_cache_tokens"]], [32, 256, 8192]);
    assert_eq!([&found["max_concurrency"], &found["min_prefix_hit_tokens"]], [&json!(8.0), &json!(32)]);
    assert_eq!(found["blocks_per_session"], 32);
    // 1 GiB without room given, blocks of 64, one byte an element, no reuse.
    let (found, session) = keys("seq 1000 block-size 64 kv-dtype fp8 prefix-caching off");
    assert_eq!(session, 16 * 64 * token / 2);
    assert_eq!([&found["num_blocks"], &found["min_prefix_hit_tokens"]], [&json!(null), &json!(null)]);
    // The longest request counts for the concurrency, not the session.
    let (found, _) = keys("seq 1000 max-model-len 2000 kv-memory 1GiB");
    assert_eq!(found["max_concurrency"], json!(256.0 / 63.0));
    // 16 ranks share 8 heads, each of them held twice; two stages hold half of the layers each.
    assert_eq!(keys("seq 1000 tp 16").1, 2 * 32 * 32 * token);
    let (found, session) = keys("seq 1000 pp 2 kv-memory 1GiB");
    assert_eq!((session, &found["num_blocks"]), (32 * 32 * token, &json!(512)));
    let total =
        of("llama3-8b", "engine trtllm seq 1000 users 3 shared-prefix 100", |plan| plan.engine.total_bytes);
    assert_eq!(total.unwrap(), (32 + 2 * 29) * 32 * token);

    let (engine, _) = engine::find("trtllm").unwrap();
    assert_eq!((engine.versions(), engine.utilization_of()), (&["1.2"][..], ShareOf::FreeAfterWeights));
    assert!(notes("llama3-8b", "engine trtllm seq 10").iter().any(|note| note.starts_with("engine_not_run")));
}

#[test]
fn what_tensorrt_llm_keeps_otherwise_is_not_covered() {
    for (model, why) in [
        ("qwen3.5-27b", "a recurrent state"),
        ("bart-large", "cross-attention"),
        ("mimo-v2-flash", "keys and values of different width"),
        ("deepseek-v4-flash", "a compressed cache"),
    ] {
        let text = refusal(model, "engine trtllm seq 1000");
        assert!(text.contains(why), "{model}: {text}");
    }
    let error = of("llama3-8b", "engine trtllm kv-dtype q8_0", |_| ()).unwrap_err();
    assert!(said(&error).contains("--kv-dtype"), "{}", said(&error));
    for kept in ["bf16", "f16", "f32", "fp8"] {
        assert!(of("llama3-8b", &format!("engine trtllm kv-dtype {kept}"), |_| ()).is_ok(), "{kept}");
    }
}

/// Blocks of a session, and each group's blocks for the longest request, by kind.
fn blocks(model: &str, flags: &str) -> (u64, Vec<(String, u64, u64)>) {
    of(model, &format!("engine vllm {flags}"), |plan| {
        let keys = &engine_keys(&plan.engine.report);
        let groups = keys["groups"].as_array().unwrap().iter().map(|group| {
            let number = |key: &str| group[key].as_u64().unwrap();
            let kind = group["kind"].as_str().unwrap().to_owned();
            (kind, number("block_size"), number("blocks_per_session"))
        });
        let on_all_gpus = keys["block_bytes"][0].as_u64().unwrap() * plan.run().parallel.tp();
        (plan.engine.session_bytes / on_all_gpus, groups.collect())
    })
    .unwrap()
}

#[test]
fn a_vllm_session_holds_the_blocks_of_its_tokens_and_whole_states() {
    // Windows of 512 with 16,384 tokens in flight keep all of 1,000 tokens, as the full layers do: 63 blocks in
    // each of seven groups.
    assert_eq!(blocks("gemma3-1b", "seq 1000 max-model-len 8192").0, 7 * 63);
    // Chunks likewise.
    let (held, groups) = blocks("llama4-scout", "tp 8 seq 1000 max-model-len 8192");
    assert!(groups.iter().any(|(kind, ..)| kind == "chunked"), "{groups:?}");
    assert_eq!(held, groups.len() as u64 * 63);
    // A state's bytes do not depend on the number of tokens.
    let (held, groups) = blocks("qwen3.5-27b", "seq 1000 max-model-len 8192");
    let each = |(kind, size, longest): &(String, u64, u64)| match kind.as_str() {
        "state" => *longest,
        _ => 1000_u64.div_ceil(*size),
    };
    assert!(groups.iter().any(|(kind, ..)| kind == "state"), "{groups:?}");
    assert_eq!(held, groups.iter().map(each).sum::<u64>());
}

/// The command that Llama 3 8B's plan for 1,000 tokens gives with these flags, as a shell reads it.
fn command(flags: &str) -> String {
    of("llama3-8b", &format!("seq 1000 {flags}"), |plan| {
        let all = planner_core::render::json::plan(plan, planner_core::text::Lang::En);
        all["engine"]["command"]["shell"].as_str().unwrap().to_owned()
    })
    .unwrap()
}

#[test]
fn a_vllm_command_is_spelled_for_its_version() {
    assert!(command("engine vllm@0.24 prefix-caching off").ends_with(" --no-enable-prefix-caching"));
    assert!(command("engine vllm prefix-caching off").ends_with(" --disable-prefix-caching"));
    assert!(!command("engine vllm gpu h100").contains("utilization"));
    assert!(command("engine vllm@0.24 gpu h100 memory-utilization 0.8").contains("utilization 0.8"));
    // An L4 takes 256 sequences by itself.
    assert!(command("engine vllm gpu l4 users 257").contains(" --max-num-seqs 257"));
    assert!(!command("engine vllm gpu l4 users 256").contains("seqs"));
}

#[test]
fn vllm_says_what_it_took_for_granted() {
    let codes = |flags: &str| -> Vec<String> {
        let all = notes("llama3-8b", &format!("engine {flags}"));
        all.iter()
            .filter(|note| note.starts_with("vllm_"))
            .map(|note| note.split(':').next().unwrap().into())
            .collect()
    };
    assert_eq!(codes("vllm"), ["vllm_device_assumed"]);
    assert_eq!(codes("vllm gpu h100"), [""; 0]);
    assert_eq!(codes("vllm gpu h100 speculative eagle:1"), ["vllm_draft_assumed"]);
    assert_eq!(codes("vllm@0.24 gpu h100"), ["vllm_version"]);
    let unknown = r#"{"model_type":"arcee","architectures":["ArceeForCausalLM2"],"hidden_size":64,"num_hidden_layers":2,
        "intermediate_size":64,"num_attention_heads":4,"vocab_size":64,"max_position_embeddings":4096,"auto_map":{}}"#;
    let model = from_config_json(unknown, false).unwrap();
    let request = request("engine vllm gpu h100 seq 100").unwrap();
    let plan = plan(&model, &request).unwrap();
    assert!(plan.engine.report.notes.iter().any(|note| note.code == "vllm_class_unknown"));
}

#[test]
fn every_engine_says_its_version_and_the_flags_it_reads() {
    const SERVER: [&str; 8] = [
        "attention-backend",
        "block-size",
        "max-num-batched-tokens",
        "max-num-seqs",
        "max-model-len",
        "speculative",
        "async-scheduling",
        "prefix-caching",
    ];
    for (id, version, reads, one_type) in [
        ("architecture", "1", vec!["dcp", "ep", "redundant-experts", "dp-attention"], false),
        ("vllm", "0.33.0", [&["dcp", "ep", "redundant-experts"][..], &SERVER].concat(), true),
        ("sglang", "0.5.23", [&["ep", "redundant-experts", "dp-attention"][..], &SERVER].concat(), true),
        ("transformers", "5.23.0", vec!["cache"], true),
        ("candle", "0.11.1", vec![], true),
        (
            "tensorrt-llm",
            "1.2",
            [
                &["ep", "dp-attention"][..],
                &["block-size", "max-num-seqs", "max-num-batched-tokens", "max-model-len", "prefix-caching"],
            ]
            .concat(),
            true,
        ),
    ] {
        let (engine, first) = engine::find(id).unwrap();
        assert_eq!(
            (engine.versions()[0], first, engine.one_kv_dtype()),
            (version, version, one_type),
            "{id}"
        );
        assert_eq!(engine.reads(&Request::default()), reads, "{id}");
    }
    let (transformers, _) = engine::find("hf").unwrap();
    assert_eq!(transformers.reads(&request("cache static").unwrap()), ["cache", "max-model-len"]);
}

/// Bytes of a session before its first token.
fn floor(model: &str, engine: &str) -> u64 {
    of(model, &format!("engine {engine} gpu h100 seq 1000"), |plan| {
        plan.allocation().unwrap().min_session_bytes().unwrap()
    })
    .unwrap()
}

#[test]
fn a_session_holds_its_state_before_its_first_token() {
    // 64 layers, 8,192 wide: a state of 16 columns in f32 and a convolution of 3 (4 in transformers) in bf16;
    // vLLM keeps both in the model's type.
    let mamba = |bytes: u64| 64 * 8_192 * bytes;
    assert_eq!(floor("falcon-mamba-7b", "architecture"), mamba(16 * 4 + 3 * 2));
    assert_eq!(floor("falcon-mamba-7b", "transformers"), mamba(16 * 4 + 4 * 2));
    assert_eq!(floor("falcon-mamba-7b", "vllm"), mamba((16 + 3) * 2));
    // Rows come with their tokens; vLLM's floor is the block of the first token.
    for engine in ["architecture", "transformers", "candle", "sglang", "tensorrt-llm"] {
        assert_eq!(floor("llama3-8b", engine), 0, "{engine}");
    }
    assert_eq!(floor("llama3-8b", "vllm"), 16 * 131_072);
    // Candle: 64 layers, 5,120 wide, 16 columns of state and one of convolution, in f32.
    assert_eq!(floor("mamba-2.8b", "candle"), 64 * 5_120 * (16 + 1) * 4);
}

/// Bytes of a session, of all sessions, and of each stage.
fn figures(model: &str, flags: &str) -> (u64, u64, Vec<u64>) {
    of(model, flags, |plan| {
        let stages = plan.allocation().unwrap().stage_bytes(plan.request.users, plan.tokens).unwrap();
        (plan.engine.session_bytes, plan.engine.total_bytes, stages)
    })
    .unwrap()
}

#[test]
fn sglang_sessions_take_whole_pages_and_share_their_start() {
    let token = 131_072;
    assert_eq!(figures("llama3-8b", "engine sglang gpu h100 seq 1000 users 3").1, 3 * 1000 * token);
    let paged = "engine sglang gpu h100 seq 1000 users 3 block-size 64";
    assert_eq!(figures("llama3-8b", paged).1, 3 * 1024 * token);
    // 100 tokens alike are one page of 64.
    assert_eq!(figures("llama3-8b", &format!("{paged} shared-prefix 100")).1, (1024 + 2 * 960) * token);
    let off = format!("{paged} shared-prefix 100 prefix-caching off");
    assert_eq!(figures("llama3-8b", &off).1, 3 * 1024 * token);
    // With windows or states no other session shares a prefix.
    for model in ["gpt-oss-20b", "qwen3.5-27b"] {
        let (session, all, _) = figures(model, "engine sglang gpu h100 seq 1000 users 3 shared-prefix 500");
        assert_eq!(all, 3 * session, "{model}");
    }
}

#[test]
fn sglang_keeps_a_window_s_rows_apart() {
    // gpt-oss-20b: 12 layers of 8 heads of 64 in bf16 keep all rows; 12 keep a window of 128, the 128 tokens
    // before the next eviction, and the page ahead.
    let layers = 12 * 8 * 64 * 2 * 2;
    let session = |flags: &str| figures("gpt-oss-20b", &format!("engine sglang gpu h100 {flags}")).0;
    assert_eq!(session("seq 10000"), (10_000 + 128 + 128 + 1) * layers);
    assert_eq!(session("seq 200"), (200 + 200) * layers);
    assert_eq!(session("seq 10000 block-size 64"), (10_048 + 320) * layers);
    // The window pool has 8 rows for 10 of the full pool, so the larger demand decides.
    let stages = |flags: &str| figures("gpt-oss-20b", &format!("engine sglang gpu h100 {flags}")).2;
    assert_eq!(stages("seq 10000"), [10_000 * layers + 10_000 * layers * 8 / 10]);
    assert_eq!(stages("seq 200"), [250 * layers + 200 * layers]);
    // Without prefix caching and with a number of requests: a window less the token itself, the 128 tokens
    // before the next eviction, and two pages, each; two chunks of 8,192; and a page.
    let window = 4 * (127 + 128 + 1 + 1) + 2 * 8192 + 1;
    assert_eq!(
        stages("seq 10000 users 4 prefix-caching off max-num-seqs 4"),
        [4 * 10_000 * layers + window * layers]
    );
    let one_chunk = 4 * (127 + 128 + 1 + 1) + 8192 + 1;
    assert_eq!(
        stages("seq 10000 users 4 prefix-caching off max-num-seqs 4 async-scheduling off"),
        [4 * 10_000 * layers + one_chunk * layers]
    );
}

#[test]
fn sglang_gives_states_nine_parts_of_nineteen() {
    // falcon-mamba-7b: 64 layers, 8,192 wide, a convolution of 3 in bf16 and a state of 16 in f32 for a slot; three
    // slots a running session, and one that is never handed out.
    let slot = 64 * 8_192 * (3 * 2 + 16 * 4);
    let (session, _, stages) = figures("falcon-mamba-7b", "engine sglang gpu h100 seq 1000 users 5");
    assert_eq!(session, 3 * slot);
    assert_eq!(stages, [(16 * slot * 19_u64).div_ceil(9)]);
    // With a number of requests and without prefix caching: one slot a request.
    let fixed = "engine sglang gpu h100 seq 1000 users 5 max-num-seqs 8 prefix-caching off";
    let (_, _, stages) = figures("falcon-mamba-7b", fixed);
    assert_eq!(stages, [9 * slot]);
    let (_, _, stages) = figures("falcon-mamba-7b", "engine sglang gpu h100 seq 1000 users 5 max-num-seqs 8");
    assert_eq!(stages, [(16 * slot * 19_u64).div_ceil(9)]);
    // qwen3.5-27b: 16 layers of 4 heads of 256 keep rows, in the other ten parts of the memory.
    let (_, _, stages) = figures("qwen3.5-27b", "engine sglang gpu h100 seq 200000 users 2");
    assert_eq!(stages, [(400_000 * 16 * 4 * 512 * 2_u64 * 19).div_ceil(10)]);
}

#[test]
fn sglang_keeps_deepseek_v4_s_rows_by_their_ratio() {
    // `DSV4PoolConfigurator`, in 2560ths of a byte a token: a window's page of 256 rows of 584 B is padded to
    // 260 × 576 B, and there is a tenth of them; ratio 4 adds 8 rows of 4 × (512 + 128) f32 to such a page,
    // pages of 64 rows padded to 65 × 576 B, and index keys of 132 B; ratio 128 pages of two rows, 3 × 576 B.
    let window = 260 * 576;
    let four = window + 8 * 4 * 640 * 4 + 10 * (65 * 576 + 64 * 132);
    let many = window + 10 * (3 * 576);
    let pools = |tokens: u64| tokens * (2 * window + 21 * four + 20 * many) / 2560;
    // 20 layers have a ring of 128 rows of 2 × 512 f32 for each of 256 requests and one more, and a row more.
    let row = 20 * 2 * 512 * 4;
    let rings = (258 * 128_u64 + 1).next_multiple_of(128) * row;
    let of = |flags: &str| figures("deepseek-v4-flash", &format!("engine sglang gpu h100 {flags}"));
    // The window of 128, the 128 tokens before the next eviction, and a page are 512 rows, a tenth of 5,120.
    let (session, all, stages) = of("seq 1000 users 3");
    assert_eq!(session, pools(5120) + 128 * row);
    assert_eq!(all, 3 * session);
    assert_eq!(stages, [pools(3 * 5120) + rings]);
    assert_eq!(of("seq 100000").0, pools(100_096) + 128 * row);
    // The window pool must be larger than a window and a page, however short the sessions.
    assert_eq!(of("seq 100").0, pools(2560) + 128 * row);
    assert_eq!(of("seq 100").2, [pools(5120) + rings]);
    assert_eq!(floor("deepseek-v4-flash", "sglang"), 128 * row);
}

#[test]
fn sglang_s_window_pool_is_larger_than_a_window_and_a_page() {
    // gpt-oss-20b: a window of 127 tokens, the token itself, and a page of one (`validate_swa_pool_size`): 129
    // rows are 0.8 of 162.
    let layers = 12 * 8 * 64 * 2 * 2;
    let stages = |flags: &str| figures("gpt-oss-20b", &format!("engine sglang gpu h100 {flags}")).2;
    assert_eq!(stages("seq 50"), [(162 * layers * 18_u64).div_ceil(10)]);
    assert_eq!(stages("seq 129"), [(162 * layers * 18_u64).div_ceil(10)]);
    assert_eq!(stages("seq 136"), [170 * layers * 18 / 10]);
}

#[test]
fn sglang_counts_rows_in_layers_without_attention() {
    // Llama 3.3 Nemotron Super 49B: 49 layers of 80 have attention, all of 8 heads of 128
    // (`DefaultPoolConfigurator._compute_cell_size`, `ModelConfig.get_total_num_kv_heads`).
    let model = "nvidia__Llama-3_3-Nemotron-Super-49B-v1.json";
    assert_eq!(figures(model, "engine sglang gpu h100 seq 1000").0, 1000 * 80 * 8 * 128 * 2 * 2);
}

#[test]
fn what_sglang_keeps_otherwise_is_not_covered() {
    for (model, flags, why) in [
        ("default-glm5_next.json", "", "a compressed cache"),
        ("MiniMaxAI__MiniMax-M3.json", "", "the indexer of"),
        ("llama3-8b", "speculative mtp:1", "no prediction layers"),
        ("deepseek-v4-flash", "speculative mtp:1", "draft pools"),
        ("made-gpt-oss-drafts.json", "speculative mtp:1", "draft pools"),
        ("nvidia__NVIDIA-Nemotron-3-Super-120B-A12B-FP8.json", "speculative mtp:1", "draft pools"),
        ("deepseek-v4-flash", "speculative ngram:2", "kvplan has no rule for SGLang's other drafts"),
        ("qwen3.5-27b", "speculative ngram:2", "kvplan has no rule for SGLang's other drafts"),
        ("llama3-8b", "speculative eagle:2", "kvplan has no rule for SGLang's other drafts"),
    ] {
        let error = of(model, &format!("engine sglang gpu h100 seq 100 {flags}"), |_| ()).unwrap_err();
        assert!(said(&error).contains(why), "{model} {flags}: {}", said(&error));
    }
    for (model, flags) in [("deepseek-r1", "speculative mtp:1"), ("gpt-oss-20b", "speculative ngram:2")] {
        assert!(of(model, &format!("engine sglang gpu h100 seq 100 {flags}"), |_| ()).is_ok(), "{model}");
    }
}

#[test]
fn a_sglang_command_says_what_was_asked() {
    let command = |flags: &str| command(&format!("engine sglang gpu h100 {flags}"));
    assert!(command("kv-dtype fp8").contains(" --kv-cache-dtype fp8_e4m3"));
    assert!(command("kv-dtype bf16").contains(" --kv-cache-dtype bf16"));
    assert!(!command("").contains("kv-cache-dtype"));
    assert!(command("prefix-caching off").contains(" --disable-radix-cache"));
    assert!(!command("prefix-caching on").contains("radix"));
    assert!(command("async-scheduling off").contains(" --disable-overlap-schedule"));
    assert!(!command("async-scheduling on").contains("overlap"));
}

#[test]
fn transformers_names_its_cache() {
    let keys = |model: &str, flags: &str| {
        of(model, &format!("engine hf {flags}"), |plan| engine_keys(&plan.engine.report)).unwrap()
    };
    let class = |model: &str, flags: &str| keys(model, flags)["cache"].as_str().unwrap().to_owned();
    assert_eq!(class("llama3-8b", "seq 100"), "DynamicCache");
    assert_eq!(class("llama3-8b", "seq 100 cache static"), "StaticCache");
    assert_eq!(class("llama3-8b", "seq 100 cache quantized"), "QuantizedCache");
    assert_eq!(class("falcon-mamba-7b", "seq 100"), "DynamicCache");
    assert_eq!(class("bart-large", "seq 100"), "EncoderDecoderCache");
    assert_eq!(class("NX-AI__xLSTM-7b.json", "seq 100"), "xLSTMCache");
    assert_eq!(class("RWKV__rwkv-4-7b-pile.json", "seq 100"), "list");
    assert_eq!(class("minimax-text-01", "seq 100"), "MiniMaxCache");
    assert_eq!(keys("llama3-8b", "seq 100 cache static max-model-len 200")["max_cache_len"], 200);
}

#[test]
fn a_static_cache_must_hold_the_session() {
    let of = |model: &str, flags: &str| {
        of(model, &format!("engine hf cache static {flags}"), |plan| plan.engine.session_bytes)
    };
    assert_eq!(of("llama3-8b", "seq 100 max-model-len 100").unwrap(), 100 * 131_072);
    assert!(said(&of("llama3-8b", "seq 101 max-model-len 100").unwrap_err()).contains("--max-model-len"));
    for (model, why) in
        [("deepseek-v4-flash", "compressed layers"), ("minimax-text-01", "its own cache class")]
    {
        let error = of(model, "seq 100").unwrap_err();
        assert!(
            error.code() == Code::TransformersStaticCache && said(&error).contains(why),
            "{model}: {}",
            said(&error)
        );
    }
}

#[test]
fn transformers_keeps_states_in_the_type_it_computes_in() {
    let floor = |model: &str, flags: &str| {
        of(model, &format!("engine hf seq 100 {flags}"), |plan| {
            plan.allocation().unwrap().min_session_bytes().unwrap()
        })
        .unwrap()
    };
    // The convolution follows the model's type, the state is in f32 whatever that is.
    assert_eq!(floor("falcon-mamba-7b", "kv-dtype f32"), 64 * 8_192 * (16 * 4 + 4 * 4));
    assert_eq!(floor("falcon-mamba-7b", ""), 64 * 8_192 * (16 * 4 + 4 * 2));
    assert_eq!(floor("mamba-2.8b", "kv-dtype bf16"), 64 * 5_120 * (16 + 4) * 4);
}

#[test]
fn sglang_lists_its_pools() {
    let keys = |model: &str, flags: &str| {
        let flags = format!("engine sglang gpu h100 kv-memory 20GiB {flags}");
        of(model, &flags, |plan| engine_keys(&plan.engine.report)).unwrap()
    };
    let rows = |kind: &str, bytes: u64, rows: u64| json!({"kind": kind, "row_bytes": bytes, "rows_per_session": rows});
    // 20 GiB in rows of 131,072 B.
    let llama = keys("llama3-8b", "seq 1000");
    assert_eq!(llama["groups"], json!([rows("full", 131_072, 1000)]));
    assert_eq!([&llama["num_blocks"], &llama["kv_cache_tokens"]], [163_840, 163_840]);
    assert_eq!([&llama["max_concurrency"], &llama["min_prefix_hit_tokens"]], [&json!(163.84), &json!(1)]);
    assert!(!llama.contains_key("swa_tokens") && !llama.contains_key("state_slots"));
    let paged = keys("llama3-8b", "seq 1000 block-size 64 prefix-caching off");
    assert_eq!([&paged["num_blocks"], &paged["kv_cache_tokens"]], [2560, 163_840]);
    assert_eq!(paged["min_prefix_hit_tokens"], json!(null));
    // A window of 128, the 128 tokens before the next eviction, and the page ahead.
    let layers = 12 * 8 * 64 * 2 * 2;
    let gpt = keys("gpt-oss-20b", "seq 10000");
    assert_eq!(gpt["groups"], json!([rows("full", layers, 10_000), rows("window", layers, 257)]));
    // Full rows, and 0.8 times as many window rows.
    let tokens = (20 * (1_u64 << 30) * 10) / (layers * 18);
    assert_eq!([&gpt["kv_cache_tokens"], &gpt["swa_tokens"]], [tokens, tokens * 8 / 10]);
    // 48 layers: a convolution of 3 over 2 × 16 × 128 + 48 × 128 channels in bf16, 48 × 128 × 128 in f32.
    let slot = 48 * (3 * (2 * 16 * 128 + 48 * 128) * 2 + 48 * 128 * 128 * 4);
    let qwen = keys("qwen3.5-27b", "seq 1000");
    assert_eq!(qwen["groups"], json!([rows("full", 65_536, 1000), rows("state", slot, 5)]));
    assert_eq!(qwen["state_slots"], json!(20 * (1_u64 << 30) * 9 / 19 / slot - 1));
    let floor = of("qwen3.5-27b", "engine sglang gpu h100 seq 1000", |plan| {
        plan.allocation().unwrap().min_session_bytes().unwrap()
    });
    assert_eq!(floor.unwrap(), 5 * slot);
}

#[test]
fn sglang_says_which_page_it_takes() {
    let page = |flags: &str| {
        let flags = format!("engine sglang gpu h200 tp 8 seq 1000 {flags}");
        let found = notes("deepseek-v3", &flags);
        found.iter().any(|note| note.starts_with("page_of_engine"))
    };
    assert!(page("attention-backend flashmla block-size 32"));
    assert!(!page("attention-backend flashmla block-size 64"));
    assert!(!page("attention-backend flashmla"));
    assert!(!page("attention-backend fa3 block-size 32"));
}

#[test]
fn transformers_says_what_packs_a_quantized_cache() {
    let backend = |flags: &str| {
        let flags = format!("engine hf seq 100 {flags}");
        of("llama3-8b", &flags, |plan| {
            engine_keys(&plan.engine.report)["backend"].as_str().unwrap().to_owned()
        })
        .unwrap()
    };
    assert_eq!(backend("cache quantized"), "quanto");
    assert_eq!(backend("kv-dtype int2"), "quanto");
    assert_eq!(backend("kv-dtype hqq_int3"), "hqq");
    assert_eq!(backend("kv-dtype fp8"), "fp8");
    // Tokens after the prompt wait until 128 are quantized together; fp8 quantizes at once.
    let waits = |flags: &str| {
        notes("llama3-8b", &format!("engine hf seq 100 {flags}"))
            .iter()
            .any(|note| note.starts_with("quantized_prompt") && note.contains("up to 127 tokens"))
    };
    assert!(waits("cache quantized") && waits("kv-dtype hqq_int8") && !waits("kv-dtype fp8"));
    let refused =
        |flags: &str| said(&of("llama3-8b", &format!("engine hf seq 100 {flags}"), |_| ()).unwrap_err());
    assert!(refused("cache quantized kv-dtype f16").contains("hqq_int1"));
    assert!(refused("cache static kv-dtype int4").contains("no static quantized cache"));
    assert!(refused("kv-dtype q8_0").contains("q8_0"));
}

#[test]
fn candle_refuses_what_its_modules_cannot_load() {
    let refused = |model: &str, why: &str| {
        let text = refusal(model, "engine candle seq 100");
        assert!(text.contains(why), "{model}: {text}");
    };
    refused("granite4-h-tiny", "mamba layers");
    refused("gemma4-e2b", "share keys and values");
    refused("gemma4-31b", "attention_k_eq_v");
    let plain = "Qwen__Qwen3-32B-FP8.json";
    refused(plain, "plain weights only");
    assert!(of(plain, "engine candle seq 100 weight-dtype bf16", |_| ()).is_ok());
    for kept in ["f32", "f16", "bf16"] {
        assert!(of("llama3-8b", &format!("engine candle seq 100 kv-dtype {kept}"), |_| ()).is_ok());
    }
    assert!(of("llama3-8b", "engine candle seq 100 kv-dtype fp8", |_| ()).is_err());
}

/// A model of a configuration among the fixtures, with a key set.
fn changed(model: &str, pointer: &str, value: serde_json::Value) -> ModelSpec {
    let path = fixture("configs").join(model);
    let mut config = json(&path);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[key] = value;
    from_config_json(&config.to_string(), false).unwrap()
}

/// Bytes of a session of 100 tokens in candle, or the refusal.
fn in_candle(model: &ModelSpec, flags: &str) -> Result<u64, String> {
    let request = request(&format!("engine candle seq 100 {flags}")).unwrap();
    plan(model, &request).map(|plan| plan.engine.session_bytes).map_err(|error| said(&error))
}

#[test]
fn candle_loads_what_its_modules_read() {
    // Granite 4.0 Micro has no layers with states, which `granitemoehybrid.rs` refuses: 40 of 8 heads of 64.
    assert_eq!(in_candle(&load("granite4-micro"), ""), Ok(100 * 40 * 8 * 64 * 2 * 2));
    let gemma4 = |shared: bool| {
        let pointer = "/text_config/attention_k_eq_v";
        in_candle(&changed("google__gemma-4-26B-A4B.json", pointer, shared.into()), "")
    };
    assert!(gemma4(true).unwrap_err().contains("attention_k_eq_v"));
    assert!(gemma4(false).is_ok());
    // A key beside the text model counts as one inside it.
    for pointer in ["/quantization_config", "/text_config/quantization_config"] {
        let model = changed("google__gemma-3-27b-it.json", pointer, json!({ "quant_method": "fp8" }));
        assert!(in_candle(&model, "").unwrap_err().contains("plain weights only"), "{pointer}");
        assert!(in_candle(&model, "weight-dtype bf16").is_ok(), "{pointer}");
    }
}

#[test]
fn candle_reads_gguf_files_in_f32() {
    let metadata = |values: u64| {
        let keys = json!({
            "general.architecture": "llama", "llama.block_count": 2, "llama.embedding_length": 256,
            "llama.feed_forward_length": 512, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2,
            "llama.attention.key_length": 64, "llama.attention.value_length": values, "llama.context_length": 1024,
        });
        let metadata = keys.as_object().unwrap().clone();
        let header =
            gguf::Header { version: 3, metadata, tensors: Vec::new(), data_offset: 0, data_bytes: 0 };
        planner_core::engine::llamacpp::from_gguf::model("made", &header).unwrap()
    };
    // 2 layers of 2 heads, 64 wide, which is 256 / 4: `quantized_llama.rs` computes in f32.
    let even = metadata(64);
    let bytes = Ok(100 * 2 * 2 * 128 * 4);
    assert_eq!((in_candle(&even, ""), in_candle(&even, "kv-dtype f32")), (bytes.clone(), bytes));
    assert!(in_candle(&even, "kv-dtype bf16").unwrap_err().contains("computes in f32"));
    assert!(in_candle(&metadata(32), "").unwrap_err().contains("hidden_size / num_attention_heads"));
}

#[test]
fn candle_keeps_what_its_modules_keep() {
    // `t5.rs:T5Attention::forward` stores the decoder's own keys and values, not the encoder's: 6 layers of 8
    // heads of 64, in bf16 as the configuration says.
    let t5 = load("google-t5__t5-small.json");
    assert_eq!(in_candle(&t5, "source-len 70"), Ok(100 * 6 * 8 * 64 * 2 * 2));
    // `lfm2.rs:ShortConv` has no state before the first token, `mamba2.rs:State::new` all of it.
    assert_eq!(floor("lfm2-350m", "candle"), 0);
    // 24 layers, 24 heads of 64 × 128 and a convolution of 4 over 1,536 + 2 × 128, in the model's 16 bits.
    assert_eq!(floor("mamba2-130m", "candle"), 24 * (24 * 64 * 128 + 4 * (1536 + 256)) * 2);
}

/// The factors of the products whose sum is a session's bytes.
fn factors(model: &str, flags: &str) -> Vec<Vec<(u64, Unit)>> {
    of(model, &format!("seq 1000 {flags}"), |plan| {
        let terms = plan.allocation().unwrap().terms(plan.tokens).unwrap();
        terms.into_iter().map(|term| term.factors).collect()
    })
    .unwrap()
}

#[test]
fn terms_count_layers_and_rows() {
    use Unit::{Bytes, Layers, Rows};
    // Llama 3 8B: 32 layers of 8 heads of 128 in bf16.
    for engine in ["transformers", "candle"] {
        let llama = factors("llama3-8b", &format!("engine {engine}"));
        assert_eq!(llama, [[(32, Layers), (1000, Rows), (4096, Bytes)]], "{engine}");
    }
    // DeepSeek V2 Lite: 27 layers, a latent of 512 and 64; in candle 16 heads with keys of 128 + 64 and values of 128.
    assert_eq!(
        factors("deepseek-v2-lite", "engine candle"),
        [[(27, Layers), (1000, Rows), (16 * (192 + 128) * 2, Bytes)]]
    );
    // DeepSeek V4's compressed layers keep open groups beside their rows, so that no row divides them.
    let flash = factors("deepseek-v4-flash", "engine transformers");
    assert!(flash.iter().any(|factors| factors.len() == 2), "{flash:?}");
}

#[test]
fn names_of_types_are_the_engine_s() {
    let of_definition = |flags: &str| {
        let (model, request) = (load("llama3-8b"), request(flags).unwrap());
        let (run, _) = resolve(&model, &request).unwrap();
        ReferenceCache::of_definition(run).map(|needed| needed.dtypes())
    };
    // A cache type that only the engine knows: the definition beside it is in the model's own type.
    assert_eq!(of_definition("engine hf kv-dtype hqq_int4"), Ok((DType::BF16, DType::BF16)));
    assert!(of_definition("engine architecture kv-dtype hqq_int4").is_err());
    let error = of("llama3-8b", "engine transformers kv-dtype nf4", |_| ()).unwrap_err();
    assert!(said(&error).contains("hqq_int1"), "{}", said(&error));
}

#[test]
fn a_command_names_what_it_cannot_say() {
    let left_out = |flags: &str| {
        of("llama3-8b", &format!("engine llama.cpp seq 1000 {flags}"), |plan| {
            let command = plan.command().unwrap();
            let notes = command.notes.iter().filter(|note| note.code == "command_left_out");
            notes.map(|note| note.text.to_string()).collect::<Vec<String>>()
        })
        .unwrap()
    };
    assert!(left_out("").is_empty());
    assert_eq!(left_out("pp 2"), ["the command has no flag for --pp"]);
}

#[test]
fn a_static_cache_does_not_follow_a_window_of_what_is_generated() {
    let config = json!({
        "model_type": "unlimited_ocr_text", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 1000, "intermediate_size": 512,
        "sliding_window": 128, "max_position_embeddings": 1024, "dtype": "bfloat16",
    });
    let model = from_config_json(&config.to_string(), false).unwrap();
    let ask = |cache: &str| {
        request(&format!("engine hf seq 100 cache {cache}"))
            .and_then(|request| plan(&model, &request).map(|_| ()))
    };
    assert!(ask("dynamic").is_ok());
    assert!(said(&ask("static").unwrap_err()).contains("where the prompt ends"));
}
