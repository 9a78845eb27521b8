//! SGLang 0.5.23: rows of a token pool, with pools of their own for window layers and states.
//!
//! Read in the 0.5.23 wheel, not run: `model_executor/pool_configurator.py`
//! (`DefaultPoolConfigurator`, `HybridSWAPoolConfigurator`), `mem_cache/kv_cache_configurator.py`
//! (`calculate_mla_kv_cache_dim`, `_handle_max_mamba_cache`), `mem_cache/memory_pool.py`. In short:
//!
//! - A token costs its row in every full layer: `max(1, kv_heads // tp) × (head_dim + v_head_dim)`, or
//!   `kv_lora_rank + qk_rope_head_dim` for MLA on every rank; sparse MLA in fp8 is stored scaled (656 B),
//!   and its index key is 128 B and a 4 B scale on the layers that have an indexer.
//! - Models with window layers keep a second pool of 0.8 × the tokens of the first; the memory is
//!   divided so that both fill it.
//! - States get 0.9 / 1.9 of the memory and three slots a running request (radix cache on), one without.
//! - Tokens are rounded down to the page, which is 1 unless `--block-size` says otherwise.

use serde_json::{Map, Value as Json, json};

use super::architecture::kv_dtypes;
use super::command::Command;
use super::{Details, Engine, Layout, Run};
use crate::dtype::DType;
use crate::error::{Error, Result};
use crate::parallel::stage_slices;
use crate::render::json::integer;
use crate::spec::layer::{Content, Extent, Store};
use crate::spec::model::Note;
use crate::units::{Ratio, product, sum};

/// `swa_full_tokens_ratio`: tokens of the window pool per token of the full pool, 8 / 10.
const SWA_RATIO: (u64, u64) = (8, 10);
/// `mamba_full_memory_ratio` 0.9: states get 9 parts of 19, tokens 10.
const STATE_PARTS: (u64, u64, u64) = (9, 10, 19);
/// `MAMBA_CACHE_SIZE_MAX_RUNNING_REQUESTS_RATIO`.
const STATE_SLOTS: u64 = 3;
/// Index key of a sparse MLA layer: 128 fp8 elements and one f32 scale.
const INDEX_SCALE_BLOCK: u64 = 128;

/// SGLang's rule.
#[derive(Debug)]
pub struct Sglang;

impl Engine for Sglang {
    fn id(&self) -> &'static str {
        "sglang"
    }

    fn versions(&self) -> &'static [&'static str] {
        &["0.5.23"]
    }

    fn default_utilization(&self) -> Ratio {
        // `mem_fraction_static` is computed from the GPU and the prefill size (`arg_groups/memory_hook.py`);
        // 0.88 is what it gives for an 80 GB card (10 GiB reserved).
        Ratio { numerator: 88, denominator: 100 }
    }

    /// Names of `arg_groups/fields/`, from which `server_args.py` makes the parser.
    fn command(&self, run: &Run<'_>) -> Option<Command> {
        let request = run.request;
        let mut command = Command::serving(&["python", "-m", "sglang.launch_server", "--model-path"], run);
        command.size("--tp-size", run.parallel.tp);
        command.size("--pp-size", run.parallel.pp);
        command.size("--dp-size", run.parallel.dp);
        command.length("--context-length", run, run.model.max_position);
        let kv_dtype = request.kv_dtype.as_deref().and_then(DType::from_name);
        command.given(
            "--kv-cache-dtype",
            kv_dtype.map(|dtype| match dtype {
                DType::FP8 => "fp8_e4m3",
                DType::BF16 => "bf16",
                _ => "auto",
            }),
        );
        if request.kv_memory.is_none() && request.gpu.is_some() {
            // the engine would compute a share of its own from the GPU
            let share = request.memory_utilization.unwrap_or_else(|| self.default_utilization());
            command.flag("--mem-fraction-static", share);
        }
        command.given("--page-size", request.block_size);
        command.given("--max-running-requests", request.max_num_seqs);
        command.given("--chunked-prefill-size", request.max_num_batched_tokens);
        command.given("--attention-backend", request.attention_backend.as_ref());
        if request.prefix_caching == Some(false) {
            command.switch("--disable-radix-cache");
        }
        if request.async_scheduling == Some(false) {
            command.switch("--disable-overlap-schedule");
        }
        const SAID: &[&str] = &[
            "pp",
            "dp",
            "kv-dtype",
            "memory-utilization",
            "block-size",
            "max-num-seqs",
            "max-num-batched-tokens",
            "attention-backend",
            "prefix-caching",
            "async-scheduling",
        ];
        Some(command.without(run, SAID))
    }

    fn layout<'a>(&self, run: Run<'a>) -> Result<Box<dyn Layout + 'a>> {
        Ok(Box::new(Pools::new(run)?))
    }
}

/// Bytes on one GPU of one pipeline stage.
#[derive(Debug, Clone, Copy, Default)]
struct Stage {
    /// One token in the full layers.
    full: u64,
    /// One token in the window layers.
    window: u64,
    /// One request's states.
    state: u64,
}

struct Pools {
    stages: Vec<Stage>,
    /// Copies of a stage's pools over the tensor-parallel group.
    tp: u64,
    /// Longest window, where window layers exist.
    window: Option<u64>,
    page: u64,
    slots: u64,
    tokens: u64,
    max_model_len: u64,
}

impl Pools {
    fn new(run: Run<'_>) -> Result<Self> {
        let request = run.request;
        let (tp, dcp) = (run.parallel.tp, run.parallel.dcp);
        if dcp > 1 {
            return Err(Error::unsupported(
                "--dcp with sglang",
                "its decode-context pools are not covered; leave --dcp out",
            ));
        }
        let (k, v) = kv_dtypes(request, run.model.dtype)?;
        if k != v || ![DType::BF16, DType::F16, DType::F32, DType::FP8].contains(&k) {
            return Err(Error::bad_value(
                "--kv-dtype",
                k.name,
                "auto, bf16 or fp8 (what this planner covers of SGLang's types), the same for keys and values",
            ));
        }
        let mut stages_bytes = Vec::new();
        let mut window: Option<u64> = None;
        for own in stage_slices(&run.model.layers, run.parallel.pp) {
            let mut stage = Stage::default();
            for layer in own {
                let sparse =
                    layer.stores.iter().any(|store| matches!(store.content, Content::IndexKey { .. }));
                for store in layer.stores.iter().filter(|store| store.is_kept_by("sglang")) {
                    add(&mut stage, &mut window, store, k, tp, sparse)?;
                }
            }
            stages_bytes.push(stage);
        }
        let prefix_caching = request.prefix_caching.unwrap_or(true);
        Ok(Self {
            stages: stages_bytes,
            tp,
            window,
            page: request.block_size.unwrap_or(1),
            slots: if prefix_caching { STATE_SLOTS } else { 1 },
            tokens: run.tokens,
            max_model_len: request.max_model_len.unwrap_or(run.tokens),
        })
    }

    fn pages(&self, tokens: u64) -> Result<u64> {
        product("rows of a session", &[tokens.div_ceil(self.page), self.page])
    }

    /// Rows a session holds in the full and in the window pool.
    fn rows(&self, tokens: u64) -> Result<(u64, u64)> {
        let full = self.pages(tokens)?;
        // Past the window a page is freed only when all of it is out of reach.
        let window = self
            .window
            .map_or(Ok(0), |window| Ok(full.min(self.pages(window)?.saturating_add(self.page))))?;
        Ok((full, window))
    }

    /// Memory out of which a stage gives that many rows and slots.
    fn needed(&self, stage: Stage, users: u64, tokens: u64) -> Result<u64> {
        let (full, window) = self.rows(tokens)?;
        let full = product("rows", &[full, users])?;
        let window = product("rows", &[window, users])?;
        let by_window = product("rows", &[window, SWA_RATIO.1])?.div_ceil(SWA_RATIO.0);
        let token_bytes = if stage.window == 0 {
            product("bytes of the pool", &[full, stage.full])?
        } else if stage.full == 0 {
            product("bytes of the pool", &[window, stage.window])?
        } else {
            let rows = full.max(by_window);
            let shared =
                product("bytes of the pool", &[rows, SWA_RATIO.0, stage.window])?.div_ceil(SWA_RATIO.1);
            sum("bytes of the pool", [product("bytes of the pool", &[rows, stage.full])?, shared])?
        };
        if stage.state == 0 {
            return Ok(token_bytes);
        }
        let slots = sum("slots", [product("slots", &[users, self.slots])?, 1])?;
        let (state_parts, token_parts, all_parts) = STATE_PARTS;
        let for_states =
            product("bytes of the states", &[slots, stage.state, all_parts])?.div_ceil(state_parts);
        let for_tokens = product("bytes of the pool", &[token_bytes, all_parts])?.div_ceil(token_parts);
        Ok(for_states.max(for_tokens))
    }

    /// `max_total_num_tokens` of a stage.
    fn capacity(&self, stage: Stage, available: u64) -> u64 {
        let mut room = u128::from(available);
        if stage.state > 0 {
            let slot = u128::from(stage.state);
            let share = room * u128::from(STATE_PARTS.0) / u128::from(STATE_PARTS.2);
            room -= share / slot * slot;
        }
        // In tenths of a byte, since a token of the full pool brings 0.8 of one in the window pool.
        let cell = match (stage.full, stage.window) {
            (0, window) => u128::from(window) * 10,
            (full, window) => u128::from(full) * 10 + u128::from(window) * u128::from(SWA_RATIO.0),
        };
        let tokens = (room * 10).checked_div(cell).unwrap_or(u128::from(self.max_model_len));
        let page = u128::from(self.page);
        u64::try_from(tokens / page * page).unwrap_or(u64::MAX)
    }

    fn sum_of(&self, bytes: impl Fn(Stage) -> Result<u64>) -> Result<u64> {
        let each: Result<Vec<u64>> = self.stages.iter().map(|stage| bytes(*stage)).collect();
        product("bytes of all GPUs", &[sum("bytes of all stages", each?)?, self.tp])
    }
}

/// Adds what one store costs on a GPU.
fn add(
    stage: &mut Stage,
    window: &mut Option<u64>,
    store: &Store,
    dtype: DType,
    tp: u64,
    sparse: bool,
) -> Result<()> {
    if store.tokens_per_row > 1 {
        return Err(Error::unsupported(
            "a compressed cache under sglang",
            "its pools are not covered; --engine vllm is",
        ));
    }
    let heads_here = |heads: u64| (heads / tp).max(1);
    let (row, in_window) = match (store.content, store.extent) {
        (Content::KeysValues { heads, k_dim, v_dim }, extent) => {
            let row =
                product("bytes of a row", &[heads_here(heads), sum("width", [k_dim, v_dim])?, dtype.bytes])?;
            (
                row,
                match extent {
                    Extent::Window(n) | Extent::Chunk(n) => Some(n),
                    _ => None,
                },
            )
        }
        (Content::Latent { rank, rope }, extent) => {
            let row = if sparse && dtype == DType::FP8 {
                sum("bytes of a row", [rank, rank / INDEX_SCALE_BLOCK * 4, rope * 2])?
            } else {
                product("bytes of a row", &[sum("width", [rank, rope])?, dtype.bytes])?
            };
            (row, if let Extent::Window(n) = extent { Some(n) } else { None })
        }
        (Content::IndexKey { heads, dim }, _) => {
            (product("bytes of a row", &[heads, dim + dim / INDEX_SCALE_BLOCK * 4])?, None)
        }
        (Content::State { conv, recurrent, recurrent_dtype, conv_dtype, .. }, _) => {
            let bytes = sum(
                "bytes of a state",
                [
                    conv_dtype.row_bytes(conv.div_ceil(tp))?,
                    recurrent_dtype.row_bytes(recurrent.div_ceil(tp))?,
                ],
            )?;
            stage.state = sum("bytes of a state", [stage.state, bytes])?;
            return Ok(());
        }
        (Content::Cross { .. }, _) => {
            return Err(Error::unsupported(
                "cross-attention under sglang",
                "its encoder cache is not covered; --engine transformers is",
            ));
        }
    };
    match in_window {
        Some(n) => {
            *window = Some(window.map_or(n, |longest| longest.max(n)));
            stage.window = sum("bytes of a row", [stage.window, row])?;
        }
        None => stage.full = sum("bytes of a row", [stage.full, row])?,
    }
    Ok(())
}

impl Layout for Pools {
    fn session_bytes(&self, tokens: u64) -> Result<u64> {
        let (full, window) = self.rows(tokens)?;
        self.sum_of(|stage| {
            sum(
                "bytes of a session",
                [
                    product("bytes of a session", &[full, stage.full])?,
                    product("bytes of a session", &[window, stage.window])?,
                    product("bytes of a session", &[stage.state, self.slots])?,
                ],
            )
        })
    }

    fn stage_bytes(&self, users: u64, tokens: u64) -> Result<Vec<u64>> {
        self.stages.iter().map(|stage| self.needed(*stage, users, tokens)).collect()
    }

    fn floor_bytes(&self) -> Result<u64> {
        self.sum_of(|stage| product("bytes of the states", &[stage.state, self.slots]))
    }

    fn details(&self, available: Option<&[u64]>) -> Result<Details> {
        let mut keys = Map::new();
        keys.insert("block_size".into(), integer(self.page));
        let tokens = available.map(|available| {
            let capacities =
                self.stages.iter().zip(available).map(|(stage, room)| self.capacity(*stage, *room));
            capacities.min().unwrap_or(0)
        });
        keys.insert("num_blocks".into(), tokens.map_or(Json::Null, |tokens| integer(tokens / self.page)));
        keys.insert("kv_cache_tokens".into(), tokens.map_or(Json::Null, integer));
        let concurrency = tokens.map(|tokens| tokens as f64 / self.max_model_len.max(1) as f64);
        keys.insert("max_concurrency".into(), json!(concurrency));
        let (full, window) = self.rows(self.tokens)?;
        let first = self.stages.first().copied().unwrap_or_default();
        let pools = [
            ("full", first.full, full),
            ("window", first.window, window),
            ("state", first.state, self.slots),
        ];
        let groups: Vec<Json> = pools
            .iter()
            .filter(|(_, bytes, _)| *bytes > 0)
            .map(|(kind, bytes, rows)| json!({ "kind": kind, "row_bytes": integer(*bytes), "rows_per_session": integer(*rows) }))
            .collect();
        keys.insert("groups".into(), Json::Array(groups));
        keys.insert("min_prefix_hit_tokens".into(), integer(self.page));
        let notes = vec![
            Note::new(
                "engine_not_run",
                "sglang 0.5.23: the rule was read in its source, not compared with a running engine",
            )
            .with(&[&"sglang 0.5.23"]),
        ];
        Ok(Details { keys, notes })
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::plan;
    use crate::request::Request;
    use crate::source::from_config_json;

    /// By hand: 32 layers × 8 heads × (128 + 128) × 2 B = 131,072 B a token; 10 GiB hold 81,920.
    #[test]
    fn llama_3_1_8b_gets_one_row_a_token() {
        let config = r#"{"model_type":"llama","architectures":["LlamaForCausalLM"],"dtype":"bfloat16","hidden_size":4096,
            "intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"vocab_size":128256}"#;
        let model = from_config_json(config, true).unwrap();
        let mut request = Request::default();
        for (flag, value) in [("engine", "sglang"), ("kv-memory", "10GiB"), ("seq", "8192")] {
            request.set(flag, value).unwrap();
        }
        let plan = plan(&model, &request).unwrap();
        assert_eq!(plan.engine.details.keys["kv_cache_tokens"], 81_920);
        assert_eq!(plan.engine.session_bytes, 8192 * 131_072);
        assert_eq!(plan.verdict.unwrap().max_users, 10);
    }
}
