//! `--verify`: the plan's bytes against a real cached decode.

/// Exit code where the measured bytes are not the predicted ones.
pub const MISMATCH: u8 = 4;

#[cfg(feature = "verify")]
pub use measuring::run;
#[cfg(not(feature = "verify"))]
pub use missing::run;

/// What builds without the feature `verify` say.
#[cfg(not(feature = "verify"))]
mod missing {
    use clap::ArgMatches;
    use planner_core::request::Request;
    use planner_core::spec::model::ModelSpec;
    use planner_core::{Error, Result};
    use serde_json::Value as Json;

    use crate::output::Output;

    /// A verification that never was.
    pub enum Verified {}

    impl Verified {
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

    pub fn run(_: &ArgMatches, _: &ModelSpec, _: &Request) -> Result<Verified> {
        Err(Error::unsupported(
            "--verify",
            "this build has no measuring backend: build with --features verify",
        ))
    }
}

#[cfg(feature = "verify")]
mod measuring {
    use clap::ArgMatches;
    use planner_core::request::Request;
    use planner_core::spec::model::ModelSpec;
    use planner_core::text::{Message as M, raw, text};
    use planner_core::units::{group_digits, parse_count, parse_tokens};
    use planner_core::{Error, Result};
    use planner_verify::{Options, Report};
    use serde_json::Value as Json;

    use crate::output::{Format, Output, bold};
    use crate::render::rows::{Align, Rows};
    use crate::render::wrap;

    /// The most tokens a cache is filled to: a measurement, not a load test.
    const MOST_TOKENS: u64 = 1 << 20;

    /// What was measured, ready to be shown.
    pub struct Verified(Report);

    /// Measures.
    pub fn run(matches: &ArgMatches, model: &ModelSpec, request: &Request) -> Result<Verified> {
        let mut tokens = Vec::new();
        for text in matches.get_many::<String>("verify-tokens").into_iter().flatten() {
            let count = parse_tokens("--verify-tokens", text)?;
            if count > MOST_TOKENS {
                return Err(Error::bad_value("--verify-tokens", count, format!("at most {MOST_TOKENS}")));
            }
            tokens.push(count);
        }
        let planted = matches.get_one::<String>("verify-off-by");
        let options = Options {
            device: matches.get_one::<String>("device").cloned(),
            tokens,
            planted_bytes: planted.map_or(Ok(0), |text| parse_count("--verify-off-by", text))?,
        };
        Ok(Verified(planner_verify::verify(model, request, &options)?))
    }

    impl Verified {
        /// The `verify` object.
        pub fn json(&self) -> Json {
            self.0.to_json()
        }

        /// Whether all agrees.
        pub fn matches(&self) -> bool {
            self.0.matches()
        }

        /// A table and what it means.
        pub fn text(&self, output: &Output) -> String {
            let (report, lang) = (&self.0, output.lang);
            let line = |message: M, arguments: &[&str]| text(lang, message, arguments);
            let mut rows = Rows::new(
                [
                    M::ColumnTokensHeld,
                    M::ColumnPredicted,
                    M::ColumnMeasured,
                    M::ColumnDifference,
                    M::ColumnAllocated,
                ]
                .map(|message| raw(lang, message)),
                &[Align::Right; 5],
            );
            for point in &report.points {
                rows.push([
                    group_digits(point.tokens),
                    group_digits(point.predicted_bytes),
                    group_digits(point.measured_bytes),
                    (i128::from(point.measured_bytes) - i128::from(point.predicted_bytes)).to_string(),
                    point.allocated_bytes.map_or_else(|| "-".into(), group_digits),
                ]);
            }
            let table =
                if output.format == Format::Markdown { rows.markdown() } else { rows.table(output.width) };
            let title = line(
                M::VerifyTitle,
                &[
                    report.backend,
                    report.device,
                    &report.layers_measured.to_string(),
                    &report.layers_total.to_string(),
                    &report.decoded_steps.to_string(),
                ],
            );
            let title = if output.format == Format::Markdown { format!("**{title}**") } else { bold(&title) };
            let mut lines = Vec::new();
            if report.extrapolated {
                lines.push(line(M::VerifyExtrapolated, &[]));
            }
            lines.push(line(M::VerifyNarrowed, &[&group_digits(report.hidden)]));
            if let Some(module) = &report.module {
                let tokens = module.tokens.map(|tokens| tokens.to_string());
                let [predicted, measured] = [module.predicted_bytes, module.measured_bytes].map(group_digits);
                lines.push(line(
                    M::VerifyModule,
                    &[module.name, &tokens[0], &tokens[1], &predicted, &measured],
                ));
            }
            let timing = &report.timing;
            lines.push(line(
                M::VerifyTiming,
                &[
                    &timing.new_tokens.to_string(),
                    &timing.layers.to_string(),
                    &format!("{:.3}", timing.cached_seconds),
                    &format!("{:.3}", timing.uncached_seconds),
                    &format!("{:.2}", report.speedup()),
                ],
            ));
            let difference = report.difference_bytes().to_string();
            let logits = format!("{:.1e}", report.logit_difference);
            lines.push(match report.matches() {
                true => line(M::VerifyMatch, &[&difference, &logits]),
                false => line(
                    M::VerifyMismatch,
                    &[&difference, &logits, &format!("{:.1e}", report.logit_tolerance)],
                ),
            });
            let lines: Vec<String> = lines.iter().map(|line| wrap(line, output.width, 0)).collect();
            format!("{title}\n\n{}\n\n{}", table.trim_end(), lines.join("\n"))
        }
    }
}
