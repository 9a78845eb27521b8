//! Where and how output goes: format, language, colour, width. The only place that prints.

use std::io::{BufWriter, ErrorKind, Write};
use std::sync::OnceLock;

use anstyle::Style;
use clap::ArgMatches;
use planner_core::Error;
use planner_core::render::words::{Message, error_message, raw, text};
use planner_core::text::Lang;

use crate::failure;

/// Columns when standard output is not a terminal.
const PIPED_WIDTH: u16 = 80;

/// Why standard output did not take an answer.
static UNWRITTEN: OnceLock<String> = OnceLock::new();

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// For documents.
    Markdown,
}

/// Everything about the output.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Format.
    pub format: Format,
    /// Language.
    pub lang: Lang,
    /// Columns.
    pub width: u16,
}

impl Output {
    /// From the flags.
    pub fn new(matches: &ArgMatches) -> Self {
        let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
        let choice = match text("color") {
            Some("always") => anstream::ColorChoice::Always,
            Some("never") => anstream::ColorChoice::Never,
            _ => anstream::ColorChoice::Auto,
        };
        choice.write_global();
        Self {
            format: match text("format") {
                Some("json") => Format::Json,
                Some("csv") => Format::Csv,
                Some("markdown") => Format::Markdown,
                _ => Format::Table,
            },
            lang: text("lang").and_then(Lang::parse).unwrap_or_default(),
            width: terminal_size::terminal_size().map_or(PIPED_WIDTH, |(width, _)| width.0),
        }
    }

    /// For a command line that did not parse: what can be seen of its flags.
    pub fn of_raw_arguments(arguments: &[String]) -> Self {
        let value = |name: &str| {
            let (flag, joined) = (format!("--{name}"), format!("--{name}="));
            arguments.iter().enumerate().find_map(|(at, argument)| match argument.strip_prefix(&joined) {
                Some(value) => Some(value),
                None if *argument == flag => arguments.get(at + 1).map(String::as_str),
                None => None,
            })
        };
        Self {
            format: if value("format") == Some("json") { Format::Json } else { Format::Table },
            lang: value("lang").and_then(Lang::parse).unwrap_or_default(),
            width: PIPED_WIDTH,
        }
    }

    /// Writes an answer to standard output. A reader that has gone away is no error.
    pub fn print(&self, text: &str) {
        let mut out = anstream::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        let written = write!(out, "{text}{end}").and_then(|()| out.flush());
        if let Err(error) = written.as_ref()
            && error.kind() != ErrorKind::BrokenPipe
        {
            let _ = UNWRITTEN.set(error.to_string());
        }
    }

    /// A writer to standard output for an answer of many rows, without colours.
    pub fn stream(&self) -> Stream {
        Stream { out: BufWriter::with_capacity(1 << 16, std::io::stdout()), closed: false }
    }

    /// Tells why an answer could not be written, where one could not.
    pub fn tell_unwritten(&self) -> bool {
        let Some(why) = UNWRITTEN.get() else { return false };
        self.tell(&text(self.lang, Message::Unwritten, &[why]));
        true
    }

    /// Tells of progress, or of what goes beside an answer, on standard error.
    pub fn tell(&self, text: &str) {
        let _ = writeln!(anstream::stderr().lock(), "{text}");
    }

    /// Writes a failure: the message to standard error, and in JSON to standard output as well.
    pub fn print_error(&self, error: &Error) {
        if self.format == Format::Json {
            self.print(&to_text(&failure::to_json(self.lang, error)));
        }
        let red = Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
        let bold = Style::new().bold();
        let mut err = anstream::stderr().lock();
        let _ = writeln!(
            err,
            "{red}{}{red:#}: {}",
            raw(self.lang, Message::Error),
            error_message(self.lang, error)
        );
        if let Some(hint) = failure::hint(self.lang, error) {
            let _ = writeln!(err, "\n{bold}{}{bold:#}: {hint}", raw(self.lang, Message::Hint));
        }
    }
}

/// Rows on their way to standard output. An error closes it, and is told at the end of the program.
pub struct Stream {
    out: BufWriter<std::io::Stdout>,
    closed: bool,
}

impl Stream {
    /// Whether a reader has gone away, or writing failed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    fn took(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            self.closed = true;
            if error.kind() != ErrorKind::BrokenPipe {
                let _ = UNWRITTEN.set(error.to_string());
            }
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.closed {
            let written = self.out.write_all(bytes);
            self.took(written);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.closed {
            let written = self.out.flush();
            self.took(written);
        }
        Ok(())
    }
}

/// Indented JSON text.
pub fn to_text(json: &serde_json::Value) -> String {
    serde_json::to_string_pretty(json).unwrap_or_default()
}

/// Text in bold where the terminal can.
pub fn bold(text: &str) -> String {
    let bold = Style::new().bold();
    format!("{bold}{text}{bold:#}")
}
