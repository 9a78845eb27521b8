//! Deployments, ranked.

use planner_core::device::Device;
use planner_core::engine::command::quoted;
use planner_core::plan::{By, LeftOut, Limit, Recommendation};
use planner_core::render::json;
use planner_core::render::words::{Message as M, error_message, raw, users};
use planner_core::spec::model::ModelSpec;
use planner_core::text::Lang;
use planner_core::units::group_digits;
use serde_json::{Value as Json, json};

use super::recommend_words as words;
use super::rows::{Align, Rows};
use super::{titled, wrap};
use crate::failure;
use crate::output::{Format, Output, bold, to_text};
use crate::prices::{Prices, cost, part, shared};

/// Rows of a table where `--top` does not say.
const TOP: usize = 10;

/// What all questions share.
pub struct Asked<'a> {
    /// The model.
    pub model: &'a ModelSpec,
    /// What ranks.
    pub by: By,
    /// `--prices`.
    pub prices: Option<&'a Prices>,
    /// The most GPUs.
    pub most_gpus: u64,
    /// `--top`.
    pub top: Option<u64>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// One question.
pub struct Question {
    /// Engine id.
    pub engine: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Tokens of one session.
    pub tokens: u64,
    /// Sessions at once.
    pub users: u64,
    /// The words to type before a row's own flags.
    pub typed: Vec<String>,
}

/// A question and its answer.
pub struct Shown {
    /// The question.
    pub question: Question,
    /// The best first.
    pub rows: Vec<Recommendation>,
    /// GPUs without a row.
    pub left_out: Vec<(Device, LeftOut)>,
}

impl Question {
    /// The plan of a row, as typed into a shell.
    fn plan(&self, row: &Recommendation) -> String {
        let own =
            row.placement.flags(&row.device).into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]);
        let words: Vec<String> = self.typed.iter().cloned().chain(own).map(|word| quoted(&word)).collect();
        words.join(" ")
    }
}

impl Asked<'_> {
    /// Millionths an hour of all GPUs of a row, and of one of its most users.
    fn cost(&self, row: &Recommendation) -> Option<(u64, Option<u64>)> {
        let all = self.prices?.of(&row.device)?.per_hour.checked_mul(row.gpus)?;
        Some((all, shared(all, row.max_users)))
    }

    fn name_of_by(&self) -> &'static str {
        match self.by {
            By::Gpus => "gpus",
            By::Cost => "cost",
            By::Headroom => "headroom",
        }
    }
}

/// In the output's format.
pub fn render(asked: &Asked<'_>, shown: &[Shown], output: &Output) -> String {
    match output.format {
        Format::Json => to_text(&document(asked, shown, output.lang)),
        Format::Csv => csv(asked, shown),
        Format::Table | Format::Markdown => {
            let parts = shown.iter().map(|shown| table(asked, shown, output));
            let notes = asked.notes.iter().map(|note| match output.format {
                Format::Markdown => format!("- {note}"),
                _ => wrap(note, output.width, 2),
            });
            parts.chain(notes).collect::<Vec<_>>().join("\n\n")
        }
    }
}

/// The columns of CSV.
const COLUMNS: [&str; 22] = [
    "rank",
    "model",
    "engine",
    "version",
    "seq",
    "users",
    "gpu",
    "gpus",
    "tp",
    "pp",
    "dp",
    "ep",
    "kv_dtype",
    "max_users",
    "steady_users",
    "max_seq",
    "limited_by",
    "currency",
    "cost_per_hour",
    "cost_per_user",
    "plan",
    "command",
];

fn csv(asked: &Asked<'_>, shown: &[Shown]) -> String {
    let header = COLUMNS.map(str::to_owned).to_vec();
    let rows = shown.iter().flat_map(|shown| {
        top(asked, &shown.rows, usize::MAX).iter().enumerate().map(move |row| (shown, row))
    });
    let rows = rows.map(|(shown, (at, row))| {
        let (question, placement) = (&shown.question, &row.placement);
        let hourly = asked.cost(row);
        let optional = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        vec![
            (at + 1).to_string(),
            asked.model.id.clone(),
            question.engine.to_owned(),
            question.version.to_owned(),
            row.tokens.to_string(),
            question.users.to_string(),
            row.device.id.clone(),
            row.gpus.to_string(),
            placement.tp.to_string(),
            placement.pp.to_string(),
            placement.dp.to_string(),
            (if placement.ep { "on" } else { "" }).to_owned(),
            kv_dtype(row).unwrap_or_default(),
            row.max_users.to_string(),
            row.steady_users.to_string(),
            optional(row.max_seq),
            row.limited_by.name().to_owned(),
            hourly.map_or_else(String::new, |_| {
                asked.prices.map_or_else(String::new, |prices| prices.currency.clone())
            }),
            hourly.map_or_else(String::new, |(all, _)| cost(all)),
            hourly.and_then(|(_, user)| user).map_or_else(String::new, part),
            question.plan(row),
            row.command.as_ref().map_or_else(String::new, |command| command.shell()),
        ]
    });
    super::csv::rows(std::iter::once(header).chain(rows))
}

/// The chosen type of keys and values.
fn kv_dtype(row: &Recommendation) -> Option<String> {
    let chosen = row.placement.kv_dtype.as_ref()?;
    Some(chosen.as_deref().unwrap_or("auto").to_owned())
}

fn top<'r>(asked: &Asked<'_>, rows: &'r [Recommendation], most: usize) -> &'r [Recommendation] {
    let most = asked.top.map_or(most, |top| usize::try_from(top).unwrap_or(usize::MAX));
    &rows[..rows.len().min(most)]
}

fn document(asked: &Asked<'_>, shown: &[Shown], lang: Lang) -> Json {
    let prices = asked
        .prices
        .map(|prices| json!({ "currency": prices.currency, "date": prices.date, "source": prices.source }));
    json!({
        "schema": json::SCHEMA,
        "model": asked.model.id,
        "by": asked.name_of_by(),
        "most_gpus": asked.most_gpus,
        "prices": prices,
        "recommendations": shown.iter().map(|shown| answer(asked, shown, lang)).collect::<Vec<_>>(),
        "notes": asked.notes,
    })
}

fn answer(asked: &Asked<'_>, shown: &Shown, lang: Lang) -> Json {
    let question = &shown.question;
    let rows = top(asked, &shown.rows, usize::MAX).iter().enumerate();
    let left_out = shown.left_out.iter().map(|(device, why)| {
        let (limit, error) = match why {
            LeftOut::Weights => (Some(Limit::Weights.name()), None),
            LeftOut::KvCache => (Some(Limit::KvCache.name()), None),
            LeftOut::Refused(error) => (None, Some(failure::to_json(lang, error)["error"].take())),
        };
        json!({ "gpu": device.id, "limited_by": limit, "error": error })
    });
    json!({
        "engine": question.engine,
        "version": question.version,
        "seq": json::integer(question.tokens),
        "users": json::integer(question.users),
        "rows": rows.map(|(at, row)| row_json(asked, question, at, row, lang)).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}

fn row_json(asked: &Asked<'_>, question: &Question, at: usize, row: &Recommendation, lang: Lang) -> Json {
    let hourly = asked.cost(row);
    let price = asked.prices.and_then(|prices| Some((prices, prices.of(&row.device)?)));
    let flags = row.placement.flags(&row.device).into_iter();
    json!({
        "rank": at + 1,
        "gpu": row.device.id,
        "gpus": row.gpus,
        "tp": row.placement.tp,
        "pp": row.placement.pp,
        "dp": row.placement.dp,
        "ep": row.placement.ep.then_some("on"),
        "kv_dtype": kv_dtype(row),
        "max_users": json::integer(row.max_users),
        "steady_users": json::integer(row.steady_users),
        "max_seq": row.max_seq.map(json::integer),
        "limited_by": row.limited_by.name(),
        "kv_bytes_available": json::integer(row.kv_bytes_available),
        "cost_per_hour": hourly.map(|(all, _)| cost(all)),
        "cost_per_user": hourly.and_then(|(_, user)| user).map(part),
        "price": price.map(|(prices, price)| json!({
            "per_hour": cost(price.per_hour),
            "currency": prices.currency,
            "date": price.date.as_ref().or(prices.date.as_ref()),
            "source": price.source.as_ref().or(prices.source.as_ref()),
        })),
        "flags": flags.map(|(flag, value)| json!({ "flag": flag, "value": value })).collect::<Vec<_>>(),
        "plan": question.plan(row),
        "command": row.command.as_ref().map(|command| json::command(command, lang)),
    })
}

/// One question's title, rows, commands, and GPUs without a row.
fn table(asked: &Asked<'_>, shown: &Shown, output: &Output) -> String {
    let lang = output.lang;
    let markdown = output.format == Format::Markdown;
    let question = &shown.question;
    let by = match asked.by {
        By::Gpus => words::BY_GPUS,
        By::Cost => words::BY_COST,
        By::Headroom => words::BY_HEADROOM,
    };
    let engine = format!("{} {}", question.engine, question.version);
    let title = words::TITLE
        .text(lang, &[&users(lang, question.users), &group_digits(question.tokens), &engine, by.raw(lang)]);
    let mut parts = vec![match markdown {
        true => format!("**{}**: {title}", asked.model.name),
        false => titled(&asked.model.name, &title, output.width),
    }];
    let kept = top(asked, &shown.rows, if markdown { usize::MAX } else { TOP });
    if kept.is_empty() {
        parts.push(words::NOTHING.text(lang, &[&asked.most_gpus.to_string()]));
    } else {
        let rows = rows(asked, question, kept, markdown, lang);
        parts.push(if markdown { rows.markdown().trim_end().to_owned() } else { rows.table(output.width) });
        if !markdown {
            parts.push(commands(question, kept, output));
        }
    }
    if kept.len() < shown.rows.len() {
        let more = (shown.rows.len() - kept.len()).to_string();
        parts.push(wrap(&words::MORE.text(lang, &[&more, &shown.rows.len().to_string()]), output.width, 2));
    }
    let below = left_out(asked, shown, lang).into_iter().chain(of_prices(asked, lang));
    let below: Vec<String> =
        below.map(|line| if markdown { format!("- {line}") } else { wrap(&line, output.width, 2) }).collect();
    if !below.is_empty() {
        parts.push(below.join("\n"));
    }
    parts.join("\n\n")
}

fn rows(asked: &Asked<'_>, question: &Question, kept: &[Recommendation], markdown: bool, lang: Lang) -> Rows {
    let per_hour = asked.prices.map(|prices| words::PER_HOUR.text(lang, &[&prices.currency]));
    let mut header = vec!["#", raw(lang, M::ColumnGpu), words::COUNT.raw(lang), words::PLACED.raw(lang)];
    let mut aligns = vec![Align::Right, Align::Whole, Align::Right, Align::Left];
    header.extend([words::USERS.raw(lang), words::LONGEST.raw(lang)]);
    aligns.extend([Align::Right, Align::Right]);
    if let Some(per_hour) = &per_hour {
        header.extend([per_hour.as_str(), words::PER_USER.raw(lang)]);
        aligns.extend([Align::Right, Align::Right]);
    }
    if markdown {
        header.extend([words::LIMITED_BY.raw(lang), words::COMMAND.raw(lang), words::PLAN.raw(lang)]);
        aligns.extend([Align::Left, Align::Left, Align::Left]);
    }
    let mut rows = Rows::new(header, &aligns);
    for (at, row) in kept.iter().enumerate() {
        let placed = row.placement.flags(&row.device).into_iter().filter_map(|(flag, value)| match flag {
            "--gpu" => None,
            "--ep" => Some("ep".to_owned()),
            "--kv-dtype" => Some(value).filter(|value| value != "auto"),
            size => Some(format!("{} {value}", size.trim_start_matches('-'))),
        });
        let placed: Vec<String> = placed.collect();
        let mark = if row.limited_by == Limit::MaxPosition { raw(lang, M::LimitMark) } else { "" };
        let longest = row.max_seq.map_or_else(
            || raw(lang, M::NoLimit).to_owned(),
            |tokens| format!("{} {mark}", group_digits(tokens)).trim_end().to_owned(),
        );
        let mut cells = vec![
            (at + 1).to_string(),
            row.device.id.clone(),
            row.gpus.to_string(),
            placed.join(" "),
            group_digits(row.max_users),
            longest,
        ];
        if per_hour.is_some() {
            let hourly = asked.cost(row);
            cells.push(hourly.map_or_else(|| "-".to_owned(), |(all, _)| cost(all)));
            cells.push(hourly.and_then(|(_, user)| user).map_or_else(|| "-".to_owned(), part));
        }
        if markdown {
            let command =
                row.command.as_ref().map_or_else(String::new, |command| format!("`{}`", command.shell()));
            cells.extend([row.limited_by.name().to_owned(), command, format!("`{}`", question.plan(row))]);
        }
        rows.push_row(cells);
    }
    rows
}

/// The command that starts each row, or its plan where the engine is no server; equal ones once.
fn commands(question: &Question, kept: &[Recommendation], output: &Output) -> String {
    let mut commands: Vec<(String, Vec<String>)> = Vec::new();
    for (at, row) in kept.iter().enumerate() {
        let command = row.command.as_ref().map_or_else(|| question.plan(row), |command| command.shell());
        let number = (at + 1).to_string();
        match commands.iter_mut().find(|(known, _)| *known == command) {
            Some((_, numbers)) => numbers.push(number),
            None => commands.push((command, vec![number])),
        }
    }
    let lines = commands.iter().map(|(command, numbers)| {
        let numbers = wrap(&format!("{}:", numbers.join(", ")), output.width, 2);
        format!("{numbers}\n{}", wrap(command, output.width, 4))
    });
    format!("{}\n{}", bold(words::STARTS.raw(output.lang)), lines.collect::<Vec<_>>().join("\n"))
}

/// GPUs without a row, by reason.
fn left_out(asked: &Asked<'_>, shown: &Shown, lang: Lang) -> Vec<String> {
    let most = asked.most_gpus.to_string();
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for (device, why) in &shown.left_out {
        let reason = match why {
            LeftOut::Weights => "weights".to_owned(),
            LeftOut::KvCache => "kv_cache".to_owned(),
            LeftOut::Refused(error) => format!("{}: {}", error.code().as_str(), error_message(lang, error)),
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, gpus)) => gpus.push(&device.id),
            None => reasons.push((reason, vec![&device.id])),
        }
    }
    let line = |(reason, gpus): (String, Vec<&str>)| {
        let gpus = gpus.join(", ");
        match reason.as_str() {
            "weights" => words::LEFT_WEIGHTS.text(lang, &[&most, &gpus]),
            "kv_cache" => words::LEFT_CACHE.text(lang, &[&most, &gpus]),
            reason => words::LEFT_REFUSED.text(lang, &[reason, &gpus]),
        }
    };
    reasons.into_iter().map(|reason| format!("{}: {}", words::LEFT_OUT.raw(lang), line(reason))).collect()
}

/// Where the prices are from, and when they were read.
fn of_prices(asked: &Asked<'_>, lang: Lang) -> Option<String> {
    let prices = asked.prices?;
    let source = prices.source.as_deref().unwrap_or("--prices");
    let date = prices.date.as_deref().unwrap_or(words::UNDATED.raw(lang));
    Some(words::PRICES.text(lang, &[source, date]))
}
