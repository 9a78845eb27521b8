//! From GGUF metadata to a [`Hparams`]: `llama_model_base::load_hparams` of `src/llama-model.cpp` and
//! `load_arch_hparams` of `src/models/*.cpp` (`0c1e57098`).

use std::cell::RefCell;

use serde_json::{Map, Value as Json};

use super::architectures::{self, Recurrent, Window};
use super::hparams::{Hparams, Indexer, LayerHparams, MAX_LAYERS};
use crate::error::{Code, Error, Result};

/// The metadata of one file. Keys are given without the architecture's prefix.
pub struct Metadata<'a> {
    map: &'a Map<String, Json>,
    arch: &'a str,
    /// The first key that was read as a number and is none.
    wrong: RefCell<Option<Error>>,
}

/// llama.cpp's loader refuses the metadata, in its own words.
pub fn refused(words: impl AsRef<str>) -> Error {
    Error::quoted(Code::GgufRefused, words).told_by("llama.cpp", super::VERSION)
}

impl<'a> Metadata<'a> {
    /// Reads the metadata; `None` where it is not GGUF metadata.
    pub fn of(map: &'a Map<String, Json>) -> Option<Self> {
        let arch = map.get("general.architecture")?.as_str()?;
        Some(Self { map, arch, wrong: RefCell::new(None) })
    }

    fn value(&self, key: &str) -> Option<&'a Json> {
        self.map.get(&format!("{}.{key}", self.arch))
    }

    /// A key that holds a whole number. One of another type is refused at the end of [`Metadata::shape`]
    /// (`GGUFMeta::GKV::get_kv`).
    pub fn number(&self, key: &str) -> Option<u64> {
        let value = self.value(key)?;
        let name = match value {
            Json::Number(number) if number.is_u64() => return number.as_u64(),
            Json::Number(number) if number.is_i64() => "i32",
            Json::Number(_) | Json::Null => "f32",
            Json::Bool(_) => "bool",
            Json::String(_) => "str",
            Json::Object(long) if long.contains_key("string_bytes") => "str",
            Json::Array(_) | Json::Object(_) => "arr",
        };
        let words = format!("key {}.{key} has wrong type {name} but expected type u32", self.arch);
        self.wrong.borrow_mut().get_or_insert_with(|| refused(words));
        None
    }

    /// The same for a list that needs a number for every layer (`llama_model_loader::get_key_or_arr`).
    fn each_layer(&self, key: &str, count: usize) -> Result<Option<Vec<u64>>> {
        match self.value(key) {
            Some(Json::Array(list)) if list.len() != count => Err(refused(format!(
                "key {}.{key} has wrong array length; expected {count}, got {}",
                self.arch,
                list.len()
            ))),
            _ => self.per_layer(key, count),
        }
    }

    fn need(&self, key: &str) -> Result<u64> {
        if let Some(number) = self.number(key) {
            return Ok(number);
        }
        let wrong = self.wrong.borrow().clone();
        Err(wrong
            .filter(|_| self.value(key).is_some())
            .unwrap_or_else(|| Error::missing(format!("{}.{key}", self.arch), words!("the GGUF metadata"))))
    }

    /// A number for each of `count` layers: one for all, or a list. Layers beyond the list's end have 0.
    fn per_layer(&self, key: &str, count: usize) -> Result<Option<Vec<u64>>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let number = |value: &Json| match value {
            Json::Bool(yes) => Some(u64::from(*yes)),
            // a per-layer list may be signed
            value => value.as_u64().or_else(|| value.as_i64().map(|_| 0)),
        };
        let bad = |got: &Json| {
            Error::bad_value(
                format!("{}.{key}", self.arch),
                got,
                words!("a number, or a list of one for each layer"),
            )
        };
        match value {
            Json::Array(list) => {
                let mut list: Vec<u64> =
                    list.iter().map(|item| number(item).ok_or_else(|| bad(item))).collect::<Result<_>>()?;
                list.resize(count, 0);
                Ok(Some(list))
            }
            // a list that was too long to keep cannot be one of layers
            Json::Object(_) => Err(bad(value)),
            value => Ok(Some(vec![number(value).ok_or_else(|| bad(value))?; count])),
        }
    }

    /// The hyper-parameters of the model.
    pub fn shape(&self) -> Result<Hparams> {
        let all = self.need("block_count")?;
        let next = self.number("nextn_predict_layers").unwrap_or(0);
        if all == 0 || all > MAX_LAYERS || next > all {
            return Err(Error::bad_value(
                format!("{}.block_count", self.arch),
                all,
                say!("from 1 to {0}, prediction layers included", MAX_LAYERS),
            ));
        }
        let count = all as usize;
        let mut shape = Hparams {
            arch: self.arch.to_owned(),
            trained: self.number("context_length").filter(|&length| length > 0),
            causal: self.value("attention.causal").and_then(Json::as_bool).unwrap_or(true),
            window: None,
            trunk: (all - next) as usize,
            layers: self.heads(count)?,
            // is_mla() asserts that the width of values is there too
            mla: self.number("attention.key_length_mla").unwrap_or(0) > 0,
            indexer: None,
            state: 0,
            extra_state: 0,
        };
        self.window(&mut shape)?;
        self.repeat(&mut shape)?;
        self.recurrent(&mut shape)?;
        self.owners(&mut shape);
        self.indexer(&mut shape)?;
        self.check(&shape)?;
        Ok(shape)
    }

    /// What the loader or its assertions refuse (`llama_hparams::is_mla`, `check_tensor_dims`).
    fn check(&self, shape: &Hparams) -> Result<()> {
        let [k, v] = ["attention.key_length_mla", "attention.value_length_mla"];
        let is_set = |key| self.number(key).unwrap_or(0) > 0;
        if is_set(k) != is_set(v) {
            let (given, other) = if is_set(k) { (k, v) } else { (v, k) };
            return Err(Error::refused(
                Code::GgufRefused,
                say!(
                    "{0} is given without {1}",
                    format!("{}.{given}", self.arch),
                    format!("{}.{other}", self.arch)
                ),
            ));
        }
        let empty = |layer: &&LayerHparams| layer.cached && layer.heads > 0 && layer.k == 0;
        if shape.layers.iter().any(|layer| empty(&layer)) {
            return Err(Error::refused(
                Code::GgufRefused,
                say!("{0} has KV heads of width 0", format!("{}.attention.head_count_kv", self.arch)),
            ));
        }
        self.wrong.borrow().clone().map_or(Ok(()), Err)
    }

    /// Inner states of a token: those of the widest dense layer, or of all experts that it uses.
    ///
    /// # Errors
    /// A width that is no whole number.
    pub fn inner_size(&self) -> Result<u64> {
        let layers = usize::try_from(self.need("block_count")?.min(MAX_LAYERS)).unwrap_or(0);
        let dense = self.per_layer("feed_forward_length", layers)?.into_iter().flatten().max().unwrap_or(0);
        let number = |key: &str| self.number(key).unwrap_or(0);
        let each = self.number("expert_feed_forward_length").unwrap_or(dense);
        let routed = number("expert_used_count").saturating_mul(each);
        Ok(dense.max(routed.saturating_add(number("expert_shared_feed_forward_length"))))
    }

    /// Heads and widths of every layer, window layers not yet considered.
    fn heads(&self, count: usize) -> Result<Vec<LayerHparams>> {
        let query = self.each_layer("attention.head_count", count)?.unwrap_or_else(|| vec![0; count]);
        let kv = self.each_layer("attention.head_count_kv", count)?.unwrap_or_else(|| query.clone());
        let first = query.first().copied().unwrap_or(0);
        let default = match first {
            0 => 0,
            heads => self.need("embedding_length")? / heads,
        };
        // without attention heads PLaMo 2 alone reads the widths
        let width = |key: &str| match first {
            0 if self.arch != "plamo2" => 0,
            _ => self.number(key).unwrap_or(default),
        };
        let (k, v) = (width("attention.key_length"), width("attention.value_length"));
        // the loader sets the width of values to the latent's
        let v = match self.arch {
            "kimi-k3" | "glm5-next" => self.need("attention.kv_lora_rank")?,
            _ => v,
        };
        let layer = |(&query_heads, &heads): (&u64, &u64)| LayerHparams {
            heads,
            k,
            v,
            query_heads,
            cached: true,
            ..Default::default()
        };
        Ok(query.iter().zip(&kv).map(layer).collect())
    }

    fn window(&self, shape: &mut Hparams) -> Result<()> {
        let trunk = shape.trunk;
        let rule = architectures::window(self.arch, trunk as u64);
        if rule == Window::Never {
            return Ok(());
        }
        let key = self.number("attention.sliding_window");
        let listed = match self.value("attention.sliding_window_pattern") {
            Some(Json::Array(_)) => self.per_layer("attention.sliding_window_pattern", shape.layers.len())?,
            _ => None,
        };
        let by_period = |every: u64, full_first: bool| -> Vec<u64> {
            let every = self.number("attention.sliding_window_pattern").unwrap_or(every);
            (0..trunk as u64).map(|i| u64::from(slides(i, every, full_first))).collect()
        };
        let (length, slides) = match rule {
            Window::Never => return Ok(()),
            Window::Pattern { every, full_first, length } => {
                (key.unwrap_or(length), listed.unwrap_or_else(|| by_period(every, full_first)))
            }
            Window::Fixed { every, full_first, length, without_key } => {
                let has = key.map_or(without_key, |key| key > 0);
                (if has { length } else { 0 }, listed.unwrap_or_else(|| by_period(every, full_first)))
            }
            Window::Listed => (
                self.need("attention.sliding_window")?,
                listed.ok_or_else(|| {
                    let field = format!("{}.attention.sliding_window_pattern", self.arch);
                    Error::missing(field, words!("the GGUF metadata"))
                })?,
            ),
            Window::All => (self.need("attention.sliding_window")?, vec![1; shape.layers.len()]),
            Window::Attention => (key.unwrap_or(0), vec![1; shape.layers.len()]),
        };
        // K-EXAONE and others write a length of 0 for no window
        if length == 0 {
            return Ok(());
        }
        shape.window = Some(length);
        let (k, v) = (self.number("attention.key_length_swa"), self.number("attention.value_length_swa"));
        for (layer, slides) in shape.layers.iter_mut().zip(slides) {
            if slides > 0 {
                layer.sliding = true;
                (layer.k, layer.v) = (k.unwrap_or(layer.k), v.unwrap_or(layer.v));
            }
        }
        Ok(())
    }

    /// Layers that run and are cached several times, and layers that the loader adds.
    fn repeat(&self, shape: &mut Hparams) -> Result<()> {
        match self.arch {
            "nanbeige" => {
                let loops = self.number("num_loops").unwrap_or(1).max(1);
                let once = shape.layers.clone();
                if (once.len() as u64).saturating_mul(loops) > MAX_LAYERS {
                    return Err(Error::bad_value(
                        "nanbeige.num_loops",
                        loops,
                        say!("at most {0} layers in all", MAX_LAYERS),
                    ));
                }
                shape.layers = (0..loops).flat_map(|_| once.iter().copied()).collect();
                shape.trunk = shape.layers.len();
            }
            "graniteswitch" => {
                // one more layer with one head routes to the adapters
                let widths = shape.layers.last().copied().unwrap_or_default();
                shape.layers.push(LayerHparams { heads: 1, query_heads: 1, ..widths });
                shape.trunk = shape.layers.len();
            }
            _ => {}
        }
        Ok(())
    }

    fn recurrent(&self, shape: &mut Hparams) -> Result<()> {
        let count = shape.layers.len();
        let ff = self.per_layer("feed_forward_length", count)?.unwrap_or_else(|| vec![0; count]);
        let usual = if self.arch == "minimax-01" { 8 } else { 4 };
        let interval = match self.number("full_attention_interval").unwrap_or(usual) {
            0 => return Err(Error::bad_value("full_attention_interval", 0, words!("at least 1"))),
            interval => interval,
        };
        let listed = self.per_layer("attention.recurrent_layers", count)?;
        let rule = architectures::recurrent(self.arch);
        for (i, layer) in shape.layers.iter_mut().enumerate() {
            let trunk = i < shape.trunk;
            let plain = ff.get(i).is_none_or(|&width| width == 0);
            match rule {
                Recurrent::Never => {}
                Recurrent::Only => (layer.recurrent, layer.cached) = (trunk, false),
                Recurrent::Beside => layer.recurrent = trunk,
                Recurrent::HeadlessLayers => {
                    (layer.recurrent, layer.cached) = (layer.heads == 0 && trunk, layer.heads > 0);
                }
                Recurrent::HeadlessMixers => {
                    layer.recurrent = trunk && plain && layer.heads == 0;
                    layer.cached = plain && !layer.recurrent;
                }
                Recurrent::Interval => {
                    let recurrent = match &listed {
                        Some(listed) => listed.get(i).is_some_and(|&yes| yes > 0),
                        None => !(i as u64 + 1).is_multiple_of(interval),
                    };
                    (layer.recurrent, layer.cached) = (trunk && recurrent, trunk && !recurrent);
                }
            }
        }
        if rule != Recurrent::Never {
            shape.state = self.state()?;
            self.extra_state(shape)?;
        }
        Ok(())
    }

    /// `n_embd_r + n_embd_s` of `src/llama-hparams.cpp`.
    fn state(&self) -> Result<u64> {
        let or_zero = |key: &str| self.number(key).unwrap_or(0);
        let hidden = self.need("embedding_length")?;
        let heads = self.per_layer("attention.head_count", 1)?.and_then(|heads| heads.first().copied());
        let heads = heads.unwrap_or(0);
        let terms = |terms: &[&[u64]]| {
            let products =
                terms.iter().map(|factors| crate::units::product(words!("elements of a state"), factors));
            crate::units::sum(words!("elements of a state"), products.collect::<Result<Vec<_>>>()?)
        };
        let wkv = or_zero("wkv.head_size");
        if wkv > 0 {
            let shifts = self.number("token_shift_count").unwrap_or(2);
            return terms(&[&[shifts, hidden], &[hidden, wkv]]);
        }
        let taps = or_zero("ssm.conv_kernel").saturating_sub(1);
        let kda = or_zero("kda.head_dim");
        let (state, inner) = (or_zero("ssm.state_size"), or_zero("ssm.inner_size"));
        let short = or_zero("shortconv.l_cache");
        // Mamba 1 has no groups; its loaders read none
        let groups = if matches!(self.arch, "mamba" | "jamba") { 0 } else { or_zero("ssm.group_count") };
        let convolution = terms(&[&[taps, inner], &[taps, 2, groups, state]])?;
        let convolution = match (short, kda) {
            (1.., _) => terms(&[&[hidden, short - 1]])?,
            (_, 1..) => terms(&[&[3, taps, heads, kda]])?,
            _ => convolution,
        };
        let recurrent = match (kda, self.arch) {
            (1.., _) => terms(&[&[kda, kda, heads]])?,
            (_, "minimax-01") => {
                let width = self.number("attention.key_length").unwrap_or(hidden / heads.max(1));
                terms(&[&[width, width, heads]])?
            }
            _ => terms(&[&[state, inner]])?,
        };
        terms(&[&[convolution], &[recurrent]])
    }

    /// The per-layer-embedding convolution of Qwen4-exp (`ple_conv_state`).
    fn extra_state(&self, shape: &mut Hparams) -> Result<()> {
        let Some(Json::Array(layers)) = self.value("ple.layers") else { return Ok(()) };
        let taps = self.need("ple.conv_kernel")?.saturating_sub(1);
        let ngram = self.need("ple.ngram_size")?;
        let streams = self.need("hyper_connection.count")?;
        let factors = [taps, ngram, streams, self.need("embedding_length")?];
        shape.extra_state = crate::units::product(words!("elements of a state"), &factors)?;
        for index in layers.iter().filter_map(Json::as_u64) {
            if let Some(layer) = shape.layers.get_mut(index as usize) {
                layer.extra = true;
            }
        }
        Ok(())
    }

    /// Marks layers without a cache of their own: prediction layers, and layers that read another layer's
    /// cache.
    fn owners(&self, shape: &mut Hparams) {
        let shared = self.number("attention.shared_kv_layers").unwrap_or(0);
        let owners = architectures::owners(self.arch, shape.layers.len() as u64, shared) as usize;
        // the caches of these architectures take prediction layers too, as do those of files with no other
        // layers
        let keeps_all =
            shape.trunk == 0 || matches!(self.arch, "minimax-m3" | "hy_v4" | "deepseek4" | "graniteswitch");
        let hybrid = self.arch != "glm5-next"
            && !matches!(architectures::recurrent(self.arch), Recurrent::Never | Recurrent::Interval);
        for (i, layer) in shape.layers.iter_mut().enumerate() {
            let filtered = i >= shape.trunk && !keeps_all && !hybrid;
            layer.cached &= i < owners && !filtered;
        }
    }

    fn indexer(&self, shape: &mut Hparams) -> Result<()> {
        let arch = self.arch;
        let count = shape.layers.len();
        if arch == "deepseek4" {
            let ratios =
                self.per_layer("attention.compress_ratios", count)?.unwrap_or_else(|| vec![0; count]);
            for (layer, ratio) in shape.layers.iter_mut().zip(ratios) {
                layer.compress = ratio;
            }
            shape.indexer = Some(Indexer { k: self.need("attention.indexer.key_length")?, values: false });
            return Ok(());
        }
        let known = matches!(
            arch,
            "deepseek32" | "glm-dsa" | "hy_v4" | "dots3note" | "minimax-m3" | "glm5-next" | "qwen4exp"
        );
        if !known || (arch == "hy_v4" && self.number("attention.indexer.top_k").unwrap_or(0) == 0) {
            return Ok(());
        }
        let width = self.need("attention.indexer.key_length")?;
        // glm5-next caches a key, a gate and a pooled key for every token
        let k = if arch == "glm5-next" { width.saturating_mul(3) } else { width };
        shape.indexer = Some(Indexer { k, values: arch == "minimax-m3" });
        let listed = self.per_layer("attention.indexer.types", count)?;
        let lead = self.number("leading_dense_block_count").unwrap_or(0);
        let long = shape.trained.unwrap_or(0) >= 1 << 20;
        for (i, layer) in shape.layers.iter_mut().enumerate() {
            let is_listed = |default: bool| match &listed {
                Some(listed) => listed.get(i).is_some_and(|&yes| yes > 0),
                None => default,
            };
            layer.indexed = match arch {
                "minimax-m3" => i as u64 >= lead,
                "deepseek32" | "qwen4exp" => layer.cached,
                // glm-dsa.cpp recognises GLM-5.2 by its context: two full layers, then one in four
                "glm-dsa" => layer.cached && is_listed(!long || matches!(i, 0 | 1) || i % 4 == 2),
                "glm5-next" => layer.cached && is_listed(true),
                _ => layer.cached && is_listed(false),
            };
        }
        Ok(())
    }
}

/// `set_swa_pattern`: whether layer `i` is a window layer.
pub fn slides(i: u64, every: u64, full_first: bool) -> bool {
    match every {
        0 => true,
        every if full_first => !i.is_multiple_of(every),
        every => i % every < every - 1,
    }
}
