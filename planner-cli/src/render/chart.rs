//! Users, or bytes, against the lengths of a list: a chart in the terminal, and a drawing as SVG.

use planner_core::request::lists::Value;
use planner_core::text::Lang;
use planner_core::units::{group_digits, human_bytes};
use planner_core::{Error, Result, words};
use plotters::prelude::*;
use textplots::{Chart as Dots, LabelBuilder, LabelFormat, Plot, Shape};

use super::{display_width, list_words as texts, matrix, wrap};
use crate::lists::{Combination, Lists};
use crate::output::Output;

/// The most lines of one chart.
const MOST_LINES: usize = 12;
/// The most points of a line.
const MOST_POINTS: usize = 4096;
/// Dots of the terminal's chart: two to a column, four to a line.
const DOTS: (u32, u32) = (2, 4);
/// Lines of the terminal's chart.
const LINES: u32 = 16;
/// The most columns of the terminal's chart.
const COLUMNS: u32 = 72;
/// Columns of the figures beside it.
const FIGURES: u32 = 12;
/// Size of the drawing.
const SIZE: (u32, u32) = (960, 480);
/// Where the last value is this many times the first, the axis doubles in equal steps.
const SPREAD: f32 = 8.0;

/// One line: its values of the other flags, and its points.
struct Line {
    name: String,
    places: Vec<usize>,
    points: Vec<(f32, f32)>,
}

/// The points of a list's combinations.
pub struct Chart<'a> {
    lists: &'a Lists,
    /// The list along the axis.
    along: usize,
    /// Whether points are users, else bytes.
    users: bool,
    lines: Vec<Line>,
    /// Lines beyond the most.
    left_out: usize,
    /// Values of the other flags of the last combination that was left out.
    last_left_out: Vec<usize>,
}

impl<'a> Chart<'a> {
    /// No point yet.
    ///
    /// # Errors
    /// No list of numbers to draw along.
    pub fn new(lists: &'a Lists, room: bool) -> Result<Self> {
        let number = |at: &usize| matches!(lists.0[*at].values.first(), Some(Value::Number(_)));
        let numbers: Vec<usize> = lists.varied().into_iter().filter(number).collect();
        let along = numbers.iter().find(|at| lists.0[**at].name == "seq").or(numbers.last()).copied();
        let along = along.ok_or_else(|| {
            Error::bad_value(
                "--plot",
                words!("given without a list of numbers"),
                words!("beside a list such as --seq 1k..128k"),
            )
        })?;
        let users = room && lists.0[along].name != "users";
        Ok(Self { lists, along, users, lines: Vec::new(), left_out: 0, last_left_out: Vec::new() })
    }

    /// Whether a list tells lines apart: not the axis, nor the users asked for where most users are drawn.
    fn tells(&self, at: usize) -> bool {
        at != self.along
            && !(self.users && self.lists.0[at].name == "users")
            && self.lists.0[at].values.len() > 1
    }

    /// Adds a combination that is planned.
    pub fn add(&mut self, found: &Combination<'_>) {
        let Ok(outcome) = &found.outcome else { return };
        let value = match (self.users, outcome.fitting) {
            (true, Some(fitting)) => fitting.max_users,
            _ => outcome.total_bytes,
        };
        let Some(Value::Number(along)) = self.lists.0[self.along].values.get(found.places[self.along]) else {
            return;
        };
        let point = (*along as f32, value as f32);
        let places: Vec<usize> =
            (0..found.places.len()).filter(|at| self.tells(*at)).map(|at| found.places[at]).collect();
        match self.lines.iter().position(|line| line.places == places) {
            Some(at) => {
                let points = &mut self.lines[at].points;
                if points.len() < MOST_POINTS && points.last().is_none_or(|last| last.0 != point.0) {
                    points.push(point);
                }
            }
            None if self.lines.len() < MOST_LINES => {
                self.lines.push(Line { name: self.name(found.places), places, points: vec![point] });
            }
            None if self.last_left_out != places => {
                self.left_out += 1;
                self.last_left_out = places;
            }
            None => {}
        }
    }

    fn name(&self, places: &[usize]) -> String {
        let others = (0..places.len()).filter(|at| self.tells(*at));
        let names = others.filter_map(|at| {
            let list = &self.lists.0[at];
            let value = matrix::label(list.values.get(places[at])?);
            let named = matches!(list.name, "gpu" | "engine" | "kv-dtype" | "weight-dtype");
            Some(if named { value } else { format!("{} {value}", list.name) })
        });
        names.collect::<Vec<_>>().join(" ")
    }

    /// What is up, and what is to the right.
    fn axes(&self, lang: Lang) -> (&'static str, String) {
        let up = if self.users { texts::MOST_USERS } else { texts::ALL_BYTES };
        (up.raw(lang), matrix::flag(&self.lists.0[self.along]))
    }

    /// The least and the largest value along the axis, and the largest value up.
    fn ranges(&self) -> (f32, f32, f32) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let least = points().map(|point| point.0).fold(f32::MAX, f32::min);
        let most = points().map(|point| point.0).fold(f32::MIN_POSITIVE, f32::max);
        let top = points().map(|point| point.1).fold(f32::MIN_POSITIVE, f32::max);
        (least.min(most), most, top)
    }

    fn figure(&self, value: f32) -> String {
        let whole = value.max(0.0) as u64;
        if self.users { group_digits(whole) } else { human_bytes(whole) }
    }

    /// A chart of dots, each line named where it ends.
    pub fn terminal(&self, output: &Output) -> String {
        let (least, most, top) = self.ranges();
        let doubles = least > 0.0 && most / least >= SPREAD;
        let scaled = |value: f32| if doubles { value.log2() } else { value };
        let (left, right) = (scaled(least), scaled(most).max(scaled(least) + f32::EPSILON));
        let names = self.lines.iter().map(|line| display_width(&line.name)).max().unwrap_or(0) as u32;
        let width = u32::from(output.width).saturating_sub(FIGURES + names).clamp(20, COLUMNS);
        let lines: Vec<Vec<(f32, f32)>> = self
            .lines
            .iter()
            .map(|line| line.points.iter().map(|(x, y)| (scaled(*x), *y)).collect())
            .collect();
        let shapes: Vec<Shape<'_>> = lines.iter().map(|points| Shape::Lines(points)).collect();
        let mut dots = Dots::new_with_y_range(width * DOTS.0, LINES * DOTS.1, left, right, 0.0, top);
        let unscaled = move |value: f32| if doubles { value.exp2() } else { value };
        let mut chart = &mut dots;
        chart = chart
            .x_label_format(LabelFormat::Custom(Box::new(move |x| group_digits(unscaled(x).round() as u64))));
        let users = self.users;
        chart = chart.y_label_format(LabelFormat::Custom(Box::new(move |y| {
            let whole = y.max(0.0) as u64;
            if users { group_digits(whole) } else { human_bytes(whole) }
        })));
        for shape in &shapes {
            chart = chart.lineplot(shape);
        }
        chart.axis();
        chart.figures();
        let drawn = chart.to_string();
        let rows = self.named(drawn.trim_end().lines(), top);
        let lang = output.lang;
        let (up, along) = self.axes(lang);
        let from = [least, most].map(|value| group_digits(value as u64));
        let caption = texts::CHART.text(lang, &[up, &along, &from[0], &from[1]]);
        let mut text = format!("{}\n{}", rows.join("\n"), wrap(&caption, output.width, 0));
        if self.left_out > 0 {
            let all = (self.lines.len() + self.left_out).to_string();
            text.push_str(&format!(
                "\n{}",
                texts::CHART_OF.text(lang, &[&self.lines.len().to_string(), &all])
            ));
        }
        text
    }

    /// The chart with every line named beside the row where it begins, or where it ends, wherever lines are further
    /// apart. A row with a name already passes the next one on to the nearest row.
    fn named<'r>(&self, rows: impl Iterator<Item = &'r str>, top: f32) -> Vec<String> {
        let row = |end: Option<&(f32, f32)>| {
            let share = end.map_or(0.0, |(_, value)| value / top);
            ((1.0 - share) * (LINES - 1) as f32).round() as usize
        };
        let begins: Vec<usize> = self.lines.iter().map(|line| row(line.points.first())).collect();
        let ends: Vec<usize> = self.lines.iter().map(|line| row(line.points.last())).collect();
        let apart = |rows: &[usize]| rows.iter().max().unwrap_or(&0) - rows.iter().min().unwrap_or(&0);
        let before = apart(&begins) > apart(&ends);
        let mut names = vec![""; LINES as usize];
        for (line, row) in self.lines.iter().zip(if before { &begins } else { &ends }) {
            let free = (0..names.len()).filter(|at| names[*at].is_empty());
            if let Some(at) = free.min_by_key(|at| at.abs_diff(*row)) {
                names[at] = &line.name;
            }
        }
        let widest = self.lines.iter().map(|line| display_width(&line.name)).max().unwrap_or(0);
        let names = names.into_iter().chain(std::iter::repeat(""));
        let row = |(row, name): (&str, &str)| match (before, widest) {
            (_, 0) => row.to_owned(),
            (true, _) => format!("{}{name} {row}", " ".repeat(widest - display_width(name))),
            (false, _) => format!("{row} {name}").trim_end().to_owned(),
        };
        rows.zip(names).map(row).collect()
    }

    /// A drawing.
    pub fn svg(&self, model: &str, lang: Lang) -> std::result::Result<String, String> {
        let mut text = String::new();
        let drawn = self.draw(&mut text, model, lang).map_err(|error| error.to_string());
        drawn.map(|()| text)
    }

    fn draw(&self, text: &mut String, model: &str, lang: Lang) -> Drawn {
        let (least, most, top) = self.ranges();
        let (up, along) = self.axes(lang);
        let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(&root);
        builder
            .caption(format!("{model}: {up}"), ("sans-serif", 18))
            .margin(14)
            .x_label_area_size(44)
            .y_label_area_size(84);
        let least = least.max(f32::MIN_POSITIVE);
        // a single point has an axis of its own too
        let most = most.max(least * 1.001);
        if most / least >= SPREAD {
            let mut chart =
                builder.build_cartesian_2d((least..most).log_scale().base(2.0), 0.0..top * 1.05)?;
            self.lines_of(&mut chart, up, &along)?;
        } else {
            let mut chart = builder.build_cartesian_2d(least..most, 0.0..top * 1.05)?;
            self.lines_of(&mut chart, up, &along)?;
        }
        root.present()?;
        Ok(())
    }

    fn lines_of<'s, X>(
        &self,
        chart: &mut ChartContext<'s, SVGBackend<'s>, Cartesian2d<X, plotters::coord::types::RangedCoordf32>>,
        up: &str,
        along: &str,
    ) -> Drawn
    where
        X: 's + Ranged<ValueType = f32> + plotters::coord::ranged1d::ValueFormatter<f32>,
    {
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(along).y_desc(up).light_line_style(WHITE);
        mesh.x_label_formatter(&|x| group_digits(x.round() as u64));
        let figure = |y: &f32| self.figure(*y);
        mesh.y_label_formatter(&figure).draw()?;
        for (at, line) in self.lines.iter().enumerate() {
            let colour = Palette99::pick(at).to_rgba();
            let points = line.points.iter().copied();
            let drawn = chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
            if !line.name.is_empty() {
                let key = move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2));
                drawn.label(&line.name).legend(key);
            }
            // lines are told apart without colour: by their names where they begin
            if let Some(first) = line.points.first().filter(|_| !line.name.is_empty()) {
                let text = Text::new(line.name.clone(), *first, ("sans-serif", 12));
                chart.draw_series(std::iter::once(text))?;
            }
        }
        if self.lines.iter().any(|line| !line.name.is_empty()) {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(WHITE)
                .border_style(BLACK)
                .draw()?;
        }
        Ok(())
    }
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;
