//! Which modules each `quant_method` quantizes, and in which scheme.

use serde_json::{Map, Value as Json};

use super::Storage;
use super::names::{Patterns, canonical};
use super::scheme::Scheme;
use crate::error::{Code, Error, Result};
use crate::text::Words;

/// The known methods.
const KNOWN: Words = words!(
    "those whose bytes are known are fp8, fbgemm_fp8, awq, gptq, mxfp4, bitsandbytes, compressed-tensors, modelopt and MLX's, whose files name none"
);

/// The way out of every refusal here.
pub(super) const ONE_DTYPE: Words = words!("--weight-dtype counts every parameter in one dtype");

fn text<'a>(config: &'a Map<String, Json>, key: &str) -> &'a str {
    config.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn flag(config: &Map<String, Json>, key: &str) -> bool {
    config.get(key).and_then(Json::as_bool).unwrap_or(false)
}

/// The strings of lists, however deep.
fn strings<'a>(config: &'a Map<String, Json>, keys: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut open: Vec<&Json> = keys.iter().filter_map(|key| config.get(*key)).collect();
    while let Some(item) = open.pop() {
        match item {
            Json::Array(items) => open.extend(items),
            Json::String(text) => found.push(text.as_str()),
            _ => {}
        }
    }
    found
}

/// Whether a list of modules mentions towers. Names are the checkpoint's own, so one mention counts for all of
/// them.
fn mentions_towers(names: &[&str]) -> bool {
    let words = ["vis", "vit", "audio", "image", "tower", "projector", "merger", "connector", "aligner"];
    names.iter().any(|name| words.iter().any(|word| name.contains(word)))
}

impl Storage {
    /// Reads a `quantization_config`.
    pub(super) fn read(&mut self, config: &Map<String, Json>, model: &Map<String, Json>) -> Result<()> {
        // ModelOpt's first files name an algorithm and no method.
        let method = match text(config, "quant_method") {
            "" if config.contains_key("quant_algo") => "modelopt",
            "" if config.contains_key("config_groups") => "compressed-tensors",
            method => method,
        };
        match method {
            "fp8" => {
                let fp4_experts = text(model, "expert_dtype") == "fp4";
                self.scheme = Some(Scheme::fp8(config, fp4_experts)?);
                self.experts = fp4_experts.then(|| Scheme::mx(4));
                self.keep(&strings(config, &["modules_to_not_convert", "ignored_layers"]))?;
                self.read_named(config)?;
            }
            "fbgemm_fp8" => {
                self.scheme = Some(Scheme::fp8_rows());
                self.keep(&strings(config, &["modules_to_not_convert"]))?;
            }
            "awq" => {
                self.scheme = Some(Scheme::awq(config)?);
                self.keep(&strings(config, &["modules_to_not_convert"]))?;
                self.halves = true;
            }
            "gptq" => self.read_gptq(config)?,
            "mxfp4" => {
                self.experts = Some(Scheme::mx(4));
                self.keep(&strings(config, &["modules_to_not_convert"]))?;
            }
            "bitsandbytes" => {
                self.scheme = Some(Scheme::bitsandbytes(config)?);
                // Without a list the output layer is not quantized. With one, only the listed modules are not.
                let names = strings(config, &["llm_int8_skip_modules"]);
                self.head = config.get("llm_int8_skip_modules").is_some_and(Json::is_array);
                self.towers = !mentions_towers(&names);
                self.keep(&names)?;
            }
            "compressed-tensors" => {
                self.read_groups(config)?;
                let names = strings(config, &["ignore"]);
                self.head = true;
                self.towers = !mentions_towers(&names);
                self.keep(&names)?;
                self.cache_scale = match Self::cache_scheme(config) {
                    true => self.dtype.row_bytes(1)?,
                    false => 0,
                };
            }
            "modelopt" | "modelopt_fp4" | "modelopt_mxfp8" | "modelopt_mixed" => {
                self.head = true;
                self.keep(&strings(config, &["ignore", "exclude_modules"]))?;
                match text(config, "quant_algo") {
                    "MIXED_PRECISION" => self.read_named(config)?,
                    algorithm => self.scheme = Some(Scheme::modelopt(algorithm)?),
                }
                let has_algorithm = !matches!(text(config, "kv_cache_quant_algo"), "" | "NONE");
                self.cache_scale = if has_algorithm || Self::cache_scheme(config) { 4 } else { 0 };
            }
            "" if config.contains_key("group_size") && config.contains_key("bits") => {
                self.read_mlx(config)?
            }
            "" => {
                return Err(Error::refused(Code::WeightsNoMethod, KNOWN)
                    .about(words!("quantization_config without quant_method"))
                    .way_out(ONE_DTYPE));
            }
            other => {
                return Err(Error::refused(Code::WeightsUnknownMethod, KNOWN)
                    .about(say!("quant_method `{0}`", other))
                    .way_out(ONE_DTYPE));
            }
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, names: &[&str]) -> Result<()> {
        self.kept = Patterns::new(names.iter().copied())?;
        Ok(())
    }

    /// Whether the checkpoint has scales for `kv_cache_scheme`.
    fn cache_scheme(config: &Map<String, Json>) -> bool {
        match config.get("kv_cache_scheme") {
            Some(Json::Object(scheme)) => !flag(scheme, "dynamic"),
            Some(Json::String(algorithm)) => !algorithm.is_empty(),
            _ => false,
        }
    }

    /// GPTQ: the layers' linear modules, or those in `modules_in_block_to_quantize`. `dynamic` excludes modules
    /// (`-:`) or changes their scheme.
    fn read_gptq(&mut self, config: &Map<String, Json>) -> Result<()> {
        let format = text(config, "checkpoint_format");
        if !matches!(format, "" | "gptq" | "gptq_v2") {
            return Err(Error::refused(
                Code::WeightsGptqFormat,
                words!("those whose bytes are known are gptq and gptq_v2"),
            )
            .about(say!("checkpoint_format `{0}` of quant_method `gptq`", format))
            .way_out(ONE_DTYPE));
        }
        self.scheme = Some(Scheme::gptq(config)?);
        self.head = flag(config, "lm_head");
        self.halves = true;
        self.only = Patterns::new(strings(config, &["modules_in_block_to_quantize"]).into_iter())?;
        for (pattern, changes) in config.get("dynamic").and_then(Json::as_object).into_iter().flatten() {
            let scheme = match pattern.strip_prefix("-:") {
                Some(_) => None,
                None => {
                    let mut changed = config.clone();
                    changed.extend(changes.as_object().cloned().unwrap_or_default());
                    Some(Scheme::gptq(&changed)?)
                }
            };
            let name = pattern.strip_prefix("-:").or(pattern.strip_prefix("+:")).unwrap_or(pattern);
            self.groups.push((Patterns::expression(name)?, scheme));
        }
        Ok(())
    }

    /// ModelOpt's `quantized_layers`: an algorithm per module.
    fn read_named(&mut self, config: &Map<String, Json>) -> Result<()> {
        let layers = config.get("quantized_layers").and_then(Json::as_object);
        for (name, entry) in layers.into_iter().flatten() {
            let algorithm = entry.get("quant_algo").and_then(Json::as_str).unwrap_or_default();
            let _ = self.named.insert(canonical(name), Scheme::modelopt(algorithm)?);
        }
        Ok(())
    }

    /// compressed-tensors' `config_groups`: a scheme per group of targets; `Linear` means all.
    fn read_groups(&mut self, config: &Map<String, Json>) -> Result<()> {
        let sparsity = config.get("sparsity_config").and_then(Json::as_object);
        let format = sparsity.map_or("", |sparsity| text(sparsity, "format"));
        if !matches!(format, "" | "dense") {
            return Err(Error::refused(Code::WeightsSparse, words!("only dense weights are counted"))
                .about(say!("sparsity_config format `{0}`", format))
                .way_out(ONE_DTYPE));
        }
        let groups = config.get("config_groups").and_then(Json::as_object);
        for group in groups.into_iter().flatten().filter_map(|(_, group)| group.as_object()) {
            let Some(scheme) = Scheme::compressed(config, group, self.dtype)? else { continue };
            let targets = strings(group, &["targets"]);
            if targets.is_empty() || targets.contains(&"Linear") {
                self.scheme = Some(scheme);
            } else {
                self.groups.push((Patterns::new(targets.into_iter())?, Some(scheme)));
            }
        }
        Ok(())
    }
}
