//! A log's lines without what terminals, containers and journals put around them, each with the rank that wrote it.
//!
//! Only what hides a message is taken off: colours, JSON around it, carriage returns. Time stamps, container names
//! and the like stay, since a pattern is found anywhere in a line.

use std::borrow::Cow;

use serde_json::Value as Json;

/// Keys under which JSON lines keep a message: Docker and Kubernetes, journald, structured loggers, Cloud Logging.
const MESSAGE_KEYS: [&str; 7] = ["log", "MESSAGE", "message", "msg", "textPayload", "line", "event"];

/// JSON inside JSON is followed this deep.
const DEEPEST: usize = 4;

/// Text from the bytes of a file: UTF-8, or UTF-16 with its mark, as PowerShell's `>` writes it.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    let pairs = |of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units))
    };
    match bytes {
        [0xff, 0xfe, ..] => pairs(u16::from_le_bytes),
        [0xfe, 0xff, ..] => pairs(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes),
    }
}

/// The messages of a log, one a line.
pub fn messages(text: &str) -> impl Iterator<Item = String> {
    text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).flat_map(|line| unwrapped(line, 0))
}

/// A line without colours, and what stands in it where it is JSON.
fn unwrapped(line: &str, depth: usize) -> Vec<String> {
    let line = plain(line);
    let trimmed = line.trim();
    // a prefix may stand before the object: `vllm-1  | {"message": …}`
    let object = trimmed.find('{').filter(|_| depth < DEEPEST && trimmed.ends_with('}'));
    let message = object.and_then(|at| message(trimmed.get(at..)?));
    match message {
        Some(message) => message
            .split(['\n', '\r'])
            .filter(|line| !line.trim().is_empty())
            .flat_map(|line| unwrapped(line, depth + 1))
            .collect(),
        None => vec![with_single_spaces(line)],
    }
}

/// A line without the spaces that fill up columns, whose widths differ between releases.
fn with_single_spaces(line: Cow<'_, str>) -> String {
    if !line.contains("  ") {
        return line.into_owned();
    }
    let mut single = String::with_capacity(line.len());
    for c in line.chars() {
        if !(c == ' ' && single.ends_with(' ')) {
            single.push(c);
        }
    }
    single
}

/// The message of a JSON object.
fn message(text: &str) -> Option<String> {
    let Ok(Json::Object(object)) = serde_json::from_str(text) else { return None };
    MESSAGE_KEYS.iter().find_map(|key| match object.get(*key)? {
        Json::String(message) => Some(message.clone()),
        // journald writes bytes where a message holds colours
        Json::Array(bytes) => {
            let bytes: Option<Vec<u8>> = bytes.iter().map(|byte| u8::try_from(byte.as_u64()?).ok()).collect();
            Some(String::from_utf8_lossy(&bytes?).into_owned())
        }
        _ => None,
    })
}

/// A line without escape sequences and control characters.
fn plain(line: &str) -> Cow<'_, str> {
    // syslog writes the escape character in octal
    let line = match line.contains("#033[") {
        true => Cow::Owned(line.replace("#033[", "\u{1b}[")),
        false => Cow::Borrowed(line),
    };
    if !line.contains(|c: char| c.is_control() && c != '\t') {
        return line;
    }
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => match rest.next() {
                // a control sequence ends with a letter or one of @[\]^_`{|}~
                Some('[') => drop(rest.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c))),
                // a title or a link ends with a bell or with another escape
                Some(']') => drop(rest.by_ref().find(|c| matches!(c, '\u{7}' | '\u{1b}'))),
                _ => {}
            },
            '\t' => plain.push(' '),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    Cow::Owned(plain)
}

/// Which of several processes wrote a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    /// Rank among all, where the line counts them so.
    pub rank: Option<u64>,
    /// Data-parallel replica.
    pub dp: Option<u64>,
    /// Pipeline stage.
    pub pp: Option<u64>,
    /// Tensor-parallel rank.
    pub tp: Option<u64>,
}

impl Place {
    /// The place that the start of a line names: `(Worker_PP0_TP1 pid=…)`, `(VllmWorker rank=1 pid=…)`, `… DP0 TP1]`,
    /// `[RANK 1]`.
    pub fn of(line: &str) -> Self {
        // the message itself may speak of other ranks
        let head = line.char_indices().nth(160).map_or(line, |(at, _)| &line[..at]);
        let number = |name: &str| {
            head.match_indices(name).find_map(|(at, _)| {
                let before = head[..at].chars().next_back();
                let starts = before.is_none_or(|c| !c.is_alphanumeric());
                let digits = head[at + name.len()..].split(|c: char| !c.is_ascii_digit()).next()?;
                starts.then(|| digits.parse().ok()).flatten()
            })
        };
        let in_worker = head.contains("pid=") || head.contains(']');
        let named = |name: &str| in_worker.then(|| number(name)).flatten();
        let rank = named("VllmWorker rank=").or_else(|| named("RANK "));
        Self { rank, dp: named("DP"), pp: named("PP"), tp: named("TP") }
    }

    /// As a table names it; empty where the line names none.
    pub fn name(&self) -> String {
        let parts = [("rank ", self.rank), ("DP", self.dp), ("PP", self.pp), ("TP", self.tp)];
        let parts = parts.iter().filter_map(|(name, number)| Some(format!("{name}{}", (*number)?)));
        parts.collect::<Vec<_>>().join(" ")
    }

    /// The pipeline stage, where ranks are counted stage by stage.
    pub fn stage(&self, tp: u64, pp: u64) -> u64 {
        self.pp.or_else(|| Some(self.rank? / tp.max(1) % pp.max(1))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(line: &str) -> String {
        messages(line).next().unwrap()
    }

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(first("\u{1b}[36m(Worker pid=1)\u{1b}[0m INFO"), "(Worker pid=1) INFO");
        assert_eq!(first("#033[32mINFO#033[0m ok"), "INFO ok");
        assert_eq!(first("\u{1b}]0;title\u{7}INFO"), "INFO");
    }

    #[test]
    fn the_message_of_a_json_line_is_read() {
        assert_eq!(first(r#"{"log":"INFO a\n","stream":"stderr"}"#), "INFO a");
        assert_eq!(first(r#"vllm-1  | {"message": "{\"msg\": \"INFO b\"}"}"#), "INFO b");
        assert_eq!(first(r#"{"MESSAGE":[27,91,51,50,109,79,75]}"#), "OK");
        assert_eq!(first("args: {'model': 'm'}"), "args: {'model': 'm'}");
    }

    #[test]
    fn utf_16_is_read() {
        let bytes: Vec<u8> =
            std::iter::once(0xfeff_u16).chain("a\nb".encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&bytes), "a\nb");
    }

    #[test]
    fn the_rank_is_that_of_the_line_s_start() {
        let place = |line| Place::of(line).name();
        assert_eq!(place("(Worker_PP1_TP3 pid=7) INFO x"), "PP1 TP3");
        assert_eq!(place("(VllmWorker rank=2 pid=7) INFO"), "rank 2");
        assert_eq!(place("[2026-07-01 10:00:00 DP1 TP0] Load"), "DP1 TP0");
        assert_eq!(place("[12/20/2025-03:40:47] [TRT-LLM] [RANK 3] [I] x"), "rank 3");
        assert_eq!(place("(EngineCore_DP0 pid=9) INFO"), "DP0");
        assert_eq!(place("INFO rank 0 is TP rank 0"), "");
    }
}
