//! Seconds of every step: a chart in the terminal, and a drawing as SVG.

use planner_bench::{Bench, median};
use planner_core::text::Lang;
use plotters::prelude::*;
use textplots::{Chart, Plot, Shape};

use crate::messages;
use crate::output::Output;

/// Dots of the terminal's chart: two to a column, four to a line.
const DOTS: (u32, u32) = (2, 4);
/// Lines of the chart.
const LINES: u32 = 12;
/// The most columns of the chart.
const COLUMNS: u32 = 72;
/// Columns of the labels beside the chart.
const LABELS: u32 = 8;

/// Size of the drawing.
const SIZE: (u32, u32) = (960, 420);

/// The most points of a line. Each point is the median of several steps, so that other programs' load does not
/// hide the line.
const POINTS: usize = 60;

fn points(steps: &[f64]) -> Vec<(f32, f32)> {
    let size = steps.len().div_ceil(POINTS).max(1);
    let parts = steps.chunks(size).enumerate();
    parts.map(|(at, part)| ((at * size + size / 2 + 1) as f32, median(part) as f32)).collect()
}

fn so_far(steps: &[f64]) -> Vec<(f32, f32)> {
    let mut total = 0.0;
    let add = |(at, step): (usize, &f64)| {
        total += step;
        ((at + 1) as f32, total as f32)
    };
    steps.iter().enumerate().map(add).collect()
}

/// The largest of several values, and a little above.
fn top<'a>(lines: impl IntoIterator<Item = &'a (f32, f32)>) -> f32 {
    lines.into_iter().map(|point| point.1).fold(f32::MIN_POSITIVE, f32::max) * 1.05
}

/// Seconds per step of both kinds of run, as a chart of dots; `None` without both kinds.
pub fn terminal(found: &Bench, output: &Output) -> Option<String> {
    // The first step includes the prompt.
    let line = |steps: &[f64]| points(steps.get(1..).unwrap_or_default());
    let (cached, uncached) = (line(&found.cached.steps), line(&found.uncached.steps));
    if cached.len() < 2 || uncached.len() < 2 {
        return None;
    }
    let width = u32::from(output.width).clamp(LABELS + 20, COLUMNS + LABELS) - LABELS;
    let most = cached.iter().chain(&uncached);
    let right = most.clone().map(|point| point.0).fold(1.0, f32::max);
    let mut chart = Chart::new_with_y_range(width * DOTS.0, LINES * DOTS.1, 1.0, right, 0.0, top(most));
    let shapes = [Shape::Lines(&cached), Shape::Lines(&uncached)];
    let chart = chart.lineplot(&shapes[0]).lineplot(&shapes[1]);
    chart.axis();
    chart.figures();
    Some(chart.to_string().trim_end().to_owned())
}

/// Two panels: seconds of each step, and seconds so far.
pub fn svg(model: &str, found: &Bench, lang: Lang) -> Result<String, String> {
    let mut text = String::new();
    let drawn = draw(&mut text, model, found, lang).map_err(|error| error.to_string());
    drawn.map(|()| text)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(text: &mut String, model: &str, found: &Bench, lang: Lang) -> Drawn {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 / 2);
    let per_token = |steps: &[f64]| points(steps.get(1..).unwrap_or_default());
    let panels = [
        (left, messages::BENCH_PER_TOKEN, per_token(&found.cached.steps), per_token(&found.uncached.steps)),
        (right, messages::BENCH_SO_FAR, so_far(&found.cached.steps), so_far(&found.uncached.steps)),
    ];
    for (area, title, cached, uncached) in panels {
        let tokens = found.new_tokens as f32;
        let mut chart = ChartBuilder::on(&area)
            .caption(format!("{model}: {}", title.raw(lang)), ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..tokens, 0.0..top(cached.iter().chain(&uncached)))?;
        chart
            .configure_mesh()
            .x_desc(messages::BENCH_NEW_TOKENS.raw(lang))
            .y_desc("s")
            .light_line_style(WHITE)
            .draw()?;
        for (line, name, colour) in
            [(cached, messages::BENCH_CACHED, BLUE), (uncached, messages::BENCH_UNCACHED, RED)]
        {
            if line.is_empty() {
                continue;
            }
            let key = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
            let series = chart.draw_series(LineSeries::new(line, colour.stroke_width(2)))?;
            series.label(name.raw(lang)).legend(key);
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK)
            .draw()?;
    }
    root.present()?;
    Ok(())
}
