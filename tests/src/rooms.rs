//! What engines other than vLLM leave for the cache, against logs: rows of `rooms.json`, and the public table of them.

use std::fs;
use std::sync::LazyLock;

use planner_core::engine;
use planner_core::engine::memory::{MemoryPart, PartKind};
use planner_core::plan::{GpuMemory, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_core::{catalog, source};
use serde_json::Value as Json;

use crate::fixture;
use crate::room::GIB;

static ROWS: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(&fs::read_to_string(fixture("rooms.json")).unwrap()).unwrap());

/// Bytes of a MiB, the unit of llama.cpp's logs.
pub const MIB: f64 = (1_u64 << 20) as f64;

/// A log, or a run of the engine on a CPU.
pub struct Row {
    engine: &'static str,
    json: &'static Json,
}

/// All rows of an engine.
pub fn rows(engine: &'static str) -> Vec<Row> {
    ROWS[engine].as_array().unwrap().iter().map(|json| Row { engine, json }).collect()
}

impl Row {
    /// Name of the row.
    pub fn id(&self) -> &'static str {
        self.json["id"].as_str().unwrap()
    }

    /// What printed it: `CUDA`, `CPU`, or a CPU that keeps the states of embeddings.
    pub fn device(&self) -> &'static str {
        self.json["device"].as_str().unwrap_or("CUDA")
    }

    /// A figure that it prints.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.json.get(name).or_else(|| self.json["logged"].get(name))?.as_f64()
    }

    /// The model.
    pub fn model(&self) -> ModelSpec {
        match self.json["model"].as_str() {
            Some(id) => catalog::model(id).unwrap(),
            None => source::from_config_json(&self.json["config"].to_string(), true).unwrap(),
        }
    }

    /// The GPU as it is planned, an H200 where none is named.
    pub fn gpu(&self) -> GpuMemory {
        let mut request = Request::default();
        let given = self.json["args"].as_object().unwrap();
        let pairs = given.iter().map(|(flag, value)| (flag.as_str(), value.as_str().unwrap()));
        for (flag, value) in [("gpu", "h200-141gb"), ("engine", self.engine)].into_iter().chain(pairs) {
            request.set(flag, value).unwrap();
        }
        plan(&self.model(), &request).unwrap().memory.unwrap().gpus.remove(0)
    }

    /// The part of one kind.
    pub fn part(&self, kind: PartKind) -> MemoryPart {
        *self.gpu().parts.iter().find(|part| part.kind == kind).unwrap()
    }

    /// Our figure for a compute buffer in MiB, as the device of the row would print it.
    pub fn buffer(&self) -> f64 {
        let part = self.part(PartKind::ComputeBuffer);
        let bytes = match self.device() {
            // one row of outputs a slot
            "CPU" => part.range.map_or(part.bytes, |(least, _)| least),
            // the states of the whole ubatch stay beside those that logits are made of
            "CPU, states kept" => {
                let ubatch = self.json["args"]["ubatch"].as_str().map_or(512, |rows| rows.parse().unwrap());
                part.bytes + ubatch * self.model().hidden_size * 4
            }
            _ => part.bytes,
        };
        bytes as f64 / MIB
    }
}

/// Our figure and the log's, and how far ours is off.
fn beside(ours: Option<f64>, logged: Option<f64>) -> String {
    match (ours, logged) {
        (Some(ours), Some(logged)) => {
            format!("{ours:.2} | {logged:.2} | {:+.2} %", 100.0 * (ours / logged - 1.0))
        }
        _ => " | | ".to_owned(),
    }
}

/// The public table.
pub fn table() -> String {
    let mut text = String::from(
        "\n# The room under other engines\n\n\
        SGLang's share is of what is free before the weights are loaded, and it holds weights and pools; no further reserve \
        comes off. In GiB; a log without a room set the size of its pool itself.\n\n\
        | log | our room | logged | error | our weights | logged | error | free before, ours | logged | error | source |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for row in rows("sglang") {
        let gpu = row.gpu();
        let gib = |bytes: u64| Some(bytes as f64 / GIB);
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            row.id(),
            beside(gib(gpu.kv_bytes_available), row.figure("kv_gib")),
            beside(gpu.weight_bytes.and_then(gib), row.figure("weights_gib")),
            beside(gpu.shared_bytes.and_then(gib), row.figure("free_gib")),
            row.json["source"].as_str().unwrap(),
        ));
    }
    text.push_str(
        "\nllama.cpp has no share: weights, cache, compute buffer and a margin of 1 GiB must fit on every device. Compute \
        buffers in MiB; a server from b10434 on reserves one row of outputs a slot and not a whole ubatch, which is the least \
        of ours, and a CPU shows it.\n\n\
        | run | device | ours | logged | error | source |\n| --- | --- | ---: | ---: | ---: | --- |\n",
    );
    for row in rows("llama.cpp") {
        let source = row.json["source"].as_str().unwrap();
        let figures = beside(Some(row.buffer()), row.figure("mib"));
        text.push_str(&format!("| {} | {} | {figures} | {source} |\n", row.id(), row.device()));
    }
    text.push_str(
        "\nTensorRT-LLM's share is of what is free at the peak of a step with the weights loaded. transformers and candle have \
        no share and set nothing aside: what a step works in grows with the sessions, and is an estimate.\n\n\
        | engine | constant | value | spread | releases | source | set on |\n| --- | --- | ---: | ---: | --- | --- | --- |\n",
    );
    for engine in engine::all() {
        for one in engine.constants() {
            let set = one.derived_on.join(", ");
            text.push_str(&format!(
                "| {} | {} | {} | {} | {} | {} | {set} |\n",
                engine.id(),
                one.name,
                one.value,
                one.spread,
                one.releases,
                one.source
            ));
        }
    }
    text
}
