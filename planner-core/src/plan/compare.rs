//! Engines side by side: the definition first, then what each engine allocates.

use serde_json::{Value as Json, json};

use super::plan;
use crate::engine;
use crate::error::Error;
use crate::render::json::integer;
use crate::request::Request;
use crate::spec::model::ModelSpec;
use crate::text::{Lang, engine_rule, error_message};

/// One engine's answer to the same question.
#[derive(Debug)]
pub struct Compared {
    /// Engine id.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it allocates, or why it refuses.
    pub answer: Result<Allocated, Error>,
}

/// What one engine allocates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocated {
    /// For one session.
    pub session_bytes: u64,
    /// For all sessions.
    pub total_bytes: u64,
    /// Most users, where a GPU is named.
    pub max_users: Option<u64>,
}

/// Every engine's default version, in the registry's order.
pub fn compare(model: &ModelSpec, request: &Request) -> Vec<Compared> {
    let one = |engine: &'static dyn engine::Engine| {
        let request = Request { engine, engine_version: engine.versions()[0], ..request.clone() };
        let answer = plan(model, &request).map(|plan| Allocated {
            session_bytes: plan.engine.session_bytes,
            total_bytes: plan.engine.total_bytes,
            max_users: plan.verdict.map(|verdict| verdict.max_users),
        });
        Compared { id: engine.id(), version: engine.versions()[0], answer }
    };
    engine::all().into_iter().map(one).collect()
}

/// The `engines` list of the JSON.
pub fn to_json(engines: &[Compared], lang: Lang) -> Json {
    let one = |engine: &Compared| match &engine.answer {
        Ok(answer) => json!({
            "id": engine.id, "version": engine.version,
            "session_bytes": integer(answer.session_bytes), "total_bytes": integer(answer.total_bytes),
            "max_users": answer.max_users.map(integer), "why": engine_rule(lang, engine.id),
        }),
        Err(error) => json!({
            "id": engine.id, "version": engine.version, "session_bytes": null, "total_bytes": null, "max_users": null,
            "error": { "code": error.code().as_str(), "message": error_message(lang, error) },
        }),
    };
    Json::Array(engines.iter().map(one).collect())
}
