//! Codes of errors are unique, used and documented, and every sentence has its Chinese.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use planner_core::device::Device;
use planner_core::error::Code;
use planner_core::render::words::{error_hint, error_message};
use planner_core::request::Request;
use planner_core::text::chinese;
use planner_core::{Error, catalog, plan, source, text::Lang};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

const CRATES: [&str; 5] =
    ["planner-core", "planner-cli", "planner-verify", "planner-verify/bench", "planner-web"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every Rust file under the sources of the programs.
fn sources() -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = CRATES.iter().map(|name| root().join(name).join("src")).collect();
    let mut files = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 200, "{}", files.len());
    files
}

#[test]
fn every_code_is_unique_and_dotted_by_who_refuses() {
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    for code in Code::ALL {
        assert!(code.as_str().chars().all(allowed), "{code}");
        assert!(code.meaning().ends_with('.') && code.meaning().len() > 10, "{code}");
        assert_eq!(code.is_not_restated(), code.as_str().contains(".not_restated."), "{code}");
    }
    assert_eq!(Code::VllmNoPrefillKernel.engine(), Some("vllm"));
    assert_eq!(Code::LlamacppRow.engine(), Some("llama.cpp"));
    assert_eq!(Code::EngineNotRestatedDcp.engine(), None);
}

#[test]
fn every_code_is_used() {
    let list = Path::new("error").join("code.rs");
    let mut used = String::new();
    for path in sources().iter().filter(|path| !path.ends_with(&list)) {
        used.push_str(&std::fs::read_to_string(path).unwrap());
    }
    let names: BTreeSet<&str> = used
        .split("Code::")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next())
        .collect();
    let unused: Vec<&Code> = Code::ALL.iter().filter(|code| !names.contains(&*format!("{code:?}"))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_page_of_errors_lists_every_code() {
    let rows: Vec<String> =
        Code::ALL.iter().map(|code| format!("| `{code}` | {} |", code.meaning())).collect();
    let page = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let told: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(told, rows, "the table of docs/errors.md should be:\n{}", rows.join("\n"));
}

/// The texts that `words!` and `say!` are given, wherever they stand in a file.
fn templates(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let is_macro = at >= 2
            && matches!(&tokens[at - 1], TokenTree::Punct(mark) if mark.as_char() == '!')
            && matches!(&tokens[at - 2], TokenTree::Ident(name) if name == "words" || name == "say");
        if is_macro && group.delimiter() == Delimiter::Parenthesis {
            match group.stream().into_iter().next() {
                Some(TokenTree::Literal(literal)) => match syn::Lit::new(literal) {
                    syn::Lit::Str(text) => found.push(text.value()),
                    _ => panic!("a template that is no string: {group}"),
                },
                // the macros themselves
                Some(TokenTree::Punct(mark)) if mark.as_char() == '$' => {}
                _ => panic!("a template that is no literal: {group}"),
            }
        }
        templates(group.stream(), found);
    }
}

#[test]
fn the_reader_of_templates_sees_what_stands_in_several_lines() {
    let mut found = Vec::new();
    let text =
        "fn f() { g(vec![say!(\n \"one \\\n  {0}\", 1)]); /* words!(\"no\") */ words!(\"two \\\"x\\\"\") }";
    templates(text.parse().unwrap(), &mut found);
    assert_eq!(found, ["one {0}", "two \"x\""]);
}

#[test]
fn every_template_has_its_chinese_and_every_chinese_its_template() {
    let mut said = Vec::new();
    let mut tables = Vec::new();
    for path in sources() {
        let tokens: TokenStream = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        // what data files say is compared beside its table
        let is_table = path.parent().is_some_and(|folder| folder.ends_with("text/zh"));
        if is_table && !path.ends_with("families.rs") && !path.ends_with("mod.rs") {
            keys(tokens, &mut tables);
        } else {
            templates(tokens, &mut said);
        }
    }
    assert!(said.len() > 500 && tables.len() > 200, "{} and {}", said.len(), tables.len());
    let lacking: BTreeSet<&String> = said.iter().filter(|english| chinese(english).is_none()).collect();
    assert!(lacking.is_empty(), "not in planner-core/src/text/zh: {lacking:#?}");
    let unsaid: Vec<&String> = tables.iter().filter(|english| !said.contains(english)).collect();
    assert!(unsaid.is_empty(), "nothing says these of planner-core/src/text/zh: {unsaid:#?}");
}

/// The first of every two texts in parentheses.
fn keys(tokens: TokenStream, found: &mut Vec<String>) {
    for token in tokens {
        let TokenTree::Group(group) = token else { continue };
        let mut inside = group.stream().into_iter();
        match (group.delimiter(), inside.next()) {
            (Delimiter::Parenthesis, Some(TokenTree::Literal(literal))) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    found.push(text.value());
                }
            }
            _ => keys(group.stream(), found),
        }
    }
}

fn error(model: &str, flags: &str) -> Error {
    let words: Vec<&str> = flags.split_whitespace().collect();
    let mut request = Request { gpu: Some(Device::resolve("h100").unwrap()), ..Request::default() };
    words.chunks(2).for_each(|pair| request.set(pair[0], pair[1]).unwrap());
    plan::plan(&catalog::model(model).unwrap(), &request).unwrap_err()
}

#[test]
fn an_engine_refuses_in_its_own_words_and_the_way_out_names_a_flag() {
    // vLLM 0.33.0: `verify_with_parallel_config`, 32 heads on 5 ranks
    let heads = error("llama3-8b", "engine vllm seq 1000 tp 5");
    assert_eq!(heads.code(), Code::VllmHeadsNotDivided);
    assert_eq!(heads.flag(), Some("tp"));
    let words = "Total number of attention heads (32) must be divisible by tensor parallel size (5)";
    assert_eq!(heads.to_string(), format!("vLLM 0.33.0 refuses `--tp`: {words}"));
    assert_eq!(error_hint(Lang::En, &heads).as_deref(), Some("use --tp 4"));
    assert_eq!(error_message(Lang::Zh, &heads), format!("vLLM 0.33.0 拒绝 `--tp`：“{words}”"));
    assert!(!heads.is_usage());
}

#[test]
fn what_kvplan_has_no_rule_for_is_told_apart() {
    let dcp = error("llama3-8b", "engine transformers seq 1000 tp 16 dcp 2");
    assert_eq!(dcp.code(), Code::EngineNotRestatedDcp);
    assert!(dcp.to_string().starts_with("kvplan has no rule for"), "{dcp}");
    assert!(dcp.to_string().ends_with("in transformers 5.23.0"), "{dcp}");
}

#[test]
fn a_number_too_large_is_the_flag_s_the_question_s_or_the_model_s() {
    let flag = Request::default().set("kv-memory", "99999999999999999999").unwrap_err();
    assert_eq!((flag.code(), flag.flag(), flag.is_usage()), (Code::Overflow, Some("kv-memory"), true));
    let asked = error("llama3-8b", "seq 9000000000000000000 users 9000000000000000000");
    assert_eq!((asked.code(), asked.flag(), asked.is_usage()), (Code::Overflow, None, true));
    // a page of this block is 2^60 × 4,096 bytes
    let page = error("llama3-8b", "engine vllm seq 1000 block-size 1152921504606846976");
    assert_eq!((page.code(), page.is_usage()), (Code::Overflow, true));
    let config = |width: u64| {
        let config = serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16",
            "hidden_size": width, "intermediate_size": width, "num_hidden_layers": 2,
            "num_attention_heads": 2, "vocab_size": 1000, "max_position_embeddings": 512,
        });
        source::from_config_json(&config.to_string(), true)
    };
    assert!(config(1 << 20).is_ok());
    let model = config(1 << 40).unwrap_err();
    assert_eq!((model.code(), model.is_usage()), (Code::Overflow, false));
}
