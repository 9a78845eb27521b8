//! The tables of models, encoders and GPUs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::text::{list, literal, one_line, option, texts};
use super::yaml_files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFile {
    id: String,
    name: String,
    hub: Vec<String>,
    source: String,
    config: Map<String, Value>,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    bytes_per_token: u64,
    derivation: String,
    parameters: Option<u64>,
    parameters_source: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncoderFile {
    id: String,
    hub: Vec<String>,
    model_type: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GpuFile {
    id: String,
    name: String,
    #[serde(default)]
    aliases: Vec<String>,
    vendor: String,
    memory: String,
    torch_memory: Option<String>,
    nominal_gb: u64,
    memory_bandwidth_gb_s: Option<f64>,
    fp16_tflops: Option<f64>,
    fp8_tflops: Option<f64>,
    compute_capability: Option<String>,
    sources: BTreeMap<String, String>,
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Writes the models.
pub fn models(out: &mut String) {
    let mut models: Vec<ModelFile> =
        yaml_files("catalog").iter().flat_map(|path| read::<Vec<ModelFile>>(path)).collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    let mut names = BTreeSet::new();
    out.push_str("/// Every model of the catalogue, sorted by id.\n#[cfg(feature = \"catalog\")]\npub static MODELS: &[Model] = &[\n");
    for model in &models {
        assert!(names.insert(model.id.to_lowercase()), "catalog: id `{}` twice", model.id);
        for hub in &model.hub {
            assert!(names.insert(hub.to_lowercase()), "catalog: hub id `{hub}` twice");
        }
        assert!(
            !model.source.is_empty() && !model.expect.derivation.is_empty(),
            "catalog: `{}` needs source and derivation",
            model.id
        );
        assert!(model.config.contains_key("model_type"), "catalog: `{}` needs config.model_type", model.id);
        let parameters = match (model.expect.parameters, &model.expect.parameters_source) {
            (Some(count), Some(source)) => format!("Some(({count}, {}))", literal(&one_line(source))),
            (None, None) => "None".into(),
            _ => panic!("catalog: `{}` needs both parameters and parameters_source", model.id),
        };
        writeln!(
            out,
            "Model {{ id: {}, name: {}, hub: {}, source: {}, config: {}, bytes_per_token: {}, derivation: {}, parameters: {parameters} }},",
            literal(&model.id), literal(&model.name), texts(&model.hub), literal(&one_line(&model.source)),
            literal(&Value::Object(model.config.clone()).to_string()), model.expect.bytes_per_token, literal(&one_line(&model.expect.derivation))
        )
        .unwrap();
    }
    out.push_str("];\n");
}

/// Writes the encoders.
pub fn encoders(out: &mut String) {
    let path = Path::new("encoders.yaml");
    let encoders: Vec<EncoderFile> = if path.exists() { read(path) } else { Vec::new() };
    let rows = list(encoders.iter().map(|encoder| {
        format!(
            "Encoder {{ id: {}, hub: {}, model_type: {}, why: {} }}",
            literal(&encoder.id),
            texts(&encoder.hub),
            literal(&encoder.model_type),
            literal(&one_line(&encoder.why))
        )
    }));
    writeln!(out, "/// Encoders that people ask for.\n#[cfg(feature = \"catalog\")]\npub static ENCODERS: &[Encoder] = {rows};").unwrap();
}

/// A figure with at most one decimal, as a whole number of tenths.
fn tenths(gpu: &GpuFile, name: &str, figure: Option<f64>) -> String {
    let Some(figure) = figure else { return "None".into() };
    assert!(gpu.sources.contains_key(name), "gpus.yaml: `{}` gives `{name}` without its source", gpu.id);
    let tenths = (figure * 10.0).round();
    assert!((1.0..1e9).contains(&tenths), "gpus.yaml: `{}`: `{name}` is out of range", gpu.id);
    format!("Some({tenths})")
}

fn memory_bytes(gpu: &GpuFile) -> u64 {
    let (number, unit) = gpu.memory.split_once(' ').unwrap_or((&gpu.memory, "B"));
    let scale = match unit {
        "B" => 1,
        "MiB" => 1 << 20,
        other => panic!("gpus.yaml: `{}`: memory unit `{other}` is not MiB or B", gpu.id),
    };
    assert!(gpu.sources.contains_key("memory"), "gpus.yaml: `{}` gives its memory without a source", gpu.id);
    number.parse::<u64>().unwrap_or_else(|_| panic!("gpus.yaml: `{}`: memory `{}`", gpu.id, gpu.memory))
        * scale
}

/// `N.NN GiB` in bytes, rounded down.
fn torch_memory_bytes(gpu: &GpuFile) -> String {
    let Some(text) = &gpu.torch_memory else { return "None".into() };
    assert!(
        gpu.sources.contains_key("torch_memory"),
        "gpus.yaml: `{}` gives torch_memory without its source",
        gpu.id
    );
    let parsed = text.strip_suffix(" GiB").and_then(|number| {
        let (whole, part) = number.split_once('.').filter(|(_, part)| part.len() == 2)?;
        Some((whole.parse::<u64>().ok()? * 100 + part.parse::<u64>().ok()?) * (1 << 30) / 100)
    });
    let bytes =
        parsed.unwrap_or_else(|| panic!("gpus.yaml: `{}`: torch_memory `{text}` is not N.NN GiB", gpu.id));
    assert!(bytes < memory_bytes(gpu), "gpus.yaml: `{}`: torch sees more than the driver", gpu.id);
    format!("Some({bytes})")
}

/// Writes the GPUs.
pub fn gpus(out: &mut String) {
    let path = Path::new("gpus.yaml");
    let mut gpus: Vec<GpuFile> = if path.exists() { read(path) } else { Vec::new() };
    gpus.sort_by(|a, b| a.id.cmp(&b.id));
    let mut names = BTreeSet::new();
    out.push_str(
        "/// Every GPU, sorted by id.\n#[cfg(feature = \"catalog\")]\npub static GPUS: &[Gpu] = &[\n",
    );
    for gpu in &gpus {
        for name in gpu.aliases.iter().chain([&gpu.id]) {
            assert!(names.insert(name.to_lowercase()), "gpus.yaml: `{name}` names two GPUs");
        }
        writeln!(
            out,
            "Gpu {{ id: {}, name: {}, aliases: {}, vendor: {}, memory_bytes: {}, torch_memory_bytes: {}, nominal_gb: {}, bandwidth_100_mb_s: {}, fp16_100_gflops: {}, fp8_100_gflops: {}, compute_capability: {}, sources: {} }},",
            literal(&gpu.id), literal(&gpu.name), texts(&gpu.aliases), literal(&gpu.vendor), memory_bytes(gpu), torch_memory_bytes(gpu), gpu.nominal_gb,
            tenths(gpu, "memory_bandwidth_gb_s", gpu.memory_bandwidth_gb_s), tenths(gpu, "fp16_tflops", gpu.fp16_tflops), tenths(gpu, "fp8_tflops", gpu.fp8_tflops),
            option(gpu.compute_capability.as_deref()),
            list(gpu.sources.iter().map(|(key, value)| format!("({}, {})", literal(key), literal(&one_line(value)))))
        )
        .unwrap();
    }
    out.push_str("];\n");
}
