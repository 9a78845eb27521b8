//! The command line: one table of flags, from which help, completions and the man page come.
//!
//! Values are read by `planner_core::request`, so that the page and the command line accept the same
//! and complain alike; clap only splits the line.

use clap::{Arg, ArgAction, ArgMatches, Command};
use planner_core::Result;
use planner_core::request::Request;

/// One flag of a plan that `Request::set` reads: name, short form, value, help.
type Flag = (&'static str, Option<char>, &'static str, &'static str);

const WHAT: &[Flag] = &[
    (
        "seq",
        Some('s'),
        "TOKENS",
        "Tokens held per session: 1000, 1k = 1000, 1K = 1024, 128K, 1M [default: the model's maximum, at most 8192]",
    ),
    ("users", Some('u'), "N", "Concurrent sessions [default: 1]"),
    (
        "kv-dtype",
        None,
        "DTYPE",
        "Type of cached keys and values: auto, f32, f16, bf16, fp8, int8, int4, q8_0 … or a name the engine knows [default: auto]",
    ),
    ("k-dtype", None, "DTYPE", "Type of cached keys alone"),
    ("v-dtype", None, "DTYPE", "Type of cached values alone"),
    ("weight-dtype", None, "DTYPE", "Type of the weights [default: auto, from the configuration]"),
    (
        "kv-heads",
        None,
        "N",
        "Override the number of KV heads; all attention heads reproduce the article's figure",
    ),
    ("source-len", None, "TOKENS", "Encoder input tokens of an encoder-decoder model"),
    (
        "shared-prefix",
        None,
        "TOKENS",
        "Tokens at the start of every session that are stored once where the engine can",
    ),
];

const WHERE: &[Flag] = &[
    ("gpu", Some('g'), "GPU", "GPU id from `kvplan gpus`, or a size such as 80GiB"),
    ("gpus", Some('n'), "N", "Number of GPUs [default: tp × pp × dp]"),
    ("tp", None, "N", "Tensor parallel size [default: 1]"),
    ("pp", None, "N", "Pipeline parallel size [default: 1]"),
    ("dp", None, "N", "Data parallel size [default: 1]"),
    ("dcp", None, "N", "Decode-context parallel size [default: 1]"),
    ("kv-memory", None, "SIZE", "Bytes for KV on each GPU; skips the budget"),
    ("memory-utilization", None, "SHARE", "Share of the GPU's memory the engine may use [default: 0.92]"),
    ("reserve", None, "SIZE", "Kept free on each GPU for activations and runtime [default: 2GiB]"),
];

const ENGINE: &[Flag] = &[
    (
        "engine",
        Some('e'),
        "ENGINE",
        "architecture, vllm, sglang, tensorrt-llm, llama.cpp, transformers or candle, also ENGINE@VERSION; all compares them [default: architecture]",
    ),
    ("attention-backend", None, "NAME", "Where the engine's layout depends on it"),
    ("block-size", None, "TOKENS", "Tokens of a cache block"),
    ("max-num-batched-tokens", None, "TOKENS", "Tokens of one scheduler step"),
    ("max-num-seqs", None, "N", "Sessions of one scheduler step"),
    ("max-model-len", None, "TOKENS", "Longest session the engine admits [default: --seq]"),
    ("speculative", None, "KIND:N", "ngram:N, mtp:N or eagle:N"),
    ("async-scheduling", None, "on|off", "vLLM's asynchronous scheduling [default: on]"),
    ("prefix-caching", None, "on|off", "Prefix caching [default: on]"),
    ("ctx-size", None, "TOKENS", "llama.cpp: context in all, its -c"),
    ("n-parallel", None, "N", "llama.cpp: slots"),
    ("batch", None, "TOKENS", "llama.cpp: logical batch"),
    ("ubatch", None, "TOKENS", "llama.cpp: physical batch"),
    ("kv-unified", None, "on|off", "llama.cpp: one cache for all slots"),
    ("flash-attn", None, "auto|on|off", "llama.cpp: flash attention"),
    ("cache", None, "KIND", "transformers: dynamic, static or quantized [default: dynamic]"),
];

/// Switches of the same kind: present or not.
const SWITCHES: &[(&str, &str)] = &[
    ("swa-full", "llama.cpp: window layers keep the whole context"),
    ("strict", "Refuse a model_type that no family knows instead of planning it as plain attention"),
];

fn flags(heading: &'static str, flags: &[Flag]) -> Vec<Arg> {
    flags
        .iter()
        .map(|(name, short, value, help)| {
            let arg = Arg::new(*name).long(*name).value_name(*value).help(*help).help_heading(heading);
            let arg = arg.allow_negative_numbers(true);
            match short {
                Some(short) => arg.short(*short),
                None => arg,
            }
        })
        .collect()
}

fn switch(name: &'static str, help: &'static str, heading: &'static str) -> Arg {
    Arg::new(name).long(name).help(help).help_heading(heading).action(ArgAction::SetTrue)
}

fn choice(name: &'static str, values: &'static [&'static str], help: &'static str) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name("WHICH")
        .value_parser(clap::builder::PossibleValuesParser::new(values))
        .help(help)
        .help_heading("Output")
        .global(true)
}

fn model() -> Arg {
    Arg::new("model")
        .long("model")
        .short('m')
        .value_name("MODEL")
        .help("Catalogue id, hub id, config.json, folder, YAML model file, or - for a config.json on standard input")
        .help_heading("What")
}

fn plan_flags() -> Vec<Arg> {
    let mut all = vec![model()];
    all.extend(flags("What", WHAT));
    all.extend(flags("Where", WHERE));
    all.extend(flags("Engine", ENGINE));
    all.extend(SWITCHES.iter().map(|(name, help)| switch(name, help, "Engine")));
    all
}

/// The whole command line.
pub fn command() -> Command {
    Command::new("kvplan")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Plan KV-cache memory for LLM serving")
        .after_help("Example: kvplan --model llama3-70b --seq 1000 --users 20")
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .args(plan_flags())
        .arg(switch("check", "Exit 1 when it does not fit", "Output"))
        .arg(switch("verify", "Also run the real cached decode and measure", "Output"))
        .arg(device())
        .args(verify_flags())
        .args(text_flags())
        .arg(format_choice())
        .arg(lang_choice())
        .arg(color_choice())
        .subcommand(
            Command::new("models")
                .about("List the models of the catalogue, or show one with its sources")
                .arg(Arg::new("name").value_name("MODEL"))
                .arg(switch("families", "List the model_type values that are known, by family", "What")),
        )
        .subcommand(
            Command::new("gpus")
                .about("List the GPUs, or show one with its sources")
                .arg(Arg::new("name").value_name("GPU")),
        )
        .subcommand(
            Command::new("explain")
                .about("Show the formula with the numbers put in, and where each came from")
                .args(plan_flags()),
        )
        .subcommand(
            Command::new("command")
                .about("Print the command that starts --engine with these settings")
                .args(plan_flags()),
        )
        .subcommand(
            Command::new("completions").about("Print a shell's completion script").arg(
                Arg::new("shell").required(true).value_parser(clap::value_parser!(clap_complete::Shell)),
            ),
        )
        .subcommand(
            Command::new("bench-cache")
                .about("The article's experiment: the same tokens with the cache and without, by the clock")
                .args(bench_flags()),
        )
        .subcommand(Command::new("schema").about("Print the JSON Schema of the JSON output"))
        .subcommand(Command::new("man").about("Print the manual page"))
}

fn device() -> Arg {
    Arg::new("device")
        .long("device")
        .value_name("WHICH")
        .value_parser(["auto", "cpu", "cuda", "metal"])
        .help("Where --verify and bench-cache measure [default: auto]")
        .help_heading("Output")
}

fn verify_flags() -> [Arg; 4] {
    let count = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").help(help).help_heading("Output")
    };
    [
        count(
            "verify-layers",
            "The most layers of a kind that --verify stacks up, at least 2 [default: as many as about 10 seconds and the memory allow]",
        ),
        count(
            "verify-users",
            "Sessions of --verify's batch; 1 for none [default: --users up to 8, at least 2]",
        ),
        Arg::new("verify-tokens")
            .long("verify-tokens")
            .value_name("TOKENS")
            .value_delimiter(',')
            .help("Counts of tokens at which --verify reads the cache [default: 8,24,48 and one beyond every window up to 1024]")
            .help_heading("Output"),
        Arg::new("verify-off-by")
            .long("verify-off-by")
            .value_name("BYTES")
            .hide(true)
            .help("Self-test: adds BYTES to every prediction, which --verify must find (exit 4)"),
    ]
}

fn text_flags() -> [Arg; 2] {
    [
        Arg::new("prompt")
            .long("prompt")
            .value_name("TEXT")
            .help("Generate from this text with the model's own weights: --model names a GGUF file or a folder of safetensors")
            .help_heading("Output"),
        Arg::new("new-tokens")
            .long("new-tokens")
            .value_name("N")
            .help("Tokens to generate with them [default: 32]")
            .help_heading("Output"),
    ]
}

fn bench_flags() -> Vec<Arg> {
    let number = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("N").help(help).help_heading("What")
    };
    vec![
        model(),
        number(
            "new-tokens",
            "New tokens of one run; without a cache the time grows with its square [default: 1000, on a CPU 200]",
        ),
        number("runs", "Runs with the cache [default: 10, on a CPU 3]"),
        number("uncached-runs", "Runs without it [default: --runs]"),
        Arg::new("weight-dtype")
            .long("weight-dtype")
            .value_name("DTYPE")
            .help("What the weights are kept in, f32 or bf16 [default: f32]")
            .help_heading("What"),
        Arg::new("svg")
            .long("svg")
            .value_name("FILE")
            .help("Draw the seconds of every step into an SVG file")
            .help_heading("Output"),
        device(),
    ]
}

fn format_choice() -> Arg {
    choice("format", &["table", "json", "csv", "markdown"], "table, json, csv or markdown [default: table]")
}

fn lang_choice() -> Arg {
    choice("lang", &["en", "zh"], "en or zh [default: en]")
}

fn color_choice() -> Arg {
    choice("color", &["auto", "always", "never"], "auto, always or never [default: auto]")
}

/// Whether `--engine all` asks for every engine side by side.
pub fn wants_all_engines(matches: &ArgMatches) -> bool {
    matches.get_one::<String>("engine").is_some_and(|engine| engine == ALL_ENGINES)
}

/// The `--engine` that is not one.
const ALL_ENGINES: &str = "all";

/// Every flag of a plan that was given, read.
pub fn request(matches: &ArgMatches) -> Result<Request> {
    let mut request = Request::default();
    for (name, ..) in WHAT.iter().chain(WHERE).chain(ENGINE) {
        if let Some(value) =
            matches.get_one::<String>(name).filter(|value| *name != "engine" || *value != ALL_ENGINES)
        {
            request.set(name, value)?;
        }
    }
    for (name, _) in SWITCHES {
        if matches.get_flag(name) {
            request.set(name, "on")?;
        }
    }
    Ok(request)
}
