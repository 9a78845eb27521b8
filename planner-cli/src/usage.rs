//! Help and complaints about the command line in Chinese, where clap has English only.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command};

/// The layout of clap's help with Chinese titles.
const TEMPLATE: &str = "{about-with-newline}\n用法：{usage}\n\n{all-args}{after-help}";

/// Titles of the groups of flags.
const HEADINGS: &[(&str, &str)] =
    &[("What", "模型与会话"), ("Where", "GPU 与并行"), ("Engine", "引擎"), ("Output", "输出")];

/// What the commands do.
const ABOUT: &[(&str, &str)] = &[
    ("kvplan", "规划大模型推理服务的 KV 缓存内存"),
    ("models", "列出目录中的模型、名称含某个词的模型，或显示一个模型及其来源"),
    ("gpus", "列出 GPU、名称含某个词的 GPU，或显示一个 GPU 及其来源"),
    ("explain", "显示代入数字的公式，以及每个数字的来源"),
    ("explain-log", "读取引擎的启动日志：与 kvplan 的数字并列，并说明差异"),
    ("command", "打印以这些设置启动 --engine 的命令"),
    ("completions", "打印 shell 的补全脚本"),
    ("bench-cache", "文章的实验：同样的 token，有缓存与无缓存各用多少时间"),
    ("schema", "打印 JSON 输出的 JSON Schema"),
    ("man", "打印手册页"),
];

fn of<'a>(table: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    table.iter().find(|(english, _)| *english == name).map(|(_, chinese)| *chinese)
}

/// The command line with Chinese titles. What a flag means stays English.
pub fn in_chinese(command: Command) -> Command {
    let about = of(ABOUT, command.get_name());
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let help = help.help("显示帮助（--help 显示全部参数）").help_heading("选项");
    let version = Arg::new("version").short('V').long("version").action(ArgAction::Version);
    let command = match command.get_version() {
        Some(_) => command.disable_version_flag(true).arg(version.help("显示版本").help_heading("选项")),
        None => command,
    };
    let command = command
        .disable_help_flag(true)
        .arg(help)
        .help_template(TEMPLATE)
        .subcommand_help_heading("命令")
        .mut_args(|arg| {
            let heading =
                arg.get_help_heading().map_or("选项", |heading| of(HEADINGS, heading).unwrap_or("选项"));
            arg.help_heading(heading)
        })
        .mut_subcommands(in_chinese);
    match about {
        Some(about) => command.about(about),
        None => command,
    }
}

/// clap's own words inside a help text.
const WORDS: &[(&str, &str)] = &[
    ("[OPTIONS]", "[选项]"),
    ("<COMMAND>", "<命令>"),
    ("[possible values: ", "[可选值："),
    ("[default: ", "[默认："),
    ("[also: ", "[亦作："),
    ("Examples:", "示例："),
    ("Exit codes:", "退出码："),
    ("Environment:", "环境变量："),
];

/// A rendered help text in Chinese.
pub fn help_in_chinese(help: &str) -> String {
    WORDS.iter().fold(help.to_owned(), |text, (english, chinese)| text.replace(english, chinese))
}

/// What is wrong with a command line, in one sentence.
pub fn complaint(error: &clap::Error) -> String {
    let texts = |kind: ContextKind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join("、"),
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let (argument, value) = (texts(ContextKind::InvalidArg), texts(ContextKind::InvalidValue));
    let known = texts(ContextKind::ValidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => format!("没有参数 `{argument}`"),
        ErrorKind::InvalidSubcommand => format!("没有命令 `{}`", texts(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => format!("`{argument}` 需要一个值"),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if known.is_empty() => {
            format!("`{argument}` 的值不能是 `{value}`")
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("`{argument}` 的值不能是 `{value}`，应为以下之一：{known}")
        }
        ErrorKind::ArgumentConflict => {
            let prior = texts(ContextKind::PriorArg);
            if prior.is_empty() || argument.starts_with(&prior) {
                format!("`{argument}` 给出了不止一次")
            } else {
                format!("`{argument}` 不能与 `{prior}` 同时给出")
            }
        }
        ErrorKind::MissingRequiredArgument => format!("缺少 `{argument}`"),
        ErrorKind::TooManyValues | ErrorKind::WrongNumberOfValues => {
            format!("`{argument}` 的值过多：`{value}`")
        }
        _ => error.to_string().lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

/// The name that was probably meant.
pub fn meant(error: &clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let name = kinds.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join("、")),
        _ => None,
    })?;
    Some(format!("是否要用 {name}？"))
}
