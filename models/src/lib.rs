//! The data of kvplan: how each model family stores its cache, which models and GPUs are known.
//!
//! Everything here is plain data in static tables. The YAML beside this crate is read and checked
//! by `build/`, so that a bad file fails the build and no program parses YAML at run time.

mod lookup;

pub use lookup::{Given, family_of, install, model_types};
pub use planner_language::{expr, vocabulary};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

/// How one family of models reads its configuration, stores its cache and counts its parameters.
///
/// Expressions are in the language of [`expr`]; inheritance (`extends`) is already resolved.
#[derive(Debug)]
pub struct Family {
    /// Name of the family file.
    pub name: &'static str,
    /// `model_type` values it answers for, each with its class defaults (name, JSON).
    pub model_types: &'static [(&'static str, &'static [(&'static str, &'static str)])],
    /// For wrappers: the key of the nested configuration that is the language model and the
    /// `model_type` it has when it names none.
    pub language_model: Option<(&'static str, &'static str)>,
    /// Nested configurations with a family of their own whose parameters are added: a vision or
    /// audio encoder.
    pub towers: &'static [Tower],
    /// Named expressions, evaluated on demand.
    pub definitions: &'static [(&'static str, &'static str)],
    /// What each layer stores, tried for every layer.
    pub cache: &'static [CacheRule],
    /// Parameters held once per model.
    pub modules: &'static [ModuleRule],
    /// Parameters held by every layer.
    pub layer_modules: &'static [ModuleRule],
    /// Further repeated blocks: vision towers, encoders.
    pub stacks: &'static [Stack],
    /// Why a model of this family keeps no cache, for encoders.
    pub refuse: Option<&'static str>,
}

/// One thing that a layer may store.
#[derive(Debug)]
pub struct CacheRule {
    /// `keys_values`, `latent`, `index_key`, `state` or `cross`.
    pub kind: &'static str,
    /// Condition under which the layer stores it.
    pub when: Option<&'static str>,
    /// Engines that store it; empty means all.
    pub only: &'static [&'static str],
    /// Engines that do not store it.
    pub except: &'static [&'static str],
    /// The rule's other expressions by name.
    pub fields: &'static [(&'static str, &'static str)],
}

impl CacheRule {
    /// The expression of one field.
    pub fn field(&self, name: &str) -> Option<&'static str> {
        self.fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }
}

/// One module with parameters.
#[derive(Debug)]
pub struct ModuleRule {
    /// What it belongs to: `embeddings`, `attention`, `experts` …
    pub part: &'static str,
    /// Module path inside its layer or model.
    pub path: &'static str,
    /// `linear(…)`, `norm(…)`, `table(…)` or `param(…)`.
    pub is: &'static str,
    /// Condition under which it exists.
    pub when: Option<&'static str>,
    /// How many there are (experts).
    pub count: Option<&'static str>,
    /// How many of them one token uses.
    pub active: Option<&'static str>,
}

/// A nested model that only adds parameters.
#[derive(Debug)]
pub struct Tower {
    /// Name of the tower, and start of its modules' paths.
    pub name: &'static str,
    /// Key of its configuration.
    pub config: &'static str,
    /// Its `model_type`.
    pub model_type: &'static str,
    /// Whether it has that type whatever its configuration says.
    pub is_fixed: bool,
    /// Condition under which it exists.
    pub when: Option<&'static str>,
}

/// A block of modules repeated a number of times.
#[derive(Debug)]
pub struct Stack {
    /// Name of the stack.
    pub name: &'static str,
    /// How often it is repeated.
    pub repeat: &'static str,
    /// Condition under which it exists.
    pub when: Option<&'static str>,
    /// Its modules; `i` is the position in the stack.
    pub modules: &'static [ModuleRule],
}

/// A model of the catalogue.
#[cfg(feature = "catalog")]
#[derive(Debug)]
pub struct Model {
    /// Catalogue id, as on the command line.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Hub ids that hold this model.
    pub hub: &'static [&'static str],
    /// Where the hyper-parameters were read.
    pub source: &'static str,
    /// The keys of its configuration that matter, as JSON.
    pub config: &'static str,
    /// Bytes one token adds at two bytes an element, derived by hand.
    pub bytes_per_token: u64,
    /// That derivation.
    pub derivation: &'static str,
    /// Published exact parameter count and its source.
    pub parameters: Option<(u64, &'static str)>,
}

/// An encoder that people ask for, and why it has no cache.
#[cfg(feature = "catalog")]
#[derive(Debug)]
pub struct Encoder {
    /// Catalogue-style id.
    pub id: &'static str,
    /// Hub ids.
    pub hub: &'static [&'static str],
    /// Its `model_type`.
    pub model_type: &'static str,
    /// Why it keeps no cache.
    pub why: &'static str,
}

/// An accelerator, with figures as the named sources give them.
#[cfg(feature = "catalog")]
#[derive(Debug)]
pub struct Gpu {
    /// Stable id, as on the command line.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Other spellings that mean this one.
    pub aliases: &'static [&'static str],
    /// Manufacturer.
    pub vendor: &'static str,
    /// Memory that the driver reports, in bytes.
    pub memory_bytes: u64,
    /// Memory that PyTorch reports (`torch.cuda.mem_get_info`), in bytes, where a log says it.
    pub torch_memory_bytes: Option<u64>,
    /// Memory in the product's name, in GB.
    pub nominal_gb: u64,
    /// Peak memory bandwidth in units of 10⁸ bytes per second (0.1 GB/s).
    pub bandwidth_100_mb_s: Option<u64>,
    /// Dense 16-bit floating point rate in units of 10¹¹ operations per second (0.1 TFLOPS).
    pub fp16_100_gflops: Option<u64>,
    /// Dense 8-bit floating point rate in the same unit.
    pub fp8_100_gflops: Option<u64>,
    /// CUDA compute capability.
    pub compute_capability: Option<&'static str>,
    /// Source of each figure.
    pub sources: &'static [(&'static str, &'static str)],
}
