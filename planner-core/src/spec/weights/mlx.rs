//! MLX's quantization (mlx-lm 0.31 `utils.py` quantize_model, `mlx.nn.quantize`). It quantizes every matrix
//! whose rows are whole groups, tables and routers included. The configuration may set another size or `false`
//! for single modules.

use serde_json::{Map, Value as Json};

use super::Storage;
use super::method::ONE_DTYPE;
use super::names::canonical;
use super::scheme::Scheme;
use crate::error::{Code, Error, Result};
use crate::spec::value::{Module, ModuleKind};

/// Keys beside the modules' paths.
const SETTINGS: &[&str] = &["group_size", "bits", "mode", "quant_method", "linear_class"];

impl Storage {
    /// Reads `{"group_size": …, "bits": …}`, and entries of single modules under their paths.
    pub(super) fn read_mlx(&mut self, config: &Map<String, Json>) -> Result<()> {
        self.whole = true;
        self.scheme = Some(self.mlx(config, config)?);
        let mut kept = Vec::new();
        for (path, entry) in config.iter().filter(|(key, _)| !SETTINGS.contains(&key.as_str())) {
            match entry {
                Json::Object(entry) => {
                    let scheme = self.mlx(entry, config)?;
                    let _ = self.named.insert(canonical(path), scheme);
                }
                Json::Bool(false) => kept.push(path.as_str()),
                _ => {}
            }
        }
        self.keep(&kept)?;
        Ok(())
    }

    /// One entry; keys that it lacks are the file's.
    fn mlx(&self, entry: &Map<String, Json>, all: &Map<String, Json>) -> Result<Scheme> {
        let number = |key: &'static str| {
            let value = entry.get(key).or(all.get(key)).and_then(Json::as_u64);
            value.ok_or(Error::missing(key, words!("`quantization`")))
        };
        let (bits, group) = (number("bits")?, number("group_size")?);
        let mode = entry.get("mode").or(all.get("mode")).and_then(Json::as_str).unwrap_or("affine");
        let group_bits = match mode {
            // A scale and a bias for each group, in the model's dtype.
            "affine" => 2 * 8 * self.dtype.row_bytes(1)?,
            "mxfp4" | "mxfp8" | "nvfp4" => 8,
            _ => {
                return Err(Error::refused(
                    Code::WeightsMlxMode,
                    words!("those whose bytes are known are affine, mxfp4, mxfp8 and nvfp4"),
                )
                .about(say!("quantization mode `{0}`", mode))
                .way_out(ONE_DTYPE));
            }
        };
        if !matches!(bits, 2..=6 | 8) || group == 0 {
            return Err(Error::bad_value(
                "quantization.bits",
                bits,
                words!("2, 3, 4, 5, 6 or 8 in groups of at least 1"),
            ));
        }
        Ok(Scheme { bits, group, group_bits, ..Scheme::default() })
    }

    /// The scheme of one module: matrices and tables whose rows are whole groups.
    pub(super) fn mlx_scheme(&self, path: &str, name: &str, module: Module) -> Option<Scheme> {
        let width = match module.kind {
            ModuleKind::Linear => module.inputs,
            ModuleKind::Table => module.outputs,
            _ => return None,
        };
        let scheme = self.named_scheme(name).or(self.scheme)?;
        (width % scheme.group == 0 && !self.kept.contain(path, name)).then_some(scheme)
    }

    /// Whether it quantizes modules that other methods leave alone; that is known of plain decoders only.
    pub fn is_whole(&self) -> bool {
        self.whole
    }
}
