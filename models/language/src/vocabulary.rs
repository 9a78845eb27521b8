//! Every name that the program gives to a family file or reads from one.
//!
//! `docs/families.md` teaches them; tests hold the two lists equal.

/// A function of the language.
#[derive(Debug)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
}

const fn function(name: &'static str, least: usize, most: usize) -> Function {
    Function { name, least, most }
}

/// The functions, which planner-core evaluates.
pub const FUNCTIONS: &[Function] = &[
    // Modules: what their parameters are.
    function("linear", 2, 3),
    function("table", 2, 2),
    function("norm", 1, 2),
    function("param", 1, 1),
    function("buffer", 1, 1),
    function("f32", 1, 1),
    function("i64", 1, 1),
    // What a configuration says.
    function("has", 1, 1),
    function("is_list", 1, 1),
    function("at", 2, 2),
    function("len", 1, 1),
    function("count", 2, 2),
    function("index_of", 2, 2),
    function("last_index_of", 3, 3),
    function("contains_number", 2, 2),
    function("sum", 1, 1),
    // Text.
    function("prefix", 2, 2),
    function("contains", 2, 2),
    function("char_at", 2, 2),
    function("length", 1, 1),
    // Arithmetic.
    function("min", 1, usize::MAX),
    function("max", 1, usize::MAX),
    function("floor", 1, 1),
    function("ceil", 1, 1),
    function("ceil_div", 2, 2),
    function("sum_primes", 3, 3),
    // An error with this reason.
    function("refuse", 1, 1),
];

/// Names that have a meaning in every family.
pub const VARIABLES: &[&str] = &["i", "class", "model_type", "root"];

/// Words that are no names.
pub const WORDS: &[&str] = &["true", "false", "null", "and", "or", "not", "in"];

/// A definition that the program reads by its name.
#[derive(Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Whether it may differ from layer to layer, and so use `i`.
    pub by_layer: bool,
}

const fn once(name: &'static str) -> Known {
    Known { name, by_layer: false }
}

const fn by_layer(name: &'static str) -> Known {
    Known { name, by_layer: true }
}

/// The definitions that the program reads by name; any other is read by expressions alone.
pub const KNOWN: &[Known] = &[
    once("layers"),
    once("cache_layers"),
    once("layer_prefix"),
    once("hidden"),
    once("vocab"),
    once("max_position"),
    once("source_len"),
    once("tie"),
    once("note"),
    by_layer("heads"),
    by_layer("kv_heads"),
    by_layer("head_dim"),
    by_layer("v_head_dim"),
    by_layer("window"),
];

/// Parts that parameters are counted under.
pub const PARTS: &[&str] = &[
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

/// A kind of cache rule.
#[derive(Debug)]
pub struct CacheKind {
    /// Its name.
    pub name: &'static str,
    /// Fields that it must have.
    pub needs: &'static [&'static str],
    /// Fields that it may have: extents, dtypes, and dimensions that engines ask for.
    pub may_have: &'static [&'static str],
}

/// What a layer may store.
pub const CACHE_KINDS: &[CacheKind] = &[
    CacheKind {
        name: "keys_values",
        needs: &["heads", "k", "v"],
        may_have: &["window", "chunk", "owner", "query_heads", "tokens_per_state", "decode_window"],
    },
    CacheKind {
        name: "latent",
        needs: &["rank", "rope"],
        may_have: &[
            "window",
            "owner",
            "query_heads",
            "tokens_per_state",
            "expanded_k",
            "expanded_v",
            "pending",
            "overlap",
        ],
    },
    CacheKind {
        name: "index_key",
        needs: &["dim"],
        may_have: &["heads", "tokens_per_state", "pending", "overlap", "element_bytes"],
    },
    CacheKind {
        name: "state",
        needs: &["mixer"],
        may_have: &[
            "conv",
            "conv_dtype",
            "recurrent",
            "recurrent_dtype",
            "conv_kernel",
            "conv_dim",
            "heads",
            "head_dim",
            "state",
            "groups",
            "inner",
            "dt_rank",
            "kv_heads",
            "k_heads",
            "v_heads",
            "k_dim",
            "v_dim",
            "streams",
        ],
    },
    CacheKind { name: "cross", needs: &["heads", "k", "v"], may_have: &["query_heads"] },
];

/// Fields of every cache rule.
pub const CACHE_FIELDS: &[&str] = &["when", "only", "except"];

/// What a `state` belongs to, by the names of vLLM and transformers.
pub const MIXERS: &[&str] = &[
    "mamba1",
    "mamba2",
    "gated_delta",
    "kda",
    "lightning",
    "short_conv",
    "rg_lru",
    "rwkv",
    "xlstm",
    "cca",
    "ple_conv",
    "prompt",
];
