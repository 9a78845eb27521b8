//! The documents of the JSON output, as types.
//!
//! Their keys are a contract with scripts: keys may be added, none changes. Integers are bytes or counts. An
//! integer above 2⁵³ is a decimal string, because JavaScript cannot hold it exactly.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::engine::report::ReportKind;
use crate::plan::Limit;
use crate::spec::layer::LayerKind;

/// Version of the keys.
pub const SCHEMA: u64 = 1;

macro_rules! documents {
    ($($(#[$attribute:meta])* $name:ident $(<$life:lifetime>)? { $($(#[$field_attribute:meta])* $field:ident: $type:ty,)* })*) => {
        $($(#[$attribute])*
        #[derive(Debug, Serialize)]
        pub struct $name $(<$life>)? { $($(#[$field_attribute])* pub $field: $type,)* })*
    };
}

documents! {
    /// A plan.
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
        /// Every engine's answer, for `--engine all`.
        #[serde(skip_serializing_if = "Option::is_none")]
        engines: Option<Vec<ComparedDocument>>,
    }

    /// A model.
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
    OriginDocument<'a> {
        /// The figure's name.
        field: &'a str,
        /// Its value.
        value: &'a Json,
        /// The keys that it was read or computed from.
        from: &'a str,
    }

    /// Bytes by the model's definition.
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
    SlopeDocument {
        /// First token for which it holds, from 0.
        from_token: u64,
        /// Bytes of a further token, rounded up where tokens share a row.
        bytes_per_token: u64,
        /// Bytes of `per_tokens` further tokens, where tokens share a row.
        #[serde(skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Tokens that share a row.
        #[serde(skip_serializing_if = "Option::is_none")]
        per_tokens: Option<u64>,
    }

    /// Bytes with every query head cached.
    AllHeadsDocument {
        /// One token.
        bytes_per_token: u64,
        /// One session.
        session_bytes: u64,
        /// All sessions.
        total_bytes: u64,
    }

    /// A run of equal layers.
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

    /// One store of a layer.
    StoreDocument {
        /// Content of one row.
        #[serde(flatten)]
        content: ContentDocument,
        /// Tokens of a sliding window.
        #[serde(skip_serializing_if = "Option::is_none")]
        window: Option<u64>,
        /// Tokens of a chunk.
        #[serde(skip_serializing_if = "Option::is_none")]
        chunk: Option<u64>,
        /// Tokens that share a row.
        #[serde(skip_serializing_if = "Option::is_none")]
        tokens_per_row: Option<u64>,
    }

    /// What the chosen engine allocates, with the keys that only this engine has.
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
        #[serde(flatten)]
        report: &'a ReportKind,
        /// Starts the engine with these settings; null for engines that are no servers.
        command: Option<CommandDocument>,
    }

    /// A command.
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
    FileDocument {
        /// Name.
        name: &'static str,
        /// Text.
        text: String,
    }

    /// Memory of every GPU.
    MemoryDocument {
        /// One entry for each.
        gpus: Vec<GpuDocument>,
    }

    /// Memory of one GPU, bytes.
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
        /// Bytes of that room that the sessions take.
        kv_bytes_used: u64,
    }

    /// What fits.
    VerdictDocument {
        /// Whether all users at `seq` fit.
        fits: Option<bool>,
        /// Most users at `seq`.
        max_users: Option<u64>,
        /// Longest session for `users`; null where nothing limits it.
        max_seq: Option<u64>,
        /// Fewest GPUs of this kind.
        min_gpus: Option<u64>,
        /// What limits the length of a session.
        limited_by: Option<Limit>,
        /// Changes that each make it fit.
        alternatives: Vec<AlternativeDocument>,
    }

    /// Changes that make it fit when all are applied.
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
    ChangeDocument {
        /// Flag, with its dashes.
        flag: &'static str,
        /// Value, as typed.
        value: String,
    }

    /// A note.
    NoteDocument {
        /// Stable code.
        code: &'static str,
        /// What it says, in the language of the output.
        text: String,
    }

    /// One engine's answer, or its refusal.
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
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Why it refuses.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<ErrorDocument>,
    }

    /// Why a question cannot be answered.
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
    FailureDocument {
        /// Version of the keys.
        schema: u64,
        /// Why.
        error: ErrorDocument,
    }

    /// An explanation.
    ExplainDocument<'a> {
        /// Version of the keys.
        schema: u64,
        /// The model.
        model: &'a str,
        /// Titled lists of lines.
        sections: Vec<SectionDocument<'a>>,
    }

    /// A titled list of lines, in the language of the output.
    SectionDocument<'a> {
        /// Title.
        title: &'a str,
        /// Lines.
        lines: &'a [String],
    }
}

/// Content of one row of a store.
#[derive(Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum ContentDocument {
    /// A key and a value per head.
    KeysValues {
        /// Heads.
        heads: u64,
        /// Width of a key.
        k_dim: u64,
        /// Width of a value; 0 where the value is the key.
        v_dim: u64,
    },
    /// Keys and values of the encoder's output.
    Cross {
        /// Heads.
        heads: u64,
        /// Width of a key.
        k_dim: u64,
        /// Width of a value.
        v_dim: u64,
    },
    /// One latent shared by all heads.
    Latent {
        /// `kv_lora_rank`.
        rank: u64,
        /// `qk_rope_head_dim`.
        rope: u64,
    },
    /// A key of a sparse-attention indexer.
    IndexKey {
        /// Heads.
        heads: u64,
        /// Width of a key.
        dim: u64,
    },
    /// A state whose size does not depend on length.
    State {
        /// The mixer that it belongs to.
        mixer: &'static str,
        /// Elements of the convolution state.
        conv_elements: u64,
        /// Their type.
        conv_dtype: &'static str,
        /// Elements of the recurrent state.
        recurrent_elements: u64,
        /// Their type.
        recurrent_dtype: &'static str,
    },
}
