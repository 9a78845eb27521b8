//! A bar on standard error during long work, and Ctrl-C.

use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of the bar.
const LENGTH: u64 = 1000;

/// Exit code after Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// A second Ctrl-C within this time counts as the first: some programs signal both a process and its group.
const AGAIN: Duration = Duration::from_millis(500);

/// When Ctrl-C was pressed.
static STOPPED: OnceLock<Instant> = OnceLock::new();

/// From now on a Ctrl-C asks for an orderly end, and a second one ends at once.
pub fn watch_interrupts() {
    let again = || {
        if STOPPED.get_or_init(Instant::now).elapsed() > AGAIN {
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    // Where no handler can be set, Ctrl-C ends the program as usual.
    let _ = ctrlc::set_handler(again);
}

/// Whether Ctrl-C was pressed.
pub fn interrupted() -> bool {
    STOPPED.get().is_some()
}

/// A bar that is drawn where standard error is a terminal.
pub struct Bar(ProgressBar);

impl Bar {
    /// An empty bar.
    pub fn new() -> Self {
        let bar = ProgressBar::new(LENGTH);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {percent}% {wide_msg}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// Moves the bar to a share of the work, with a text beside it.
    pub fn set(&self, done: f64, message: impl FnOnce() -> String) {
        if !self.0.is_hidden() {
            self.0.set_position((done * LENGTH as f64) as u64);
            self.0.set_message(message());
        }
    }

    /// Writes a line above the bar.
    pub fn tell(&self, line: &str) {
        self.0.suspend(|| {
            let _ = writeln!(anstream::stderr().lock(), "{line}");
        });
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Seconds for people: `4 s`, `13 min`, `2.5 h`.
pub fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
