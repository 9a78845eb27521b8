//! The model's own weights: generated text, and the bytes of the cache meanwhile.

#[cfg(feature = "verify")]
pub use measuring::run;
#[cfg(not(feature = "verify"))]
pub use missing::run;

/// In a build without the feature `verify`.
#[cfg(not(feature = "verify"))]
mod missing {
    use clap::ArgMatches;
    use planner_core::error::Code;
    use planner_core::request::Request;
    use planner_core::spec::model::ModelSpec;
    use planner_core::{Error, Result};
    use serde_json::Value as Json;

    use crate::cmd::NO_BACKEND;
    use crate::output::Output;

    /// A generated text, of which there is none without the feature: this type has no values.
    pub enum Text {}

    impl Text {
        pub fn json(&self) -> Json {
            match *self {}
        }
        pub fn text(&self, _: &Output) -> String {
            match *self {}
        }
        pub fn matches(&self) -> bool {
            match *self {}
        }
    }

    pub fn run(matches: &ArgMatches, _: &ModelSpec, _: &Request, _: &Output) -> Result<Option<Text>> {
        match matches.get_one::<String>("prompt") {
            None => Ok(None),
            Some(_) => Err(Error::refused(Code::MeasureNotBuilt, NO_BACKEND).about("--prompt")),
        }
    }
}

#[cfg(feature = "verify")]
mod measuring {
    use clap::ArgMatches;
    use planner_core::render::words::error_message;
    use planner_core::request::Request;
    use planner_core::spec::model::ModelSpec;
    use planner_core::units::{group_digits, parse_count};
    use planner_core::{Error, Result, say, words};
    use planner_verify::real::{Generated, Options, generate, weights};
    use serde_json::Value as Json;

    use crate::messages;
    use crate::output::{Format, Output, bold};
    use crate::render::rows::{Align, Rows};
    use crate::render::wrap;
    use crate::source;

    /// The most new tokens: this is not a load test.
    const MOST_TOKENS: u64 = 100_000;

    /// A generated text and its measurements, ready to be shown.
    pub struct Text(Generated);

    /// Generates a text where `--model` names weights, and `--verify` or `--prompt` asks for it. With
    /// `--verify` alone, weights that no module runs are left out, with a note on standard error.
    pub fn run(
        matches: &ArgMatches,
        model: &ModelSpec,
        request: &Request,
        output: &Output,
    ) -> Result<Option<Text>> {
        let prompt = matches.get_one::<String>("prompt");
        let asked = prompt.is_some() || matches.get_one::<String>("new-tokens").is_some();
        if !asked && crate::args::verify(matches).is_none() {
            return Ok(None);
        }
        let name = matches.get_one::<String>("model").map_or("", String::as_str);
        let Some(weights) = source::path(name).and_then(|path| weights(path, model)) else {
            return match asked {
                false => Ok(None),
                true => Err(Error::bad_value(
                    if prompt.is_some() { "--prompt" } else { "--new-tokens" },
                    words!("given without weights"),
                    words!("left out, or with a --model that is a GGUF file or a folder of safetensors"),
                )),
            };
        };
        let new_tokens = match matches.get_one::<String>("new-tokens") {
            None => None,
            Some(text) => match parse_count("--new-tokens", text)? {
                count @ 1..=MOST_TOKENS => usize::try_from(count).ok(),
                count => {
                    return Err(Error::bad_value("--new-tokens", count, say!("from 1 to {0}", MOST_TOKENS)));
                }
            },
        };
        let planted = matches.get_one::<String>("verify-off-by");
        let options = Options {
            device: matches.get_one::<String>("device").cloned(),
            prompt: prompt.cloned(),
            new_tokens,
            planted_bytes: planted.map_or(Ok(0), |text| parse_count("--verify-off-by", text))?,
        };
        match generate(model, request, &weights, &options) {
            Ok(generated) => Ok(Some(Text(generated))),
            Err(error) if asked => Err(error),
            Err(error) => {
                output
                    .tell(&messages::REAL_NOT_RUN.text(output.lang, &[&error_message(output.lang, &error)]));
                Ok(None)
            }
        }
    }

    impl Text {
        /// The `generated` object.
        pub fn json(&self) -> Json {
            self.0.to_json()
        }

        /// Whether the measured bytes are the predicted ones.
        pub fn matches(&self) -> bool {
            self.0.matches()
        }

        /// The text, a table of bytes, and their meaning.
        pub fn text(&self, output: &Output) -> String {
            let (found, lang) = (&self.0, output.lang);
            let markdown = output.format == Format::Markdown;
            let title = messages::REAL_TITLE.text(
                lang,
                &[
                    &found.module,
                    found.device,
                    &found.new_tokens.to_string(),
                    &found.prompt_tokens.to_string(),
                    &format!("{:.1}", found.tokens_per_second()),
                ],
            );
            let mut parts = vec![if markdown { format!("**{title}**") } else { bold(&title) }];
            parts.push(match (&found.prompt, &found.text) {
                (Some(prompt), Some(text)) if markdown => format!("> {prompt}**{text}**"),
                (Some(prompt), Some(text)) => format!("{prompt}{}", bold(text)),
                _ => messages::REAL_FIXED_PROMPT.text(lang, &[found.no_text.as_deref().unwrap_or_default()]),
            });
            let columns = [
                messages::COLUMN_TOKENS_HELD,
                messages::COLUMN_PREDICTED,
                messages::COLUMN_MEASURED,
                messages::COLUMN_HEAP_PREDICTED,
                messages::REAL_GROWTH,
            ];
            let mut rows = Rows::new(columns.map(|column| column.raw(lang)), &[Align::Right; 5]);
            for point in &found.points {
                let bytes = |value: Option<u64>| value.map_or_else(|| "-".into(), group_digits);
                let growth = |value: Option<i128>| match value.map(u64::try_from) {
                    Some(Ok(value)) => group_digits(value),
                    Some(Err(_)) => value.map(|value| value.to_string()).unwrap_or_default(),
                    None => "-".into(),
                };
                rows.push([
                    group_digits(point.tokens),
                    bytes(point.predicted_bytes),
                    bytes(point.measured_bytes),
                    growth(point.predicted_growth),
                    growth(point.heap_growth),
                ]);
            }
            parts.push(
                if markdown { rows.markdown() } else { rows.table(output.width) }.trim_end().to_owned(),
            );
            let difference = found.difference_bytes().to_string();
            let verdict = match (&found.not_predicted, found.matches()) {
                (Some(why), _) => messages::REAL_NOT_PREDICTED.text(lang, &[why]),
                (None, true) => messages::REAL_MATCH.text(lang, &[&difference]),
                (None, false) => messages::REAL_MISMATCH.text(lang, &[&difference]),
            };
            parts.push(wrap(&verdict, output.width, 0));
            parts.join("\n\n")
        }
    }
}
