//! The documents of the JSON output, as types.
//!
//! Their keys are a contract with scripts: keys may be added, none changes. Integers are bytes or counts. An
//! integer above 2⁵³ is a decimal string, because JavaScript cannot hold it exactly.

use serde_json::{Map, Value as Json};

use crate::engine::report::ReportKind;
use crate::plan::Limit;
use crate::spec::layer::{Content, LayerKind};
use crate::to_json::{ToJson, put};

/// Version of the keys.
pub const SCHEMA: u64 = 1;

object! {
    /// A plan.
    #[derive(Debug)]
    PlanDocument<'a> {
        /// Version of the keys.
        schema: u64,
        /// The model.
        model: ModelDocument<'a>,
        /// Every resolved setting by its flag's name, defaults included.
        request: Map<String, Json>,
        /// Bytes by the model's definition.
        kv: KvDocument,
        /// Bytes by the model's definition, by runs of equal layers.
        layers: Vec<LayerDocument>,
        /// What the chosen engine allocates.
        engine: EngineDocument<'a>,
        /// Memory of every GPU; null where neither a GPU nor `--kv-memory` is given.
        memory: Option<MemoryDocument>,
        /// What fits; nulls where neither a GPU nor `--kv-memory` is given.
        verdict: VerdictDocument,
        /// What the reader should know.
        notes: Vec<NoteDocument>,
        /// Every engine's answer to the same question, for `--engine all`.
        [absent] engines: Option<Vec<ComparedDocument>>,
    }

    /// A model.
    #[derive(Debug)]
    ModelDocument<'a> {
        /// Catalogue id, or the name that it was given by.
        id: &'a str,
        /// Name for people.
        name: &'a str,
        /// Class that `architectures` names.
        architecture: &'a str,
        /// `model_type` of the language model.
        model_type: &'a str,
        /// Family that read the configuration.
        family: &'a str,
        /// `num_hidden_layers`.
        layers: u64,
        /// `num_attention_heads`; null without attention.
        attention_heads: Option<u64>,
        /// `num_key_value_heads` of the widest attention layer.
        kv_heads: Option<u64>,
        /// Width of one key.
        head_dim: Option<u64>,
        /// Longest session that the model is made for, tokens.
        max_position: Option<u64>,
        /// The model's dtype.
        dtype: &'a str,
        /// Parameters of the class that `architectures` names, tied weights once.
        parameters: u64,
        /// Parameters that one token uses.
        active_parameters: u64,
        /// Bytes of the weights that an engine loads.
        weight_bytes: u64,
        /// Parameters and bytes by part.
        parts: Vec<PartDocument<'a>>,
        /// The source of each figure.
        origin: Vec<OriginDocument<'a>>,
    }

    /// One part of a model.
    #[derive(Debug)]
    PartDocument<'a> {
        /// `attention`, `experts` …
        name: &'a str,
        /// Parameters.
        parameters: u64,
        /// Parameters that one token uses.
        active: u64,
        /// Bytes when loaded.
        bytes: u64,
    }

    /// A figure and where it came from.
    #[derive(Debug)]
    OriginDocument<'a> {
        /// The figure's name.
        field: &'a str,
        /// Its value.
        value: &'a Json,
        /// The keys that it was read or computed from.
        from: &'a str,
    }

    /// Bytes by the model's definition.
    #[derive(Debug)]
    KvDocument {
        /// What the token at position `seq` adds, whole model, no replication.
        bytes_per_token: u64,
        /// Bytes per token by range.
        slopes: Vec<SlopeDocument>,
        /// States and cross-attention, whatever `seq`.
        state_bytes_per_session: u64,
        /// One session.
        session_bytes: u64,
        /// All sessions.
        total_bytes: u64,
        /// The article's figure, every query head cached; null without attention.
        all_heads: Option<AllHeadsDocument>,
    }

    /// Bytes per token from one position on.
    #[derive(Debug)]
    SlopeDocument {
        /// First token for which it holds, from 0.
        from_token: u64,
        /// Bytes of a further token, rounded up where tokens share a row.
        bytes_per_token: u64,
        /// Bytes of `per_tokens` further tokens, where tokens share a row.
        [absent] bytes: Option<u64>,
        /// Tokens that share a row.
        [absent] per_tokens: Option<u64>,
    }

    /// Bytes with every query head cached.
    #[derive(Debug)]
    AllHeadsDocument {
        /// One token.
        bytes_per_token: u64,
        /// One session.
        session_bytes: u64,
        /// All sessions.
        total_bytes: u64,
    }

    /// A run of equal layers.
    #[derive(Debug)]
    LayerDocument {
        /// Its first layer.
        first: u64,
        /// How many layers.
        count: u64,
        /// Kind of its first store.
        kind: LayerKind,
        /// What the token at position `seq` adds, all layers of the run.
        bytes_per_token: u64,
        /// One session, all layers of the run.
        session_bytes: u64,
        /// Query heads of a layer.
        query_heads: u64,
        /// The layer whose cache it reads.
        owner: Option<u64>,
        /// Stores of each layer.
        stores: Vec<StoreDocument>,
    }

    /// One thing that a layer keeps.
    #[derive(Debug)]
    StoreDocument {
        /// What one row holds.
        [flat] content: Content,
        /// Tokens of a sliding window.
        [absent] window: Option<u64>,
        /// Tokens of a chunk.
        [absent] chunk: Option<u64>,
        /// Tokens that share a row.
        [absent] tokens_per_row: Option<u64>,
    }

    /// What the chosen engine allocates, with the keys that only this engine has.
    #[derive(Debug)]
    EngineDocument<'a> {
        /// Engine.
        id: &'a str,
        /// Its version.
        version: &'a str,
        /// One session, over all GPUs of a replica.
        session_bytes: u64,
        /// All sessions, over all replicas.
        total_bytes: u64,
        /// Bytes of a session before its first token: states, rings, whole pages.
        floor_bytes_per_session: u64,
        /// Shortest shared prefix that can be reused; null without prefix caching.
        min_prefix_hit_tokens: Option<u64>,
        /// By kind of engine.
        [flat] report: &'a ReportKind,
        /// Starts the engine with these settings; null for engines that are no servers.
        command: Option<CommandDocument>,
    }

    /// A command.
    #[derive(Debug)]
    CommandDocument {
        /// Program and arguments.
        args: Vec<String>,
        /// The same, quoted for a POSIX shell; writes the file first, where there is one.
        shell: String,
        /// A file that the command reads.
        file: Option<FileDocument>,
        /// What to know before running it.
        notes: Vec<NoteDocument>,
    }

    /// A file.
    #[derive(Debug)]
    FileDocument {
        /// Name.
        name: &'static str,
        /// Text.
        text: String,
    }

    /// Memory of every GPU.
    #[derive(Debug)]
    MemoryDocument {
        /// One entry for each.
        gpus: Vec<GpuDocument>,
    }

    /// Memory of one GPU, bytes.
    #[derive(Debug)]
    GpuDocument {
        /// Rank, from 0.
        rank: u64,
        /// Pipeline stage, from 0.
        stage: u64,
        /// Memory that the engine's share is taken of: the driver's total, or PyTorch's under vLLM.
        total_bytes: Option<u64>,
        /// That share.
        budget_bytes: Option<u64>,
        /// Weights.
        weight_bytes: Option<u64>,
        /// Activations and runtime.
        reserve_bytes: Option<u64>,
        /// Room for the cache.
        kv_bytes_available: u64,
        /// The least and the most that this room may be; null where nothing beside it is an estimate.
        kv_bytes_available_estimate: Option<RangeDocument>,
        /// Bytes of that room that the sessions take.
        kv_bytes_used: u64,
        /// What stands beside the cache; with `kv_bytes_available` it adds up to `budget_bytes` where all fits.
        parts: Vec<MemoryPartDocument>,
    }

    /// One part of a GPU's memory.
    #[derive(Debug)]
    MemoryPartDocument {
        /// `weights`, `activation`, `graphs`, `outside_torch`, `reserve` …
        name: &'static str,
        /// Bytes.
        bytes: u64,
        /// The least and the most that it may be; null where it is computed or given.
        estimate: Option<RangeDocument>,
    }

    /// The least and the most that a figure may be.
    #[derive(Debug)]
    RangeDocument {
        /// Least.
        low: u64,
        /// Most.
        high: u64,
    }

    /// What fits.
    #[derive(Debug)]
    VerdictDocument {
        /// Whether all users at `seq` fit.
        fits: Option<bool>,
        /// Most users at `seq`.
        max_users: Option<u64>,
        /// Sessions that run at once at `seq` once all of them decode.
        steady_users: Option<u64>,
        /// Longest session for `users`; null where nothing limits it.
        max_seq: Option<u64>,
        /// Fewest GPUs of this kind.
        min_gpus: Option<u64>,
        /// What limits the length of a session.
        limited_by: Option<Limit>,
        /// Sessions that run at once at most, whatever the memory; null where memory alone limits them.
        max_sessions: Option<u64>,
        /// Changes that each make it fit.
        alternatives: Vec<AlternativeDocument>,
    }

    /// Changes that together make it fit.
    #[derive(Debug)]
    AlternativeDocument {
        /// Flag of the first change.
        flag: &'static str,
        /// Its value.
        value: String,
        /// All changes.
        changes: Vec<ChangeDocument>,
        /// Most users at `seq` with them.
        max_users: u64,
    }

    /// A flag and another value for it.
    #[derive(Debug)]
    ChangeDocument {
        /// Flag, with its dashes.
        flag: &'static str,
        /// Value, as typed.
        value: String,
    }

    /// A note.
    #[derive(Debug)]
    NoteDocument {
        /// Stable code.
        code: &'static str,
        /// What it says, in the language of the output.
        text: String,
    }

    /// One engine's answer, or its refusal.
    #[derive(Debug)]
    ComparedDocument {
        /// Engine.
        id: &'static str,
        /// Its version.
        version: &'static str,
        /// One session.
        session_bytes: Option<u64>,
        /// All sessions.
        total_bytes: Option<u64>,
        /// Most users.
        max_users: Option<u64>,
        /// Why its bytes differ from the definition's.
        [absent] why: Option<String>,
        /// Why it refuses.
        [absent] error: Option<ErrorDocument>,
    }

    /// Why a question cannot be answered.
    #[derive(Debug)]
    ErrorDocument {
        /// Stable code (`docs/errors.md`).
        code: &'static str,
        /// The flag or field that it is about, where it is about one.
        subject: Option<String>,
        /// One sentence.
        message: String,
        /// The way out; null where none is known.
        hint: Option<String>,
    }

    /// A failure.
    #[derive(Debug)]
    FailureDocument {
        /// Version of the keys.
        schema: u64,
        /// Why.
        error: ErrorDocument,
    }

    /// An explanation.
    #[derive(Debug)]
    ExplainDocument<'a> {
        /// Version of the keys.
        schema: u64,
        /// The model.
        model: &'a str,
        /// Titled lists of lines.
        sections: Vec<SectionDocument<'a>>,
    }

    /// A titled list of lines, in the language of the output.
    #[derive(Debug)]
    SectionDocument<'a> {
        /// Title.
        title: &'a str,
        /// Lines.
        lines: &'a [String],
    }
}

impl ToJson for LayerKind {
    fn json(&self) -> Json {
        Json::from(self.name())
    }
}

impl ToJson for Limit {
    fn json(&self) -> Json {
        Json::from(self.name())
    }
}

/// What one row holds: `what` it is, and its shape.
impl ToJson for Content {
    fn json(&self) -> Json {
        let mut object = Map::new();
        let mut row = |what: &str, shape: &[(&str, u64)]| {
            put(&mut object, "what", Json::from(what));
            for (name, size) in shape {
                put(&mut object, name, size.json());
            }
        };
        match *self {
            Content::KeysValues { heads, k_dim, v_dim } => {
                row("keys_values", &[("heads", heads), ("k_dim", k_dim), ("v_dim", v_dim)]);
            }
            Content::Cross { heads, k_dim, v_dim } => {
                row("cross", &[("heads", heads), ("k_dim", k_dim), ("v_dim", v_dim)]);
            }
            Content::Latent { rank, rope } => row("latent", &[("rank", rank), ("rope", rope)]),
            Content::IndexKey { heads, dim } => row("index_key", &[("heads", heads), ("dim", dim)]),
            Content::State { mixer, conv, conv_dtype, recurrent, recurrent_dtype } => {
                row("state", &[]);
                put(&mut object, "mixer", Json::from(mixer));
                for (name, elements, dtype) in
                    [("conv", conv, conv_dtype), ("recurrent", recurrent, recurrent_dtype)]
                {
                    put(&mut object, &format!("{name}_elements"), elements.json());
                    put(&mut object, &format!("{name}_dtype"), Json::from(dtype.name));
                }
            }
        }
        Json::Object(object)
    }
}
