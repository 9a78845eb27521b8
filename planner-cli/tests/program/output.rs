//! Output that is too long for a transcript, or needs a terminal.

use crate::{run, stderr, stdout};

#[test]
fn the_version_is_the_package_s() {
    assert_eq!(stdout("--version").trim(), concat!("kvplan ", env!("CARGO_PKG_VERSION")));
}

/// Long flags and subcommands in `--help`, without the engines' own spellings.
fn listed() -> Vec<String> {
    let help = stdout("--help");
    let mut own = help.clone();
    while let Some((before, after)) = own.split_once("[also:") {
        own = format!("{before}{}", after.split_once(']').map_or("", |(_, rest)| rest));
    }
    let words = own.lines().filter(|line| line.starts_with("  ")).flat_map(str::split_whitespace);
    let flags = words.map(|word| word.trim_end_matches(',')).filter(|word| word.starts_with("--"));
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands =
        commands.take_while(|line| line.starts_with("  ")).filter_map(|line| line.split_whitespace().next());
    let plain = |flag: &str| {
        flag.len() > 2 && flag[2..].bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
    };
    flags.filter(|flag| plain(flag)).chain(commands).map(str::to_owned).collect()
}

#[test]
fn completions_and_the_manual_page_know_every_flag_and_command() {
    let listed = listed();
    assert!(listed.len() > 50 && listed.iter().any(|word| word == "explain"), "{listed:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish", "man"] {
        let text = match shell {
            "man" => stdout("man").replace('\\', ""),
            shell => stdout(&format!("completions {shell}")),
        };
        for word in &listed {
            let name = if shell == "fish" { word.trim_start_matches('-') } else { word };
            assert!(text.contains(name), "{shell} knows no {word}");
        }
    }
}

#[test]
fn a_shell_that_is_not_known_is_refused_with_the_list() {
    let output = run("completions tcsh");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("bash, elvish, fish, powershell, zsh"), "{}", stderr(&output));
}

#[test]
fn colours_are_written_where_they_are_asked_for_alone() {
    for line in ["--model gpt2 --seq 1000", "explain --model gpt2", "models gpt2"] {
        let plain = stdout(line);
        assert!(!plain.contains('\u{1b}'), "{line}");
        assert_eq!(stdout(&format!("{line} --color never")), plain, "{line}");
        let coloured = stdout(&format!("{line} --color always"));
        assert!(coloured.contains("\u{1b}[1m"), "{line}");
        assert_eq!(coloured.replace("\u{1b}[1m", "").replace("\u{1b}[0m", ""), plain, "{line}");
    }
}

#[test]
fn every_listing_has_a_row_for_each_entry_in_every_format() {
    for (list, entries) in [("models", planner_models::MODELS.len()), ("gpus", planner_models::GPUS.len())] {
        let csv = stdout(&format!("{list} --format csv"));
        assert_eq!(csv.lines().count(), 1 + entries, "{list} in CSV");
        let markdown = stdout(&format!("{list} --format markdown"));
        assert_eq!(
            markdown.lines().filter(|line| line.starts_with('|')).count(),
            2 + entries,
            "{list} in Markdown"
        );
        let table = stdout(list);
        assert!(table.contains(&entries.to_string()), "{list}: the footer counts {entries}");
    }
}

/// Columns of a narrow terminal.
#[cfg(unix)]
const NARROW: u16 = 56;

/// The program's output on a terminal of `columns` columns, without colours.
#[cfg(unix)]
fn on_a_terminal(columns: u16, line: &str) -> String {
    use std::io::Read;

    let (mut terminal, end) = pty_process::blocking::open().unwrap();
    terminal.resize(pty_process::Size::new(50, columns)).unwrap();
    let words = line.split_whitespace();
    let mut program = pty_process::blocking::Command::new(crate::KVPLAN)
        .args(words)
        .env("NO_COLOR", "1")
        .spawn(end)
        .unwrap();
    let mut seen = Vec::new();
    // After the program has closed the terminal, Linux reports an error instead of an end.
    let _ = terminal.read_to_end(&mut seen);
    assert!(program.wait().unwrap().success(), "{line}");
    String::from_utf8(seen).unwrap().replace("\r\n", "\n")
}

/// The narrow layout is in the file beside this one; `SNAPSHOTS=overwrite` writes it anew.
#[cfg(unix)]
#[test]
fn below_60_columns_every_figure_has_a_line() {
    let plan = "--model gpt2 --seq 1000 --users 3 --gpu l4";
    for line in [plan, "--model gpt2 --seq 1000 --engine all", "explain --model gpt2", "gpus l4"] {
        let seen = on_a_terminal(NARROW, line);
        let is_wide = |line: &&str| line.chars().count() > usize::from(NARROW);
        let wide: Vec<&str> = seen.lines().filter(is_wide).collect();
        assert!(wide.is_empty(), "{line}: wider than {NARROW}: {wide:#?}");
    }
    let seen = on_a_terminal(NARROW, plan);
    snapbox::assert_data_eq!(seen, snapbox::file!["narrow.txt"].raw());
}

/// Tables of lists and recommendations use the terminal's columns and no more; the files beside this one show 120.
#[cfg(unix)]
#[test]
fn tables_of_lists_are_as_wide_as_the_terminal() {
    let matrix =
        "--model llama3.1-70b --gpu h100,h200,rtx-4090 --tp 4 --seq 1k..128k --users 8 --engine vllm,sglang";
    let ranking = "recommend --model llama3.1-70b --users 50 --seq 16k --gpu h100,h200,quadro-rtx-8000 --gpus 24 \
                   --prices ../models/prices.example.yaml";
    for line in [matrix, ranking] {
        for columns in [NARROW, 80, 120] {
            let seen = on_a_terminal(columns, line);
            let wide: Vec<&str> =
                seen.lines().filter(|line| line.chars().count() > usize::from(columns)).collect();
            assert!(wide.is_empty(), "{line}: wider than {columns}: {wide:#?}");
            assert!(seen.contains("h100-80gb"), "{line}: {seen}");
        }
    }
    snapbox::assert_data_eq!(on_a_terminal(120, matrix), snapbox::file!["matrix_120.txt"].raw());
    snapbox::assert_data_eq!(on_a_terminal(120, ranking), snapbox::file!["recommend_120.txt"].raw());
}
