//! The command line: clap's commands over the one table of flags, `planner_core::request::FLAGS`.
//!
//! That table reads the values, so that the page and the command line accept the same values and complain
//! alike. clap only splits the line and writes help, completions and the man page.

use clap::{Arg, ArgAction, ArgMatches, Command};
use planner_core::request::flags::Group;
use planner_core::request::lists::is_list;
use planner_core::request::{FLAGS, Flag, Request};
use planner_core::text::Sentence;
use planner_core::{Error, Result, words};

use crate::lists;

fn heading(group: Group) -> &'static str {
    match group {
        Group::What => "What",
        Group::Where => "Where",
        Group::Engine => "Engine",
    }
}

/// A flag of the table, with its default and its other spellings in the help.
fn plan_flag(flag: &'static Flag) -> Arg {
    let mut help = flag.help.to_owned();
    if flag.name == "engine" {
        let ids: Vec<&str> = planner_core::engine::all().iter().map(|engine| engine.id()).collect();
        help.push_str(&format!(": {}", ids.join(", ")));
    }
    if !flag.default.is_empty() {
        help.push_str(&format!(" [default: {}]", flag.default));
    }
    let arg = Arg::new(flag.name).long(flag.name).help_heading(heading(flag.group));
    let arg = match flag.short {
        Some(short) => arg.short(short),
        None => arg,
    };
    if flag.is_switch() {
        return arg.help(help).action(ArgAction::SetTrue);
    }
    let aliases: Vec<&str> = flag.aliases.iter().map(|alias| alias.typed).collect();
    let arg = match aliases.as_slice() {
        [] => arg,
        aliases => arg.long_help(format!("{help} [also: {}]", aliases.join(", "))),
    };
    arg.help(help).value_name(flag.value).allow_negative_numbers(true)
}

/// The flags that `-h` shows; `--help` shows all.
const SHORT_HELP: &[&str] = &[
    "model",
    "seq",
    "users",
    "gpu",
    "gpus",
    "tp",
    "engine",
    "kv-dtype",
    "weight-dtype",
    "memory-utilization",
    "check",
    "verify",
    "format",
    "lang",
];

/// Leaves the flags that few people use out of `-h`.
fn shortened(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let is_shown = arg.is_positional() || SHORT_HELP.contains(&arg.get_id().as_str());
        arg.hide_short_help(!is_shown)
    });
    command.mut_subcommands(|inner| match inner.get_name() {
        "explain" | "command" | "explain-log" => shortened(inner),
        _ => inner,
    })
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

/// What a log measured, in place of estimates: a file, which the core does not read.
fn profile() -> Arg {
    Arg::new("profile")
        .long("profile")
        .value_name("FILE")
        .value_hint(clap::ValueHint::FilePath)
        .help("What `explain-log --calibrate` measured of this machine, or vLLM's own startup_plan file, in place of estimates")
        .help_heading("Where")
}

/// Sessions of mixed lengths: text or a file, which the core does not read.
fn lengths() -> Arg {
    Arg::new("lengths")
        .long("lengths")
        .value_name("MIX|FILE")
        .value_hint(clap::ValueHint::FilePath)
        .help("Sessions of mixed lengths: 2k:80%,32k:20%, lognormal:p50=1400,p99=4200, or a CSV or JSON lines file with input and output tokens, or length and weight")
        .help_heading("What")
}

fn plan_flags() -> impl Iterator<Item = Arg> {
    std::iter::once(model()).chain(FLAGS.iter().map(plan_flag)).chain([lengths(), profile()])
}

fn log_flags() -> [Arg; 2] {
    [
        Arg::new("log")
            .value_name("FILE")
            .value_hint(clap::ValueHint::FilePath)
            .required(true)
            .help("The log, or - for standard input"),
        calibrate(
            "Also keep what the log measured in FILE, beside what it holds of other runs, for --profile",
        ),
    ]
}

fn calibrate(help: &'static str) -> Arg {
    Arg::new("calibrate")
        .long("calibrate")
        .value_name("FILE")
        .value_hint(clap::ValueHint::FilePath)
        .help(help)
        .help_heading("Output")
}

fn verify_choice() -> Arg {
    Arg::new("verify")
        .long("verify")
        .value_name("URL")
        .num_args(0..=1)
        .default_missing_value("")
        .help(
            "Also run the real cached decode and measure; with the address of a running engine, such as \
             http://127.0.0.1:8000, set its own figures beside these (API key: KVPLAN_API_KEY)",
        )
        .help_heading("Output")
}

/// The value of `--verify`, empty where it has none; nothing where it is not given.
pub fn verify(matches: &ArgMatches) -> Option<&str> {
    matches.get_one::<String>("verify").map(String::as_str)
}

/// How a flag takes several values.
const LISTS: &str = "\
Lists: --engine, --weight-dtype, --kv-dtype, --gpu, --gpus, --tp, --pp, --dp, --seq and --users take a,b,c; numbers \
also take ranges: 1k..128k doubles, 1..9:2 adds, 1k..1M:x4 multiplies. The answer is a table or a matrix; --format csv \
has a row, --format json a line for each combination. Commas in one number group three digits: 32,000.";

/// Examples of the help.
pub const EXAMPLES: &[(&str, &str)] = &[
    ("kvplan -m llama3-70b -s 1000 -u 20", "what 20 sessions of 1,000 tokens take"),
    (
        "kvplan -m qwen3-32b -g h100-80gb --tp 2 -e vllm -s 32k -u 8",
        "whether 8 sessions fit on two GPUs under vLLM",
    ),
    (
        "kvplan -m ./config.json -g 24GiB -e llama.cpp --kv-dtype q8_0",
        "a model of one's own on a card of any size",
    ),
    ("kvplan -m llama3.1-70b -g h100,h200,b200 --tp 4 -s 4k..128k -e vllm", "a table of GPUs and lengths"),
    ("kvplan recommend -m qwen3-32b -s 16k -u 50", "which GPUs, how many, and the command"),
    ("kvplan models qwen3", "the models whose name holds a word"),
];

/// What the exit codes mean.
pub const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "computed"),
    ("1", "--check was given and it does not fit"),
    ("2", "the question is wrong: a flag, a name; or the answer could not be written"),
    ("3", "the model cannot be read or is not supported"),
    ("4", "--verify measured other bytes than planned"),
];

/// The environment variables that are read.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("NO_COLOR", "no colours, where it is set and not empty"),
    ("KVPLAN_API_KEY", "the key that --verify URL sends"),
    ("CLICOLOR_FORCE", "colours although the output is no terminal, where it is set and not 0"),
];

fn lines(title: &str, rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let rows: String = rows.iter().map(|(name, what)| format!("\n  {name:width$}  {what}")).collect();
    format!("{title}:{rows}")
}

/// The same, each explanation below its example.
fn examples() -> String {
    let rows: String = EXAMPLES.iter().map(|(line, what)| format!("\n  {line}\n      {what}")).collect();
    format!("Examples:{rows}")
}

/// The command line for a shell's completion script, which knows models, GPUs and engines.
pub fn completing() -> Command {
    let models = planner_models::MODELS.iter().map(|model| model.id);
    let gpus = planner_models::GPUS.iter().map(|gpu| gpu.id);
    let known_engines = planner_core::engine::all();
    let engines = known_engines.iter().map(|engine| engine.id()).chain([ALL_ENGINES]);
    let known: [(&str, Vec<&'static str>); 3] =
        [("model", models.collect()), ("gpu", gpus.collect()), ("engine", engines.collect())];
    let completed = |command: Command| {
        let of_list = match command.get_name() {
            "models" => Some("model"),
            "gpus" => Some("gpu"),
            _ => None,
        };
        command.mut_args(|arg| {
            let name = arg.get_id().as_str();
            let name = if name == "name" { of_list.unwrap_or(name) } else { name };
            match known.iter().find(|(flag, _)| *flag == name) {
                Some((_, values)) => {
                    arg.value_parser(clap::builder::PossibleValuesParser::new(values.iter().copied()))
                }
                None => arg,
            }
        })
    };
    completed(command()).mut_subcommands(completed)
}

/// The whole command line.
pub fn command() -> Command {
    shortened(whole())
}

fn whole() -> Command {
    Command::new("kvplan")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Plan KV-cache memory for LLM serving")
        .after_help(examples() + "\n\n--help shows every flag, kvplan man the manual page.")
        .after_long_help(
            [
                LISTS.to_owned(),
                examples(),
                lines("Exit codes", EXIT_CODES),
                lines("Environment", ENVIRONMENT),
            ]
            .join("\n\n"),
        )
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true)
        .args(plan_flags())
        .arg(switch("check", "Exit 1 unless it fits; with --engine all, unless it fits under each", "Output"))
        .arg(verify_choice())
        .arg(calibrate("Keep what the engine of --verify URL really left the cache in FILE, for --profile"))
        .args(chart_flags())
        .arg(device())
        .args(verify_flags())
        .args(text_flags())
        .arg(format_choice())
        .arg(lang_choice())
        .arg(color_choice())
        .subcommand(
            Command::new("models")
                .about("List the models, or those that a word finds, or show one with its sources")
                .arg(Arg::new("name").value_name("WORD").help("An id or hub id, or a part of one"))
                .arg(switch("families", "List the model_type values that are known, by family", "What")),
        )
        .subcommand(
            Command::new("gpus")
                .about("List the GPUs, or those that a word finds, or show one with its sources")
                .arg(Arg::new("name").value_name("WORD").help("An id, or a part of an id, name or vendor")),
        )
        .subcommand(
            Command::new("explain")
                .about("Show the formula with the numbers put in, and where each came from")
                .args(plan_flags()),
        )
        .subcommand(
            Command::new("explain-log")
                .about("Read an engine's start-up log: its figures beside kvplan's, and why they differ")
                .args(log_flags())
                .args(plan_flags()),
        )
        .subcommand(
            Command::new("command")
                .about("Print the command that starts --engine with these settings")
                .args(plan_flags()),
        )
        .subcommand(recommendation())
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

/// `recommend`, where `--gpus` is a limit and `--engine` a server.
fn recommendation() -> Command {
    Command::new("recommend")
        .about("Rank GPUs and placements on which a model serves these users, and what starts them")
        .args(plan_flags())
        .mut_arg("gpus", |arg| arg.help("The most GPUs [default: 16]"))
        .mut_arg("gpu", |arg| arg.help("GPUs to choose from [default: all of `kvplan gpus`]"))
        .mut_arg("kv-dtype", |arg| {
            arg.help("Types of cached keys and values to choose from, the preferred first [default: auto]")
        })
        .arg(
            Arg::new("by")
                .long("by")
                .value_name("WHAT")
                .value_parser(["gpus", "cost", "headroom"])
                .help("Rank by fewest GPUs, by cost an hour, or by most users [default: gpus; with --prices cost]")
                .help_heading("Output"),
        )
        .arg(
            Arg::new("prices")
                .long("prices")
                .value_name("FILE")
                .value_hint(clap::ValueHint::FilePath)
                .help("What GPUs cost an hour, such as models/prices.example.yaml")
                .help_heading("Output"),
        )
        .arg(switch("all", "Every placement that fits, not the best on each GPU", "Output"))
        .arg(
            Arg::new("top")
                .long("top")
                .value_name("N")
                .help("Rows to show [default: 10 in a table, else all]")
                .help_heading("Output"),
        )
        .after_help(
            "Examples:\n  kvplan recommend --model llama3.1-70b --users 50 --seq 16k\n  kvplan recommend --model \
             gpt-oss-120b --users 8 --seq 32k --gpu h100,l40s --kv-dtype auto,fp8 --prices models/prices.example.yaml",
        )
}

fn chart_flags() -> [Arg; 2] {
    [
        switch("plot", "Also draw users, or bytes, against the lengths of a list", "Output"),
        Arg::new("svg")
            .long("svg")
            .value_name("FILE")
            .value_hint(clap::ValueHint::FilePath)
            .help("Draw them into an SVG file")
            .help_heading("Output"),
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

/// The value of `--engine` that is no engine.
pub const ALL_ENGINES: &str = "all";

/// Refuses `--engine all` where a subcommand answers for one engine.
///
/// # Errors
/// `--engine all`.
pub fn one_engine(matches: &ArgMatches) -> Result<()> {
    if wants_all_engines(matches) {
        return Err(Error::bad_value(
            "--engine",
            ALL_ENGINES,
            words!("one engine here; a plan compares all"),
        ));
    }
    Ok(())
}

/// Reads every given flag of a plan. An error names the flag as it was typed.
///
/// # Errors
/// What a flag's text should be; a list.
pub fn request(matches: &ArgMatches) -> Result<Request> {
    lists::refuse(matches)?;
    request_beside_lists(matches)
}

/// Reads every given flag of a plan but those with lists.
///
/// # Errors
/// What a flag's text should be.
pub fn request_beside_lists(matches: &ArgMatches) -> Result<Request> {
    let mut request = Request::default();
    for flag in FLAGS {
        if flag.is_switch() {
            if matches.get_flag(flag.name) {
                request.set(flag.name, "on")?;
            }
            continue;
        }
        let Some(text) = matches.get_one::<String>(flag.name) else { continue };
        if (flag.name, text.as_str()) != ("engine", ALL_ENGINES) && !is_list(flag.name, text) {
            flag.set(&mut request, &typed(flag), text)?;
        }
    }
    Ok(request)
}

/// An error about a flag, about its spelling on the command line.
pub fn as_typed(error: Error) -> Error {
    let flag = error.flag().and_then(|name| FLAGS.iter().find(|flag| flag.name == name));
    match flag {
        Some(flag) => error.about(Sentence::verbatim(typed(flag))),
        None => error,
    }
}

/// The spelling of a flag on this command line.
pub fn typed(flag: &Flag) -> String {
    let spelled = |argument: &str, name: &str| {
        argument.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let alias = std::env::args().skip(1).find_map(|argument| {
        flag.aliases.iter().find(|alias| spelled(&argument, alias.typed)).map(|alias| alias.typed)
    });
    alias.map_or_else(|| format!("--{}", flag.name), str::to_owned)
}

/// Replaces the engines' own spellings of flags by kvplan's: `-ctk q8_0` becomes `--k-dtype q8_0`,
/// `--no-kv-unified` becomes `--kv-unified=off`.
pub fn with_own_names(arguments: impl IntoIterator<Item = String>) -> Vec<String> {
    let own = |argument: String| {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument.as_str(), None),
        };
        let find = |flag: &'static Flag| Some((flag, flag.aliases.iter().find(|alias| alias.typed == name)?));
        match FLAGS.iter().find_map(find) {
            Some((flag, alias)) => match alias.value.or(value) {
                Some(value) => format!("--{}={value}", flag.name),
                None => format!("--{}", flag.name),
            },
            None => argument,
        }
    };
    arguments.into_iter().map(own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Request {
        let arguments = std::iter::once("kvplan").chain(line.split(' ')).map(str::to_owned);
        request(&command().try_get_matches_from(with_own_names(arguments)).unwrap()).unwrap()
    }

    #[test]
    fn the_engines_own_spellings_are_read() {
        let vllm =
            read("--tensor-parallel-size 2 --kv-cache-dtype=fp8 --no-enable-prefix-caching --max-num-seqs 8");
        assert_eq!((vllm.tp, vllm.kv_dtype.as_deref()), (Some(2), Some("fp8")));
        assert_eq!((vllm.prefix_caching, vllm.max_num_seqs), (Some(false), Some(8)));
        let llama = read("-c 8192 -np 4 -ctk q8_0 -ctv q4_0 -fa on -b 512 -ub 256 -kvu");
        assert_eq!((llama.ctx_size, llama.n_parallel, llama.kv_unified), (Some(8192), Some(4), Some(true)));
        assert_eq!((llama.k_dtype.as_deref(), llama.v_dtype.as_deref()), (Some("q8_0"), Some("q4_0")));
        assert_eq!((llama.batch, llama.ubatch), (Some(512), Some(256)));
        let sglang = read("--tp-size 4 --mem-fraction-static 0.8 --page-size 64 --disable-radix-cache");
        assert_eq!((sglang.tp, sglang.block_size, sglang.prefix_caching), (Some(4), Some(64), Some(false)));
    }

    #[test]
    fn no_two_flags_share_a_spelling() {
        let own = FLAGS.iter().map(|flag| format!("--{}", flag.name));
        let short = FLAGS.iter().filter_map(|flag| flag.short.map(|short| format!("-{short}")));
        let aliases = FLAGS.iter().flat_map(|flag| flag.aliases).map(|alias| alias.typed.to_owned());
        let mut all: Vec<String> = own.chain(short).chain(aliases).collect();
        all.sort();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
