//! Reads the YAML of families, models and GPUs, checks it, and writes static tables.
//!
//! Every mistake a data file can hold ends the build here with the file's name: an unknown key,
//! an expression that does not parse, a duplicate id, a figure without its source.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "src/expr.rs"]
#[allow(dead_code)]
mod expr;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Map, Value};

/// Parts that parameters are counted under.
const PARTS: &[&str] = &[
    "embeddings",
    "head",
    "norm",
    "attention",
    "mlp",
    "experts",
    "shared_experts",
    "router",
    "state",
    "indexer",
    "vision",
    "audio",
    "projector",
    "encoder",
    "other",
];

/// Fields each kind of cache rule must have; other names are dimensions for engines.
const CACHE_FIELDS: &[(&str, &[&str])] = &[
    ("keys_values", &["heads", "k", "v"]),
    ("latent", &["rank", "rope"]),
    ("index_key", &["dim"]),
    ("state", &["mixer"]),
    ("cross", &["heads", "k", "v"]),
];

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields, default)]
struct FamilyFile {
    name: String,
    extends: Option<String>,
    model_types: BTreeMap<String, Option<Map<String, Value>>>,
    language_model: Option<LanguageModel>,
    towers: Map<String, Value>,
    defs: Map<String, Value>,
    cache: Option<Vec<Map<String, Value>>>,
    modules: Map<String, Value>,
    layer_modules: Map<String, Value>,
    stacks: Map<String, Value>,
    refuse: Option<String>,
}

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct LanguageModel {
    config: String,
    model_type: String,
}

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

fn main() {
    for input in ["build.rs", "src/expr.rs", "families", "catalog", "gpus.yaml", "encoders.yaml"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let mut out = String::new();
    families(&mut out);
    if std::env::var_os("CARGO_FEATURE_CATALOG").is_some() {
        catalogue(&mut out);
        encoders(&mut out);
        gpus(&mut out);
    }
    let target = PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("tables.rs");
    std::fs::write(target, out).unwrap();
}

fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A Rust string literal.
fn literal(text: &str) -> String {
    format!("{text:?}")
}

fn option(text: Option<&str>) -> String {
    text.map_or("None".into(), |text| format!("Some({})", literal(text)))
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    format!("&[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

fn texts(items: &[String]) -> String {
    list(items.iter().map(|item| literal(item)))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

// ---- families ---------------------------------------------------------------------------------

fn families(out: &mut String) {
    let mut files: BTreeMap<String, FamilyFile> = BTreeMap::new();
    for path in yaml_files("families") {
        let file: FamilyFile = read(&path);
        assert_eq!(
            path.file_stem().unwrap().to_str(),
            Some(file.name.as_str()),
            "{}: `name` must be the file's name",
            path.display()
        );
        files.insert(file.name.clone(), file);
    }
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    out.push_str(
        "/// Every family, by name.\n#[cfg(feature = \"families\")]\npub static FAMILIES: &[Family] = &[\n",
    );
    for name in files.keys() {
        let family = resolve(&files, name, 0);
        for model_type in family.model_types.keys() {
            if let Some(other) = owners.insert(model_type.clone(), name.clone()) {
                panic!("families: model_type `{model_type}` is in both `{other}` and `{name}`");
            }
        }
        write_family(out, &family);
    }
    out.push_str("];\n");
    let index = list(owners.iter().map(|(model_type, owner)| {
        let position = files.keys().position(|name| name == owner).unwrap();
        format!("({}, {position})", literal(model_type))
    }));
    writeln!(out, "/// Each `model_type` with the index of its family, sorted.\n#[cfg(feature = \"families\")]\npub static MODEL_TYPES: &[(&str, usize)] = {index};").unwrap();
}

/// The family with everything that it extends merged in.
fn resolve(files: &BTreeMap<String, FamilyFile>, name: &str, depth: usize) -> FamilyFile {
    assert!(depth < 16, "families/{name}.yaml: `extends` goes in a circle");
    let own = files.get(name).unwrap_or_else(|| panic!("families: no family `{name}` to extend")).clone();
    let Some(parent) = own.extends.clone() else { return own };
    let base = resolve(files, &parent, depth + 1);
    FamilyFile {
        name: own.name,
        extends: None,
        model_types: own.model_types,
        language_model: own.language_model.or(base.language_model),
        towers: merge(base.towers, own.towers, 1),
        defs: base.defs.into_iter().chain(own.defs).collect(),
        cache: own.cache.or(base.cache),
        modules: merge(base.modules, own.modules, 3),
        layer_modules: merge(base.layer_modules, own.layer_modules, 3),
        stacks: merge(base.stacks, own.stacks, 1),
        refuse: own.refuse.or(base.refuse),
    }
}

/// Merges maps key by key, `levels` deep; a null removes the key. A module given as a map without
/// `is` keeps the shape of the module it refines.
fn merge(mut base: Map<String, Value>, own: Map<String, Value>, levels: usize) -> Map<String, Value> {
    for (key, value) in own {
        match (base.get_mut(&key), value) {
            (_, Value::Null) => {
                base.shift_remove(&key);
            }
            (Some(Value::Object(old)), Value::Object(new)) if levels > 1 => {
                *old = merge(std::mem::take(old), new, levels - 1);
            }
            (Some(shape @ Value::String(_)), Value::Object(mut new)) if levels == 2 => {
                new.entry("is").or_insert_with(|| shape.clone());
                *shape = Value::Object(new);
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
    base
}

fn write_family(out: &mut String, family: &FamilyFile) {
    let name = &family.name;
    let model_types = list(family.model_types.iter().map(|(model_type, defaults)| {
        let defaults = defaults
            .iter()
            .flatten()
            .map(|(key, value)| format!("({}, {})", literal(key), literal(&value.to_string())));
        format!("({}, {})", literal(model_type), list(defaults))
    }));
    let language_model = family.language_model.as_ref().map_or("None".into(), |nested| {
        format!("Some(({}, {}))", literal(&nested.config), literal(&nested.model_type))
    });
    let towers = list(family.towers.iter().map(|(tower, value)| {
        let map = value
            .as_object()
            .unwrap_or_else(|| panic!("families/{name}.yaml: tower `{tower}` must be a map"));
        for key in map.keys() {
            assert!(
                ["config", "model_type", "class", "when"].contains(&key.as_str()),
                "families/{name}.yaml: tower `{tower}` has unknown key `{key}`"
            );
        }
        let text = |key: &str| map.get(key).and_then(Value::as_str);
        let config =
            text("config").unwrap_or_else(|| panic!("families/{name}.yaml: tower `{tower}` needs `config`"));
        // `class` fixes the tower's type; `model_type` is the type of one that names none.
        let (model_type, is_fixed) = match (text("class"), text("model_type")) {
            (Some(class), None) => (class, true),
            (None, Some(model_type)) => (model_type, false),
            _ => panic!("families/{name}.yaml: tower `{tower}` needs `class` or `model_type`"),
        };
        format!(
            "Tower {{ name: {}, config: {}, model_type: {}, is_fixed: {is_fixed}, when: {} }}",
            literal(tower),
            literal(config),
            literal(model_type),
            optional(name, map.get("when"))
        )
    }));
    let definitions = list(
        family
            .defs
            .iter()
            .map(|(key, value)| format!("({}, {})", literal(key), literal(&expression(name, value)))),
    );
    let cache = list(family.cache.iter().flatten().map(|rule| cache_rule(name, rule)));
    let stacks = list(family.stacks.iter().map(|(stack, value)| {
        let map = value
            .as_object()
            .unwrap_or_else(|| panic!("families/{name}.yaml: stack `{stack}` must be a map"));
        for key in map.keys() {
            assert!(
                ["repeat", "when", "modules"].contains(&key.as_str()),
                "families/{name}.yaml: stack `{stack}` has unknown key `{key}`"
            );
        }
        let modules = map
            .get("modules")
            .and_then(Value::as_object)
            .unwrap_or_else(|| panic!("families/{name}.yaml: stack `{stack}` needs `modules`"));
        let repeat = map
            .get("repeat")
            .unwrap_or_else(|| panic!("families/{name}.yaml: stack `{stack}` needs `repeat`"));
        format!(
            "Stack {{ name: {}, repeat: {}, when: {}, modules: {} }}",
            literal(stack),
            literal(&expression(name, repeat)),
            optional(name, map.get("when")),
            module_rules(name, modules)
        )
    }));
    writeln!(
        out,
        "Family {{ name: {}, model_types: {model_types}, language_model: {language_model}, towers: {towers}, definitions: {definitions},\n cache: {cache},\n modules: {},\n layer_modules: {},\n stacks: {stacks}, refuse: {} }},",
        literal(name), module_rules(name, &family.modules), module_rules(name, &family.layer_modules), option(family.refuse.as_deref())
    )
    .unwrap();
}

/// Checks one expression and gives its text.
fn expression(family: &str, value: &Value) -> String {
    let text = match value {
        Value::String(text) => one_line(text),
        Value::Number(_) | Value::Bool(_) | Value::Null => value.to_string(),
        other => panic!("families/{family}.yaml: `{other}` is not an expression"),
    };
    if let Err(error) = expr::parse(&text) {
        panic!("families/{family}.yaml: {error}");
    }
    text
}

fn optional(family: &str, value: Option<&Value>) -> String {
    value.map_or("None".into(), |value| format!("Some({})", literal(&expression(family, value))))
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().unwrap().to_owned()).collect(),
        Some(item) => vec![item.as_str().unwrap().to_owned()],
    }
}

fn cache_rule(family: &str, rule: &Map<String, Value>) -> String {
    let (kind, body) =
        rule.iter().next().unwrap_or_else(|| panic!("families/{family}.yaml: an empty cache rule"));
    assert_eq!(rule.len(), 1, "families/{family}.yaml: a cache rule has one kind");
    let body = body
        .as_object()
        .unwrap_or_else(|| panic!("families/{family}.yaml: cache rule `{kind}` must be a map"));
    let (_, required) = CACHE_FIELDS
        .iter()
        .find(|(known, _)| known == kind)
        .unwrap_or_else(|| panic!("families/{family}.yaml: unknown cache kind `{kind}`"));
    for field in *required {
        assert!(body.contains_key(*field), "families/{family}.yaml: cache rule `{kind}` needs `{field}`");
    }
    let fields =
        list(body.iter().filter(|(key, _)| !["when", "only", "except"].contains(&key.as_str())).map(
            |(key, value)| {
                let text = if key == "mixer" {
                    value.as_str().unwrap().to_owned()
                } else {
                    expression(family, value)
                };
                format!("({}, {})", literal(key), literal(&text))
            },
        ));
    format!(
        "CacheRule {{ kind: {}, when: {}, only: {}, except: {}, fields: {fields} }}",
        literal(kind),
        optional(family, body.get("when")),
        texts(&strings(body.get("only"))),
        texts(&strings(body.get("except")))
    )
}

fn module_rules(family: &str, parts: &Map<String, Value>) -> String {
    let mut rules = Vec::new();
    for (part, modules) in parts {
        assert!(PARTS.contains(&part.as_str()), "families/{family}.yaml: unknown part `{part}`");
        let modules = modules
            .as_object()
            .unwrap_or_else(|| panic!("families/{family}.yaml: part `{part}` must be a map"));
        for (path, value) in modules {
            let empty = Map::new();
            let (is, map) = match value {
                Value::Object(map) => (
                    map.get("is").unwrap_or_else(|| panic!("families/{family}.yaml: `{path}` needs `is`")),
                    map,
                ),
                other => (other, &empty),
            };
            for key in map.keys() {
                assert!(
                    ["is", "when", "count", "active"].contains(&key.as_str()),
                    "families/{family}.yaml: `{path}` has unknown key `{key}`"
                );
            }
            rules.push(format!(
                "ModuleRule {{ part: {}, path: {}, is: {}, when: {}, count: {}, active: {} }}",
                literal(part),
                literal(path),
                literal(&expression(family, is)),
                optional(family, map.get("when")),
                optional(family, map.get("count")),
                optional(family, map.get("active"))
            ));
        }
    }
    list(rules)
}

// ---- catalogue --------------------------------------------------------------------------------

fn catalogue(out: &mut String) {
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

fn encoders(out: &mut String) {
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

// ---- GPUs -------------------------------------------------------------------------------------

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

fn gpus(out: &mut String) {
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
