//! `kvplan models`: the catalogue.

use clap::ArgMatches;
use planner_core::plan::plan;
use planner_core::render::json;
use planner_core::render::words::{Message as M, raw, text};
use planner_core::request::Request;
use planner_core::spec::layer::LayerKind;
use planner_core::spec::model::ModelSpec;
use planner_core::units::group_digits;
use planner_core::{Result, catalog};
use planner_models::{FAMILIES, MODELS, Model};
use serde_json::{Value as Json, json};

use crate::output::{Format, Output, bold};
use crate::render::rows::{
    Align::{Left, Right},
    Rows,
};

/// Lists all, or shows one.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    match matches.get_one::<String>("name") {
        _ if matches.get_flag("families") => families(output),
        Some(name) if catalog::find(name).is_some() => one(name, output),
        Some(word) => {
            let found: Vec<&Model> = MODELS.iter().filter(|model| matches_word(model, word)).collect();
            if found.is_empty() {
                // the error names what is near
                return catalog::model(word).map(|_| 0);
            }
            list(&found, output)
        }
        None => list(&MODELS.iter().collect::<Vec<_>>(), output),
    }
}

/// Whether an id, the name or a hub id holds the word, in any letter case.
fn matches_word(model: &Model, word: &str) -> bool {
    let word = word.to_lowercase();
    let names = [model.id, model.name].into_iter().chain(model.hub.iter().copied());
    names.map(str::to_lowercase).any(|name| name.contains(&word))
}

/// Every family with its `model_type` values.
fn families(output: &Output) -> Result<u8> {
    let lang = output.lang;
    let mut rows = Rows::new([raw(lang, M::ColumnFamily), "model_type"], &[Left, Left]);
    let mut list = Vec::new();
    for family in FAMILIES.iter().filter(|family| !family.model_types.is_empty()) {
        let types: Vec<&str> = family.model_types.iter().map(|(name, _)| *name).collect();
        rows.push([family.name.to_owned(), types.join(", ")]);
        list.push(json!({ "family": family.name, "model_types": types, "refused": family.refuse }));
    }
    output.print(&rows.render(output, &json!({ "schema": json::SCHEMA, "families": list }), None));
    Ok(0)
}

/// The kinds of layers with their numbers: `10 full, 52 sliding`.
fn kinds(model: &ModelSpec) -> String {
    let mut counts: Vec<(LayerKind, u64)> = Vec::new();
    for layer in &model.layers {
        match counts.iter_mut().find(|(kind, _)| *kind == layer.kind()) {
            Some((_, count)) => *count += 1,
            None => counts.push((layer.kind(), 1)),
        }
    }
    counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
}

/// Bytes of the first token, in the model's own dtype.
fn first_token(model: &ModelSpec) -> Result<u64> {
    let request = Request { seq: Some(1), ..Request::default() };
    Ok(plan(model, &request)?.kv.slopes.first().map_or(0, |slope| slope.bytes_per_token()))
}

/// Parameters in a table: `235B`, `8.03B`, `559M`, three digits as model cards have them.
fn short(parameters: u64) -> String {
    let (unit, name) = match parameters {
        1_000_000_000.. => (1_000_000_000, "B"),
        _ => (1_000_000, "M"),
    };
    let hundredths = u128::from(parameters) * 100 / unit;
    match (hundredths / 100, hundredths % 100) {
        (whole @ 100.., _) => format!("{whole}{name}"),
        (whole @ 10.., rest) => format!("{whole}.{}{name}", rest / 10),
        (whole, rest) => format!("{whole}.{rest:02}{name}"),
    }
}

/// A row of the list, and its object in the JSON.
fn row(entry: &Model, format: Format) -> Result<([String; 6], Json)> {
    let model = catalog::build(entry)?;
    let per_token = first_token(&model)?;
    let cells = [
        entry.id.to_owned(),
        entry.name.to_owned(),
        kinds(&model),
        group_digits(per_token),
        model.max_position.map_or_else(String::new, group_digits),
        if format == Format::Table { short(model.parameters) } else { group_digits(model.parameters) },
    ];
    let json = json!({
        "id": entry.id, "name": entry.name, "hub": entry.hub, "family": model.family, "layers": model.config_layers,
        "kinds": kinds(&model), "bytes_per_token": per_token, "max_position": model.max_position,
        "parameters": json::integer(model.parameters),
    });
    Ok((cells, json))
}

/// The rows of all entries, in their order. Every model is built, which all cores share.
fn rows_of(entries: &[&Model], format: Format) -> Vec<Result<([String; 6], Json)>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = entries.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let work = entries
            .chunks(part)
            .map(|part| scope.spawn(move || part.iter().map(|entry| row(entry, format)).collect::<Vec<_>>()));
        let work: Vec<_> = work.collect();
        work.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn list(entries: &[&Model], output: &Output) -> Result<u8> {
    let lang = output.lang;
    let columns = [
        M::ColumnModel,
        M::ColumnName,
        M::ColumnKinds,
        M::ColumnPerToken,
        M::ColumnMaximum,
        M::ColumnParameters,
    ];
    let aligns = [Left, Left, Left, Right, Right, Right];
    let mut rows = Rows::new(columns.iter().map(|column| raw(lang, *column)), &aligns).without_if_narrow(1);
    let mut list = Vec::new();
    for row in rows_of(entries, output.format) {
        let (cells, json) = row?;
        rows.push(cells);
        list.push(json);
    }
    let footer = text(lang, M::ModelsCount, &[&entries.len().to_string()]);
    output.print(&rows.render(output, &json!({ "schema": json::SCHEMA, "models": list }), Some(&footer)));
    Ok(0)
}

fn one(name: &str, output: &Output) -> Result<u8> {
    let spec = catalog::model(name)?;
    let Some(entry) = catalog::find(name) else { return Ok(0) };
    let lang = output.lang;
    let mut rows = Rows::new([raw(lang, M::ColumnQuantity), "", raw(lang, M::Source)], &[Left, Right, Left]);
    for origin in &spec.origin {
        rows.push([origin.field.to_owned(), origin.value.to_string(), origin.from.clone()]);
    }
    for part in &spec.parts {
        rows.push([part.name.to_owned(), group_digits(part.parameters), String::new()]);
    }
    rows.push([raw(lang, M::ColumnParameters).to_owned(), group_digits(spec.parameters), String::new()]);
    let mut json = json!({ "schema": json::SCHEMA, "model": json::model(&spec) });
    json["model"]["source"] = Json::from(entry.source);
    json["model"]["hub"] = json!(entry.hub);
    json["model"]["kinds"] = kinds(&spec).into();
    let head = format!("{}   {}", bold(entry.name), kinds(&spec));
    let footer = format!(
        "{}: {}\n{}: {}\n{}: {}",
        raw(lang, M::HubIds),
        entry.hub.join(", "),
        raw(lang, M::Source),
        entry.source,
        raw(lang, M::Derivation),
        entry.derivation
    );
    let body = rows.render(output, &json, Some(&footer));
    output.print(&if output.format == Format::Table { format!("{head}\n\n{body}") } else { body });
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn parameters_are_told_in_three_digits() {
        // as the model cards of Qwen3 235B, Llama 3 8B (8.03B), Llama 3 70B (70.6B) and BLOOM 560M say
        let told = [235_093_634_560, 8_030_261_248, 70_553_706_496, 559_214_592].map(short);
        assert_eq!(told, ["235B", "8.03B", "70.5B", "559M"]);
    }
}
