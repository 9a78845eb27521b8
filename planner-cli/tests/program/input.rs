//! What comes from outside: pipes, devices, hostile files and names.

use std::io::Write;
use std::process::Stdio;

use crate::{KVPLAN, json, kvplan, run, stderr, stdout};

/// Llama 3 8B: 2 × 32 layers × 8 KV heads × 128 × 2 bytes = 131,072 B a token.
const LLAMA: &str = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "dtype": "bfloat16",
    "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 8192}"#;

/// The exit code and the message for a configuration of this text in a file.
fn read(name: &str, text: impl AsRef<[u8]>) -> (Option<i32>, String) {
    let path = std::env::temp_dir().join(format!("kvplan-{}-{name}", std::process::id()));
    std::fs::write(&path, text).unwrap();
    let output = kvplan(["--model", path.to_str().unwrap()]).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    (output.status.code(), stderr(&output).replace(path.to_str().unwrap(), "FILE"))
}

#[test]
fn a_pipe_is_read_once() {
    for model in ["-", "/dev/stdin"] {
        let mut child = kvplan(["--model", model, "--format", "json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(LLAMA.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(json(&output)["kv"]["bytes_per_token"], 131_072, "{model}");
    }
}

#[test]
fn endless_and_foreign_files_are_told_at_once() {
    let started = std::time::Instant::now();
    for (device, told) in [("/dev/zero", "it is binary"), ("/dev/urandom", "it is")] {
        let output = run(&format!("--model {device}"));
        assert_eq!(output.status.code(), Some(3));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    assert!(started.elapsed().as_secs() < 2);
    let (code, told) = read("model.safetensors", b"\x10\0\0\0\0\0\0\0{\"__metadata__\":{}");
    assert!(code == Some(3) && told.contains("it is a safetensors file"), "{told}");
}

#[test]
fn a_text_with_more_values_than_a_configuration_has_is_refused() {
    let list = format!("[{}0]", "0,".repeat(300_000));
    let (code, told) = read("list.json", &list);
    assert!(code == Some(3) && told.contains("too many values"), "{told}");
    let (code, told) = read("deep.yaml", "[".repeat(40_000));
    assert!(code == Some(3) && told.contains("nested too deeply"), "{told}");
}

#[test]
fn no_name_reaches_the_terminal_as_a_control_sequence() {
    let named = LLAMA.replace("LlamaForCausalLM", r"\u001b[2J\u001b]0;x\u0007\n\u009bfits");
    for format in ["table", "json", "csv", "markdown"] {
        let path = std::env::temp_dir().join(format!("kvplan-{}-escape.{format}.json", std::process::id()));
        std::fs::write(&path, &named).unwrap();
        let output = kvplan(["--model", path.to_str().unwrap(), "--format", format]).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("u001b[2J"), "{format}: {text}");
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{format}: {text:?}");
        assert!(!text.lines().any(|line| line.trim_start().starts_with("fits")), "{format}: {text}");
    }
    let typed = kvplan(["--model", "x\u{1b}[2Jy", "--\u{1b}[31mflag"]).output().unwrap();
    assert!(!stderr(&typed).contains('\u{1b}'), "{:?}", stderr(&typed));
}

#[test]
fn a_wrong_key_is_named_as_it_is_written() {
    for (from, to, told) in [
        ("\"hidden_size\": 4096", "\"hidden_size\": \"4096\"", "`hidden_size` is \"4096\""),
        ("\"num_key_value_heads\": 8", "\"num_key_value_heads\": true", "`num_key_value_heads` is true"),
        (
            "\"num_key_value_heads\": 8",
            "\"num_key_value_heads\": 64",
            "`num_key_value_heads` is 64, but must be at most 32",
        ),
        ("\"num_key_value_heads\": 8", "\"num_key_value_heads\": 0", "`num_key_value_heads` is 0"),
        ("\"hidden_size\": 4096", "\"x\": 1", "`hidden_size` is missing: looked for it in FILE"),
        (
            "\"model_type\"",
            "\"quantization_config\": \"awq\", \"model_type\"",
            "`quantization_config` is \"awq\"",
        ),
        (
            "\"model_type\"",
            "\"layer_types\": [\"full_atention\"], \"model_type\"",
            "`layer_types` is full_atention",
        ),
        ("LlamaForCausalLM", "LlamaForCausalLMEagle3", "draft of a speculative decoder"),
    ] {
        let (code, said) = read("key.json", LLAMA.replace(from, to));
        assert!(
            code == Some(3) && said.contains(told) && said.contains("FILE") | said.contains("draft"),
            "{to}: {said}"
        );
    }
}

#[test]
fn a_word_finds_models_and_gpus_and_an_id_shows_one() {
    let found = stdout("models QWEN3-235b");
    assert!(found.lines().any(|line| line.split_whitespace().next() == Some("qwen3-235b-a22b")), "{found}");
    assert!(!found.contains("llama"));
    assert!(stdout("gpus h100").contains("h100-pcie-80gb"));
    let one = json(&run("gpus h100-80gb --format json"));
    assert_eq!(one["gpu"]["id"], "h100-80gb");
    assert_eq!(json(&run("models gpt2 --format json"))["model"]["id"], "gpt2");
    assert_eq!(run("models nosuchmodel").status.code(), Some(2));
}

#[test]
fn no_id_is_cut_where_output_is_80_columns_wide() {
    for list in ["models", "gpus"] {
        let rows = json(&run(&format!("{list} --format json")));
        let text = stdout(list);
        let firsts: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        for row in rows[list].as_array().unwrap() {
            let id = row["id"].as_str().unwrap();
            assert!(firsts.contains(&id), "{id} is cut");
        }
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{list}: {widest} columns");
    }
}

#[test]
fn a_shell_completes_models_gpus_and_engines() {
    let script = stdout("completions bash");
    let asked = r#"source /dev/stdin
        complete_one() { COMP_WORDS=(kvplan "$1" "$2"); COMP_CWORD=2; _kvplan kvplan "$2" "$1"; echo "${COMPREPLY[@]}"; }
        complete_one --gpu h200-1; complete_one -m gpt2-x; complete_one --engine sg"#;
    let mut shell = std::process::Command::new("bash")
        .args(["-c", asked])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let said = String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said, "h200-141gb\ngpt2-xl\nsglang\n", "{KVPLAN}");
}
