//! The room for the cache beside start-up logs: rows of `vllm_memory.json`, and the public table.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use planner_core::engine::vllm::memory::constants;
use planner_core::plan::{GpuMemory, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{catalog, source};
use serde_json::Value as Json;

use crate::fixture;

static ROWS: LazyLock<Json> = LazyLock::new(|| {
    serde_json::from_str(&fs::read_to_string(fixture("vllm_memory.json")).unwrap()).unwrap()
});

/// Bytes of a GiB, the unit of the logs.
pub const GIB: f64 = (1_u64 << 30) as f64;

/// One log: a run, and the figures that the engine printed.
pub struct Log(&'static Json);

/// The logs of one section: constants were set on `derived` logs, not on `checked` ones; `capacity` logs have
/// tokens and concurrency.
pub fn logs(section: &str) -> Vec<Log> {
    ROWS[section].as_array().unwrap().iter().map(Log).collect()
}

impl Log {
    /// Name of the row.
    pub fn id(&self) -> &'static str {
        self.0["id"].as_str().unwrap()
    }

    /// A figure that it prints, in GiB where it is memory.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.0.get(name).or_else(|| self.0["logged"].get(name))?.as_f64()
    }

    fn argument(&self, flag: &str) -> Option<&'static str> {
        let words = self.0["args"].as_array().unwrap();
        let at = words.iter().position(|word| word == flag)?;
        words[at + 1].as_str()
    }

    /// Whether the logged weights are PyTorch's alone; from 0.27 on they include memory outside PyTorch.
    pub fn weights(&self) -> Option<f64> {
        let minor: u64 = self.argument("--engine").unwrap().split('.').nth(1).unwrap().parse().unwrap();
        self.figure("weights_gib").filter(|_| minor < 27)
    }

    /// The run.
    pub fn request(&self) -> Request {
        let mut request = Request::default();
        for pair in self.0["args"].as_array().unwrap().chunks(2) {
            let [flag, value] = [&pair[0], &pair[1]].map(|word| word.as_str().unwrap());
            request.set(flag.trim_start_matches("--"), value).unwrap();
        }
        request
    }

    /// The model as that run loads it.
    pub fn model(&self) -> ModelSpec {
        match self.0["model"].as_str() {
            Some(id) => catalog::model(id).unwrap(),
            None => source::from_config_json(&self.0["config"].to_string(), false).unwrap(),
        }
    }

    /// The GPU whose figures the log prints: in a pipeline, the first rank's.
    pub fn gpu(&self) -> GpuMemory {
        plan(&self.model(), &self.request()).unwrap().memory.unwrap().gpus.remove(0)
    }
}

/// Our figure beside the log's.
pub struct Compared {
    /// The log.
    pub log: Log,
    /// Our room in GiB.
    pub room: f64,
    /// Our weights in GiB.
    pub weights: f64,
}

impl Compared {
    /// Relative error of the room.
    pub fn error(&self) -> f64 {
        self.room / self.log.figure("kv_gib").unwrap() - 1.0
    }

    /// Relative error of the weights, where the log prints them.
    pub fn weights_error(&self) -> Option<f64> {
        Some(self.weights / self.log.weights()? - 1.0)
    }
}

/// All logs of a section, compared.
pub fn compared(section: &str) -> Vec<Compared> {
    let of = |log: Log| {
        let gpu = log.gpu();
        let gib = |bytes: u64| bytes as f64 / GIB;
        Compared { room: gib(gpu.kv_bytes_available), weights: gib(gpu.weight_bytes.unwrap()), log }
    };
    logs(section).into_iter().map(of).collect()
}

/// The mean of the errors' absolute values.
pub fn mean(errors: impl Iterator<Item = f64>) -> f64 {
    let errors: Vec<f64> = errors.map(f64::abs).collect();
    errors.iter().sum::<f64>() / errors.len() as f64
}

/// The public table.
pub fn table() -> String {
    let sections =
        [("derived", "Logs that constants were set on"), ("checked", "Logs that they were not set on")];
    let (mut groups, mut lists) = (String::new(), String::new());
    for (section, title) in sections {
        let rows = compared(section);
        let mut by_card: BTreeMap<(&str, &str), Vec<&Compared>> = BTreeMap::new();
        for row in &rows {
            let argument = |flag| row.log.argument(flag).unwrap();
            let version = argument("--engine").trim_start_matches("vllm@");
            by_card.entry((version, argument("--gpu"))).or_default().push(row);
        }
        for ((version, gpu), rows) in by_card {
            let worst =
                rows.iter().map(|row| row.error()).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
            groups.push_str(&format!(
                "| {section} | {version} | {gpu} | {} | {:.2} % | {:+.2} % |\n",
                rows.len(),
                100.0 * mean(rows.iter().map(|row| row.error())),
                100.0 * worst
            ));
        }
        lists.push_str(&format!(
            "\n## {title}\n\n| log | GPU | our room | logged | error | our weights | logged | source |\n\
            | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |\n"
        ));
        for row in &rows {
            let weights = row.log.weights().map_or_else(String::new, |weights| format!("{weights:.2}"));
            lists.push_str(&format!(
                "| {} | {} | {:.2} | {:.2} | {:+.2} % | {:.2} | {weights} | {} |\n",
                row.log.id(),
                row.log.argument("--gpu").unwrap(),
                row.room,
                row.log.figure("kv_gib").unwrap(),
                100.0 * row.error(),
                row.weights,
                row.log.0["source"].as_str().unwrap(),
            ));
        }
    }
    let constants: String = constants::ALL
        .iter()
        .map(|one| {
            let set = one.derived_on.join(", ");
            format!(
                "| {} | {} | {} | {} | {} | {set} |\n",
                one.name, one.value, one.spread, one.releases, one.source
            )
        })
        .collect();
    format!(
        "# The room for the cache under vLLM\n\n\
        Regenerated by `cargo run -p planner-tests --example room > docs/room.md`. Start-up logs print what a GPU has left for \
        the cache; here is what kvplan says of the same run from the card, the model and the flags alone, in GiB. A log of \
        pipeline stages prints the first one.\n\n\
        | logs | vLLM | GPU | rows | mean error | worst |\n| --- | --- | --- | ---: | ---: | ---: |\n{groups}{lists}\n\
        ## Constants\n\n\
        What the engine's code does not say: bytes, or hundredths of a byte for the figures of one logit.\n\n\
        | constant | value | spread | vLLM | source | set on |\n| --- | ---: | ---: | --- | --- | --- |\n{constants}{}",
        crate::rooms::table()
    )
}
