//! `--verify URL` as a whole program: exit codes, JSON and words, against answers of real engines that a server in
//! this process repeats (`tests/fixtures/live`, whose README says where each is from).

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::{json, run, stderr};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/live")
}

/// A server of a folder of fixtures; its address.
fn server(folder: &str) -> String {
    server_of(fixtures().join(folder))
}

fn server_of(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            let read = stream.read(&mut bytes).unwrap_or(0);
            let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
            let path =
                request.strip_prefix("GET /").and_then(|rest| rest.split([' ', '?']).next()).unwrap_or("-");
            let name = path.replace('/', "_");
            let body = ["json", "txt"]
                .iter()
                .find_map(|end| std::fs::read(folder.join(format!("{name}.{end}"))).ok());
            let status = if body.is_some() { "200 OK" } else { "404 Not Found" };
            let body = body.unwrap_or_default();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&body);
        }
    });
    address
}

/// Exit code and `verify` of a folder's server, asked with a configuration and flags.
fn verify(folder: &str, config: &str, flags: &str) -> (Option<i32>, Json) {
    let config = fixtures().join(config);
    let line = format!("--verify {} -m {} {flags} --format json", server(folder), config.display());
    let output = run(&line);
    let all = json(&output);
    crate::schema::check(&line, &all);
    (output.status.code(), all["verify"].clone())
}

fn figure(verify: &Json, name: &str) -> (Option<i64>, Option<i64>) {
    let figures = verify["figures"].as_array().unwrap();
    let own = figures.iter().find(|own| own["name"] == name).unwrap();
    (own["engine"].as_i64(), own["planned"].as_i64())
}

#[test]
fn windows_are_vllm_s_own_figures() {
    // 12 layers of 1 KV head × 256: a page of 128 tokens is 128 × 2 × 256 × 2 B, 2 layers share an id: 262,144 B,
    // 400 of them in 104,857,600 B. A request takes 32 of full attention and 5 × 9 of windows: 400 / 77 = 5.19
    let (code, verify) = verify("vllm_gemma3", "vllm_gemma3/config.json", "");
    assert_eq!((code, verify["matches"].as_bool()), (Some(0), Some(true)));
    assert_eq!(figure(&verify, "blocks"), (Some(400), Some(400)));
    assert_eq!(figure(&verify, "tokens"), (Some(21277), Some(21277)));
    assert_eq!(figure(&verify, "concurrency"), (Some(519), Some(519)));
    // taken from the server, so not a check
    assert_eq!(figure(&verify, "block_size"), (Some(128), None));
}

#[test]
fn latents_are_vllm_s_own_figures() {
    // 6 layers × 16 tokens × 576 × 2 B = 110,592 B a block: 303 in 33,554,432 B
    let (code, verify) = verify("vllm_deepseek_v2", "vllm_deepseek_v2/config.json", "");
    assert_eq!(code, Some(0), "{verify}");
    assert_eq!(figure(&verify, "blocks"), (Some(303), Some(303)));
    assert_eq!(figure(&verify, "block_size"), (Some(16), Some(16)));
    assert_eq!(verify["compared"], 4);
}

#[test]
fn a_wrong_setting_is_found() {
    for flags in [
        "--kv-heads 2",
        "--kv-dtype fp8_e4m3",
        "--block-size 16",
        "--max-num-batched-tokens 2048",
        "--kv-memory 50MB",
    ] {
        let (code, verify) = verify("vllm_gemma3", "vllm_gemma3/config.json", flags);
        assert_eq!((code, verify["matches"].as_bool()), (Some(4), Some(false)), "{flags}");
    }
}

#[test]
fn a_wrong_reading_is_found() {
    // another window, and another number of KV heads, in the configuration
    let text = std::fs::read_to_string(fixtures().join("vllm_gemma3/config.json")).unwrap();
    for (own, wrong) in [
        ("\"sliding_window\": 512", "\"sliding_window\": 1024"),
        ("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 2"),
    ] {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("wrong{}.json", wrong.len()));
        std::fs::write(&path, text.replace(own, wrong)).unwrap();
        let (code, _) = verify("vllm_gemma3", path.to_str().unwrap(), "");
        assert_eq!(code, Some(4), "{wrong}");
    }
}

/// vLLM's Gemma 3 without the bytes of its cache, asked with flags: the exit code, and what was compared.
fn without_memory(flags: &str) -> (Option<i32>, Json) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vllm_no_memory");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["v1_models.json", "version.json", "server_info.json", "metrics.txt"] {
        let text = std::fs::read_to_string(fixtures().join("vllm_gemma3").join(name)).unwrap();
        let text = text.replace("kv_cache_memory_bytes=\"104857600\"", "kv_cache_memory_bytes=\"None\"");
        std::fs::write(folder.join(name), text).unwrap();
    }
    let config = fixtures().join("vllm_gemma3/config.json");
    let output =
        run(&format!("--verify {} -m {} {flags} --format json", server_of(folder), config.display()));
    (output.status.code(), json(&output)["verify"].clone())
}

#[test]
fn without_memory_only_how_the_cache_is_divided_is_compared() {
    let (code, verify) = without_memory("");
    assert_eq!((code, verify["compared"].as_u64()), (Some(0), Some(2)), "{verify}");
    assert_eq!(figure(&verify, "blocks"), (Some(400), None));
    assert_eq!(figure(&verify, "tokens"), (Some(21277), Some(21277)));
    // twice the bytes of every page is no other division, which the notes say
    assert_eq!(without_memory("--kv-heads 2").0, Some(0));
    assert_eq!(without_memory("--block-size 16").0, Some(4));
    assert_eq!(without_memory("--max-num-batched-tokens 2048").0, Some(4));
}

#[test]
fn sglang_s_bytes_are_compared_in_its_own_tokens() {
    // 100,000 tokens × 8 layers × 2 × 1 KV head × 128 × 2 B on each of two ranks, to two decimals of a GiB
    let (code, verify) = verify("sglang", "llama.json", "");
    let (engine, planned) = figure(&verify, "room");
    assert_eq!((code, engine), (Some(0), Some(408_021_893)), "{verify}");
    assert!((409_600_000..409_700_000).contains(&planned.unwrap()), "{planned:?}");
    assert_eq!(verify_code("sglang", "--kv-dtype fp8_e4m3"), Some(4));
}

fn verify_code(folder: &str, flags: &str) -> Option<i32> {
    verify(folder, "llama.json", flags).0
}

#[test]
fn every_setting_says_where_it_came_from() {
    let (_, verify) = verify("vllm_gemma3", "vllm_gemma3/config.json", "--block-size 128");
    let settings = verify["settings"].as_array().unwrap();
    let from = |flag: &str| settings.iter().find(|own| own["flag"] == flag).unwrap()["from"].clone();
    assert_eq!(from("max-model-len"), "/v1/models");
    assert_eq!(from("kv-memory"), "/metrics");
    assert_eq!(from("tp"), "/server_info?config_format=json");
    assert_eq!(from("block-size"), "command line");
}

#[test]
fn what_a_real_start_left_the_cache_makes_the_next_plan_exact() {
    let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live_profile.json");
    let _ = std::fs::remove_file(&profile);
    let profile = profile.display();
    let config = fixtures().join("llama.json");
    let config = config.display();
    let url = server("tensorrt_llm");
    let flags = format!("-m {config} --gpu l4 --seq 4096 --max-num-seqs 8");
    let first = run(&format!("--verify {url} {flags} --calibrate {profile}"));
    assert_eq!(first.status.code(), Some(4), "{}", stderr(&first));
    let again = run(&format!("--verify {url} {flags} --profile {profile}"));
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
}

#[test]
fn what_is_no_engine_exits_3() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tgi = server("tgi");
    for (line, code) in [
        (format!("--verify http://{nobody}"), "live.unreachable"),
        (format!("--verify {tgi}"), "live.no_engine"),
        (format!("--verify {}", server("llamacpp_none")), "live.no_engine"),
        (format!("--verify {}", server("vllm_gemma3")), "live.model"),
        ("--verify https://127.0.0.1".to_owned(), "live.unreachable"),
    ] {
        let output = run(&format!("{line} --format json"));
        assert_eq!(output.status.code(), Some(3), "{line}");
        assert_eq!(json(&output)["error"]["code"], code, "{line}");
    }
    assert_eq!(run("--verify ftp://a").status.code(), Some(2));
    assert_eq!(run("-m gpt2 --calibrate x.json").status.code(), Some(2));
}

#[test]
fn both_languages_and_all_formats_show_the_comparison() {
    let config = fixtures().join("vllm_gemma3/config.json");
    let url = server("vllm_gemma3");
    for (flags, words) in [
        ("--lang zh", "一致"),
        ("", "match: 3"),
        ("--format markdown", "| blocks"),
        ("--format csv", "blocks,400"),
    ] {
        let output = run(&format!("--verify {url} -m {} {flags}", config.display()));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(words), "{flags}: {text}");
    }
}
