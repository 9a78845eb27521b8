//! `kvplan gpus`: the accelerators.

use clap::ArgMatches;
use planner_core::device::Device;
use planner_core::render::json;
use planner_core::render::words::{Message as M, raw, text};
use planner_core::units::human_bytes;
use planner_core::{Error, Result, error::Known};
use planner_models::{GPUS, Gpu};
use serde_json::{Value as Json, json};

use crate::output::Output;
use crate::render::rows::{
    Align::{Left, Right},
    Rows,
};

/// Lists all, or shows one with its sources.
pub fn run(matches: &ArgMatches, output: &Output) -> Result<u8> {
    match matches.get_one::<String>("name") {
        Some(name) if GPUS.iter().any(|gpu| gpu.id.eq_ignore_ascii_case(name)) => one(name, output),
        Some(word) => {
            let found: Vec<&Gpu> = GPUS.iter().filter(|gpu| matches_word(gpu, word)).collect();
            // a name as drivers write it has other letters between its words
            if found.is_empty() { one(word, output) } else { list(&found, output) }
        }
        None => list(&GPUS.iter().collect::<Vec<_>>(), output),
    }
}

/// Whether the id, a name or the vendor holds the word, in any letter case.
fn matches_word(gpu: &Gpu, word: &str) -> bool {
    let word = word.to_lowercase();
    let names = [gpu.id, gpu.name, gpu.vendor].into_iter().chain(gpu.aliases.iter().copied());
    names.map(str::to_lowercase).any(|name| name.contains(&word))
}

/// A figure held in tenths.
fn tenths(figure: Option<u64>) -> String {
    figure.map_or_else(String::new, |tenths| match tenths % 10 {
        0 => (tenths / 10).to_string(),
        rest => format!("{}.{rest}", tenths / 10),
    })
}

fn to_json(gpu: &Gpu) -> Json {
    let figure = |tenths: Option<u64>| tenths.map(|tenths| tenths as f64 / 10.0);
    json!({
        "id": gpu.id, "name": gpu.name, "vendor": gpu.vendor, "aliases": gpu.aliases, "memory_bytes": gpu.memory_bytes,
        "nominal_gb": gpu.nominal_gb, "memory_bandwidth_gb_s": figure(gpu.bandwidth_100_mb_s),
        "fp16_tflops": figure(gpu.fp16_100_gflops), "fp8_tflops": figure(gpu.fp8_100_gflops),
        "compute_capability": gpu.compute_capability,
        "sources": gpu.sources.iter().map(|(figure, source)| ((*figure).to_owned(), Json::from(*source))).collect::<serde_json::Map<_, _>>(),
    })
}

fn list(gpus: &[&Gpu], output: &Output) -> Result<u8> {
    let columns =
        [M::ColumnGpu, M::ColumnName, M::ColumnMemory, M::ColumnBandwidth, M::ColumnFp16, M::ColumnFp8];
    let mut rows = Rows::new(
        columns.iter().map(|column| raw(output.lang, *column)),
        &[Left, Left, Right, Right, Right, Right],
    );
    for gpu in gpus {
        rows.push([
            gpu.id.to_owned(),
            gpu.name.to_owned(),
            human_bytes(gpu.memory_bytes),
            tenths(gpu.bandwidth_100_mb_s),
            tenths(gpu.fp16_100_gflops),
            tenths(gpu.fp8_100_gflops),
        ]);
    }
    let json =
        json!({ "schema": json::SCHEMA, "gpus": gpus.iter().map(|gpu| to_json(gpu)).collect::<Vec<_>>() });
    let footer = text(output.lang, M::GpusCount, &[&gpus.len().to_string()]);
    output.print(&rows.render(output, &json, Some(&footer)));
    Ok(0)
}

fn one(name: &str, output: &Output) -> Result<u8> {
    let device = Device::resolve(name)?;
    let gpu = GPUS.iter().find(|gpu| gpu.id == device.id).ok_or_else(|| Error::Unknown {
        what: Known::Gpu,
        name: name.to_owned(),
        near: Vec::new(),
    })?;
    let mut rows = Rows::new(
        [raw(output.lang, M::ColumnQuantity), "", raw(output.lang, M::Source)],
        &[Left, Right, Left],
    );
    for (figure, source) in gpu.sources {
        let value = match *figure {
            "memory" => human_bytes(gpu.memory_bytes),
            "memory_bandwidth_gb_s" => tenths(gpu.bandwidth_100_mb_s),
            "fp16_tflops" => tenths(gpu.fp16_100_gflops),
            "fp8_tflops" => tenths(gpu.fp8_100_gflops),
            _ => String::new(),
        };
        rows.push([(*figure).to_owned(), value, (*source).to_owned()]);
    }
    output.print(&rows.render(
        output,
        &json!({ "schema": json::SCHEMA, "gpu": to_json(gpu) }),
        Some(gpu.name),
    ));
    Ok(0)
}
