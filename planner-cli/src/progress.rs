//! A bar on standard error during long work, and Ctrl-C.

#[cfg(feature = "verify")]
use std::io::Write;
#[cfg(feature = "verify")]
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Work that takes longer shows a bar.
const LATE: Duration = Duration::from_millis(500);

/// Steps between two looks at the clock.
const STEPS: u64 = 64;

/// A bar of counted steps that is drawn after half a second, where standard error is a terminal and `shown`.
pub struct Late {
    start: Instant,
    steps: u64,
    all: u64,
    shown: bool,
    bar: Option<Bar>,
}

impl Late {
    /// Before the first of `all` steps.
    pub fn new(all: u64, shown: bool) -> Self {
        Self { start: Instant::now(), steps: 0, all, shown, bar: None }
    }

    /// After one more step.
    pub fn step(&mut self) {
        self.steps += 1;
        if self.shown && self.steps.is_multiple_of(STEPS) && self.start.elapsed() > LATE {
            let (steps, all) = (self.steps, self.all);
            let bar = self.bar.get_or_insert_with(Bar::new);
            bar.set(steps as f64 / all.max(1) as f64, || format!("{steps} / {all}"));
        }
    }
}

impl Drop for Late {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.clear();
        }
    }
}

/// Steps of the bar.
const LENGTH: u64 = 1000;

/// Exit code after Ctrl-C.
#[cfg(feature = "verify")]
pub const INTERRUPTED: u8 = 130;

/// A second Ctrl-C within this time counts as the first: some programs signal both a process and its group.
#[cfg(feature = "verify")]
const AGAIN: Duration = Duration::from_millis(500);

/// When Ctrl-C was pressed.
#[cfg(feature = "verify")]
static STOPPED: OnceLock<Instant> = OnceLock::new();

/// From now on a Ctrl-C asks for an orderly end, and a second one ends at once.
#[cfg(feature = "verify")]
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
#[cfg(feature = "verify")]
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
    #[cfg(feature = "verify")]
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
#[cfg(feature = "verify")]
pub fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}
