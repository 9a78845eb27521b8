//! A start-up log as data: engine, version, model, settings, and figures of every rank.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::engine::{ALL, Rules};
use crate::figure::{Figure, Quantity};
use crate::lines::{Place, messages, text};
use crate::pattern::{Found, Pattern};
use crate::settings;

/// Bytes of a file that are read: a start-up stands at its beginning.
pub const MOST_BYTES: usize = 64 << 20;

/// Figures that are added up over devices and caches, not printed anew.
const ADDED_UP: [Quantity; 7] = [
    Quantity::Weights,
    Quantity::Room,
    Quantity::Keys,
    Quantity::Values,
    Quantity::States,
    Quantity::Compute,
    Quantity::Output,
];

/// A setting as the log says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// kvplan's flag without its dashes.
    pub flag: &'static str,
    /// The value, as that flag takes it.
    pub value: String,
}

/// Figures of one process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rank {
    /// Which one it is.
    pub place: Place,
    /// Its figures, by what they are of.
    pub figures: BTreeMap<Quantity, Figure>,
}

/// A start-up log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupLog {
    /// kvplan's name of the engine.
    pub engine: &'static str,
    /// Its version, as printed.
    pub version: Option<String>,
    /// The model, as printed.
    pub model: Option<String>,
    /// The GPU, as printed.
    pub gpu: Option<String>,
    /// Settings, each once.
    pub settings: Vec<Setting>,
    /// Settings that kvplan has no flag for, by the engine's name.
    pub unplanned: Vec<&'static str>,
    /// Figures, rank by rank; lines that name no rank are the first's.
    pub ranks: Vec<Rank>,
    /// Lines that were recognised.
    pub lines: usize,
}

impl StartupLog {
    /// Reads the bytes of a log; nothing where no line is any engine's.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let text = text(bytes.get(..MOST_BYTES).unwrap_or(bytes));
        let (mut readers, starts) = (ALL.map(Reader::new), STARTS.as_ref()?);
        for message in messages(&text) {
            for (reader, found) in readers.iter_mut().zip(starts.in_line(&message)) {
                reader.line(&message, &found);
            }
        }
        // the first of equals
        let best = readers.into_iter().rev().max_by_key(|reader| reader.log.lines)?;
        (best.log.lines > 0).then(|| best.done())
    }

    /// A setting by kvplan's flag.
    pub fn setting(&self, flag: &str) -> Option<&str> {
        self.settings.iter().find(|setting| setting.flag == flag).map(|setting| setting.value.as_str())
    }

    /// A setting that is a count.
    pub fn count(&self, flag: &str) -> Option<u64> {
        self.setting(flag)?.parse().ok()
    }

    /// A figure that all ranks share, such as tokens: that of the first rank that prints it.
    pub fn figure(&self, quantity: Quantity) -> Option<Figure> {
        self.ranks.iter().find_map(|rank| rank.figures.get(&quantity)).copied()
    }
}

/// The texts that lines of all engines start with, looked for at once: a log is long, and few of its lines are any of
/// them.
struct Starts {
    automaton: AhoCorasick,
    /// Engine and line of each.
    owners: Vec<(usize, usize)>,
}

static STARTS: LazyLock<Option<Starts>> = LazyLock::new(Starts::of_all);

impl Starts {
    fn of_all() -> Option<Self> {
        let lines = ALL.iter().enumerate().flat_map(|(engine, rules)| {
            let lines =
                rules.lines.iter().map(Pattern::start).chain(rules.dumps.iter().map(|dump| dump.after));
            lines.enumerate().map(move |(line, start)| (start, (engine, line)))
        });
        let (starts, owners): (Vec<&str>, Vec<_>) = lines.unzip();
        Some(Self { automaton: AhoCorasick::new(starts).ok()?, owners })
    }

    /// Lines, then dumps, of each engine that a message may be.
    fn in_line(&self, message: &str) -> [BTreeSet<usize>; ALL.len()] {
        let mut found = [const { BTreeSet::new() }; ALL.len()];
        for start in self.automaton.find_overlapping_iter(message) {
            if let Some((engine, line)) = self.owners.get(start.pattern().as_usize())
                && let Some(lines) = found.get_mut(*engine)
            {
                lines.insert(*line);
            }
        }
        found
    }
}

/// Reads a log as one engine's.
struct Reader {
    rules: &'static Rules,
    log: StartupLog,
}

impl Reader {
    fn new(rules: &'static Rules) -> Self {
        let log = StartupLog {
            engine: rules.engine,
            version: None,
            model: None,
            gpu: None,
            settings: Vec::new(),
            unplanned: Vec::new(),
            ranks: Vec::new(),
            lines: 0,
        };
        Self { rules, log }
    }

    /// Takes in a line that may be some of the engine's, its dumps counted after its lines.
    fn line(&mut self, line: &str, candidates: &BTreeSet<usize>) {
        let mut recognised = false;
        for pattern in candidates.iter().filter_map(|at| self.rules.lines.get(*at)) {
            let Some(found) = pattern.find(line) else { continue };
            recognised = true;
            // further API servers come up when the engine has told its figures
            if pattern.starts && !line.contains("(ApiServer_") {
                self.forget();
            }
            if pattern.text == "constructing llama_context" {
                self.forget_context();
            }
            let place = Place::of(line);
            found.into_iter().for_each(|found| self.keep(&place, found));
        }
        let dumps = candidates.iter().filter_map(|at| at.checked_sub(self.rules.lines.len()));
        for dump in dumps.filter_map(|at| self.rules.dumps.get(at)) {
            let Some(at) = line.find(dump.after) else { continue };
            recognised = true;
            let rest = &line[at + dump.after.len()..];
            for key in dump.keys {
                let Some(value) = settings::value(rest, key.key) else { continue };
                match key.flag {
                    "" if !matches!(value, "False" | "false" | "0") => self.unplanned(key.key),
                    "" => {}
                    "model" => self.log.model = Some(value.to_owned()),
                    flag => self.set(flag, value),
                }
            }
        }
        self.log.lines += usize::from(recognised);
    }

    /// A run starts anew: what an earlier one printed is another's.
    fn forget(&mut self) {
        let lines = self.log.lines;
        *self = Self::new(self.rules);
        self.log.lines = lines;
    }

    /// The buffers of a context that was only tried.
    fn forget_context(&mut self) {
        for rank in &mut self.log.ranks {
            rank.figures.retain(|quantity, _| *quantity == Quantity::Weights);
        }
    }

    fn keep(&mut self, place: &Place, found: Found) {
        match found {
            Found::Setting(flag, value) => self.set(flag, &value),
            Found::Name("model", model) => self.log.model = Some(model.trim_matches(['\'', '"']).to_owned()),
            Found::Name("gpu", gpu) => self.log.gpu = Some(gpu.replace('_', " ")),
            Found::Name(_, version) => self.log.version = Some(version.trim_start_matches('v').to_owned()),
            Found::Figure(figure) => self.figure(place, figure),
        }
    }

    fn figure(&mut self, place: &Place, figure: Figure) {
        let ranks = &mut self.log.ranks;
        let rank = match ranks.iter().position(|rank| rank.place == *place) {
            Some(at) => &mut ranks[at],
            None => {
                ranks.push(Rank { place: place.clone(), figures: BTreeMap::new() });
                let last = ranks.len() - 1;
                &mut ranks[last]
            }
        };
        let adds = self.rules.engine == "llama.cpp" && ADDED_UP.contains(&figure.quantity)
            || figure.quantity == Quantity::States;
        let kept = rank.figures.entry(figure.quantity).or_insert(Figure { value: 0, rounding: 0, ..figure });
        *kept = match adds {
            true => Figure {
                value: kept.value.saturating_add(figure.value),
                rounding: kept.rounding.saturating_add(figure.rounding),
                ..figure
            },
            false => figure,
        };
    }

    fn set(&mut self, flag: &'static str, value: &str) {
        let Some(value) = settings::as_flag(flag, value) else { return };
        match self.log.settings.iter_mut().find(|setting| setting.flag == flag) {
            Some(setting) => setting.value = value,
            None => self.log.settings.push(Setting { flag, value }),
        }
    }

    fn unplanned(&mut self, key: &'static str) {
        if !self.log.unplanned.contains(&key) {
            self.log.unplanned.push(key);
        }
    }

    /// Keys and values make the room of a log that prints them apart, and what holds for all ranks is taken off
    /// figures that hold two.
    fn done(mut self) -> StartupLog {
        for rank in &mut self.log.ranks {
            let get = |quantity| rank.figures.get(&quantity).copied();
            if let (None, Some(keys), Some(values)) =
                (get(Quantity::Room), get(Quantity::Keys), get(Quantity::Values))
            {
                let room = Figure {
                    quantity: Quantity::Room,
                    value: keys.value.saturating_add(values.value),
                    rounding: keys.rounding.saturating_add(values.rounding),
                };
                rank.figures.insert(Quantity::Room, room);
            }
        }
        let shared = self.log.figure(Quantity::GraphsEstimate);
        for rank in &mut self.log.ranks {
            let Some(both) = rank.figures.remove(&Quantity::ActivationAndGraphs) else { continue };
            let graphs = rank.figures.get(&Quantity::GraphsEstimate).copied().or(shared);
            let graphs = graphs.map_or((0, 0), |graphs| (graphs.value, graphs.rounding));
            rank.figures.entry(Quantity::Activation).or_insert(Figure {
                quantity: Quantity::Activation,
                value: both.value.saturating_sub(graphs.0),
                rounding: both.rounding.saturating_add(graphs.1),
            });
        }
        self.log
    }
}
