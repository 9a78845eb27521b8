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
use planner_models::{FAMILIES, MODELS};
use serde_json::{Value as Json, json};

use crate::output::{Output, bold};
use crate::render::rows::{
    Align::{Left, Right},
    Rows,
};

/// Lists all, or shows one.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    match matches.get_one::<String>("name") {
        _ if matches.get_flag("families") => families(output),
        Some(name) => one(name, output),
        None => all(output),
    }
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

fn all(output: &Output) -> Result<u8> {
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
    let mut rows = Rows::new(columns.iter().map(|column| raw(lang, *column)), &aligns);
    let mut list = Vec::new();
    for entry in MODELS {
        let model = catalog::build(entry)?;
        let per_token = first_token(&model)?;
        rows.push([
            entry.id.to_owned(),
            entry.name.to_owned(),
            kinds(&model),
            group_digits(per_token),
            model.max_position.map_or_else(String::new, group_digits),
            group_digits(model.parameters),
        ]);
        list.push(json!({
            "id": entry.id, "name": entry.name, "hub": entry.hub, "family": model.family, "layers": model.config_layers,
            "kinds": kinds(&model), "bytes_per_token": per_token, "max_position": model.max_position,
            "parameters": json::integer(model.parameters),
        }));
    }
    let footer = text(lang, M::ModelsCount, &[&MODELS.len().to_string()]);
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
    output.print(&if output.format == crate::output::Format::Table {
        format!("{head}\n\n{body}")
    } else {
        body
    });
    Ok(0)
}
