//! Plans, failures and explanations as JSON, by the types of [`document`](super::document).

use serde_json::{Map, Value as Json};

pub use super::document::SCHEMA;
use super::document::*;
use super::explain::Section;
use crate::engine::command::Command;
use crate::error::Error;
use crate::plan::{Alternative, Compared, GpuMemory, LayerGroup, Plan, Slope, Verdict, reserve};
use crate::render::words::{error_hint, error_message};
use crate::request::FLAGS;
use crate::spec::layer::{Extent, Store};
use crate::spec::model::{ModelSpec, Note};
use crate::text::{Lang, Sentence};
use crate::to_json::ToJson;

/// The JSON Schema of the JSON output.
pub const SCHEMA_TEXT: &str = include_str!("schema.json");

/// An integer as it stands in the JSON.
pub fn integer(value: u64) -> Json {
    value.json()
}

/// A plan. Only the texts of notes depend on the language.
pub fn plan(plan: &Plan<'_>, lang: Lang) -> Json {
    plan_document(plan, lang).json()
}

/// A plan beside every engine's answer to the same question.
pub fn plan_and_engines(plan: &Plan<'_>, engines: &[Compared], lang: Lang) -> Json {
    let engines = engines.iter().map(|compared| compared_document(compared, lang)).collect();
    PlanDocument { engines: Some(engines), ..plan_document(plan, lang) }.json()
}

/// A failure.
pub fn failure(lang: Lang, error: &Error) -> Json {
    FailureDocument { schema: SCHEMA, error: error_document(lang, error) }.json()
}

/// A model.
pub fn model(model: &ModelSpec) -> Json {
    model_document(model).json()
}

/// The command that starts an engine.
pub fn command(command: &Command, lang: Lang) -> Json {
    command_document(command, lang).json()
}

/// An explanation.
pub fn explanation<'a>(plan: &'a Plan<'_>, sections: &'a [Section]) -> Json {
    let section = |section: &'a Section| SectionDocument { title: &section.title, lines: &section.lines };
    ExplainDocument {
        schema: SCHEMA,
        model: &plan.model.id,
        sections: sections.iter().map(section).collect(),
    }
    .json()
}

fn plan_document<'a>(plan: &'a Plan<'_>, lang: Lang) -> PlanDocument<'a> {
    let engine = &plan.engine;
    PlanDocument {
        schema: SCHEMA,
        model: model_document(&plan.model),
        request: request(plan),
        kv: kv_document(plan),
        layers: plan.layers.iter().map(|group| layer_document(plan, group)).collect(),
        engine: EngineDocument {
            id: engine.id,
            version: engine.version,
            session_bytes: engine.session_bytes,
            total_bytes: engine.total_bytes,
            floor_bytes_per_session: engine.min_session_bytes,
            min_prefix_hit_tokens: engine.report.min_prefix_hit_tokens,
            report: &engine.report.kind,
            command: plan.command().map(|command| command_document(&command, lang)),
        },
        memory: plan
            .memory
            .as_ref()
            .map(|memory| MemoryDocument { gpus: memory.gpus.iter().map(gpu_document).collect() }),
        verdict: verdict_document(plan.verdict.as_ref()),
        notes: note_documents(&plan.notes, lang),
        engines: None,
    }
}

fn note_documents(notes: &[Note], lang: Lang) -> Vec<NoteDocument> {
    notes.iter().map(|note| NoteDocument { code: note.code, text: note.text.text(lang) }).collect()
}

fn error_document(lang: Lang, error: &Error) -> ErrorDocument {
    ErrorDocument {
        code: error.code().as_str(),
        subject: error.subject().map(str::to_owned),
        message: error_message(lang, error),
        hint: error_hint(lang, error),
    }
}

fn compared_document(compared: &Compared, lang: Lang) -> ComparedDocument {
    let (id, version) = (compared.rule.id(), compared.version);
    let refused = ComparedDocument {
        id,
        version,
        session_bytes: None,
        total_bytes: None,
        max_users: None,
        why: None,
        error: None,
    };
    match &compared.answer {
        Ok(answer) => ComparedDocument {
            session_bytes: Some(answer.session_bytes),
            total_bytes: Some(answer.total_bytes),
            max_users: answer.max_users,
            why: Some(Sentence::from(compared.rule.rule()).text(lang)),
            ..refused
        },
        Err(error) => ComparedDocument { error: Some(error_document(lang, error)), ..refused },
    }
}

fn model_document(model: &ModelSpec) -> ModelDocument<'_> {
    ModelDocument {
        id: &model.id,
        name: &model.name,
        architecture: &model.architecture,
        model_type: &model.model_type,
        family: model.family,
        layers: model.config_layers,
        attention_heads: model.attention_heads,
        kv_heads: model.kv_heads,
        head_dim: model.head_dim,
        max_position: model.max_position,
        dtype: model.dtype.name,
        parameters: model.parameters,
        active_parameters: model.active_parameters(),
        weight_bytes: model.weight_bytes,
        parts: model
            .parts
            .iter()
            .map(|part| PartDocument {
                name: part.name,
                parameters: part.parameters,
                active: part.active,
                bytes: part.bytes,
            })
            .collect(),
        origin: model
            .origin
            .iter()
            .map(|origin| OriginDocument { field: origin.field, value: &origin.value, from: &origin.from })
            .collect(),
    }
}

/// The value of every flag; what the request left open is as the plan resolved it.
fn request(plan: &Plan<'_>) -> Map<String, Json> {
    let request = plan.request;
    let parallel = plan.parallel;
    let side = |own: &Option<String>, auto: &'static str| {
        let given = own.as_deref().or(request.kv_dtype.as_deref());
        Some(given.unwrap_or(auto).into())
    };
    let resolved = |name: &str| -> Option<Json> {
        match name {
            "seq" => Some(plan.tokens.into()),
            "gpus" => Some(parallel.gpus().into()),
            "tp" => Some(parallel.tensor_ranks().into()),
            "pp" => Some(parallel.pp().into()),
            "dp" => Some(request.dp.unwrap_or(parallel.replicas()).into()),
            "dcp" => Some(parallel.dcp().into()),
            "engine" => Some(plan.engine.id.into()),
            "kv-dtype" | "weight-dtype" => Some("auto".into()),
            "k-dtype" => side(&request.k_dtype, plan.kv_dtypes.0.name),
            "v-dtype" => side(&request.v_dtype, plan.kv_dtypes.1.name),
            "memory-utilization" => Some(plan.utilization().to_string().into()),
            "reserve" => Some(kept_free(plan).into()),
            "max-model-len" => Some(request.max_model_len.unwrap_or(plan.tokens).into()),
            "source-len" => Some(plan.encoder_tokens.into()),
            _ => None,
        }
    };
    // these two are `auto` only where no dtype is given
    let keeps = |name: &str| matches!(name, "kv-dtype" | "weight-dtype");
    let mut map = Map::new();
    for flag in FLAGS {
        let given = flag.json(request);
        let value = match resolved(flag.name) {
            Some(resolved) if given.is_null() || !keeps(flag.name) => resolved,
            _ => given,
        };
        map.insert(flag.key(), value);
        if flag.name == "engine" {
            map.insert("engine_version".into(), plan.engine.version.into());
        }
    }
    map
}

fn kv_document(plan: &Plan<'_>) -> KvDocument {
    let kv = &plan.kv;
    let slope = |slope: &Slope| {
        let shared = slope.per_tokens > 1;
        SlopeDocument {
            from_token: slope.from_token,
            bytes_per_token: slope.bytes_per_token(),
            bytes: shared.then_some(slope.bytes),
            per_tokens: shared.then_some(slope.per_tokens),
        }
    };
    KvDocument {
        bytes_per_token: kv.bytes_per_token,
        slopes: kv.slopes.iter().map(slope).collect(),
        state_bytes_per_session: kv.state_bytes_per_session,
        session_bytes: kv.session_bytes,
        total_bytes: kv.total_bytes,
        all_heads: kv.all_heads.map(|all| AllHeadsDocument {
            bytes_per_token: all.bytes_per_token,
            session_bytes: all.session_bytes,
            total_bytes: all.total_bytes,
        }),
    }
}

fn layer_document(plan: &Plan<'_>, group: &LayerGroup) -> LayerDocument {
    let layer = plan.layer(group);
    let stores = layer.iter().flat_map(|layer| &layer.stores);
    LayerDocument {
        first: group.first,
        count: group.count,
        kind: layer.map_or(crate::spec::layer::LayerKind::None, |layer| layer.kind()),
        bytes_per_token: group.bytes_per_token,
        session_bytes: group.session_bytes,
        query_heads: layer.map_or(0, |layer| layer.query_heads),
        owner: layer.and_then(|layer| layer.owner),
        stores: stores.filter(|store| store.is_kept_by("architecture")).map(store_document).collect(),
    }
}

fn store_document(store: &Store) -> StoreDocument {
    let (window, chunk) = match store.extent {
        Extent::Window(tokens) => (Some(tokens), None),
        Extent::Chunk(tokens) => (None, Some(tokens)),
        _ => (None, None),
    };
    let tokens_per_row = Some(store.tokens_per_row).filter(|tokens| *tokens > 1);
    StoreDocument { content: store.content, window, chunk, tokens_per_row }
}

fn command_document(command: &Command, lang: Lang) -> CommandDocument {
    CommandDocument {
        args: command.words.clone(),
        shell: command.shell(),
        file: command.file.as_ref().map(|(name, text)| FileDocument { name, text: text.clone() }),
        notes: note_documents(&command.notes, lang),
    }
}

fn range((low, high): (u64, u64)) -> RangeDocument {
    RangeDocument { low, high }
}

/// What is kept beside weights and cache on the first GPU.
fn kept_free(plan: &Plan<'_>) -> u64 {
    let first = plan.memory.as_ref().and_then(|memory| memory.gpus.first()?.reserve_bytes);
    first.unwrap_or_else(|| reserve(plan.request))
}

fn gpu_document(gpu: &GpuMemory) -> GpuDocument {
    GpuDocument {
        rank: gpu.rank,
        stage: gpu.stage,
        total_bytes: gpu.total_bytes,
        budget_bytes: gpu.budget_bytes,
        weight_bytes: gpu.weight_bytes,
        reserve_bytes: gpu.reserve_bytes,
        kv_bytes_available: gpu.kv_bytes_available,
        kv_bytes_available_estimate: gpu.room_range().map(range),
        kv_bytes_used: gpu.kv_bytes_used,
        parts: gpu
            .parts
            .iter()
            .map(|part| MemoryPartDocument {
                name: part.kind.name(),
                bytes: part.bytes,
                estimate: part.range.map(range),
            })
            .collect(),
    }
}

fn verdict_document(verdict: Option<&Verdict>) -> VerdictDocument {
    let Some(verdict) = verdict else {
        return VerdictDocument {
            fits: None,
            max_users: None,
            steady_users: None,
            max_seq: None,
            min_gpus: None,
            limited_by: None,
            max_sessions: None,
            alternatives: Vec::new(),
        };
    };
    VerdictDocument {
        fits: Some(verdict.fits),
        max_users: Some(verdict.max_users),
        steady_users: Some(verdict.steady_users),
        max_seq: verdict.max_seq,
        min_gpus: verdict.min_gpus,
        limited_by: Some(verdict.limited_by),
        max_sessions: verdict.max_sessions,
        alternatives: verdict.alternatives.iter().filter_map(alternative_document).collect(),
    }
}

fn alternative_document(alternative: &Alternative) -> Option<AlternativeDocument> {
    let first = alternative.changes.first()?;
    let change = |change: &crate::plan::Change| ChangeDocument { flag: change.flag(), value: change.value() };
    Some(AlternativeDocument {
        flag: first.flag(),
        value: first.value(),
        changes: alternative.changes.iter().map(change).collect(),
        max_users: alternative.max_users,
    })
}
