//! GPUs: memory as the driver reports it, and defaults for the part that an engine may use.

use crate::error::{Error, Known, Result};
use crate::units::{Ratio, parse_size};

/// Share of the memory an engine may use when `--memory-utilization` is not given: vLLM 0.33's
/// default (`vllm/config/cache.py`, `gpu_memory_utilization`).
pub const DEFAULT_UTILIZATION: Ratio = Ratio::decimal(92, 2);

/// Bytes kept free on each GPU when `--reserve` is not given: 2 GiB.
///
/// Published vLLM start-up logs of dense 7B to 14B models show 0.3 to 1.5 GiB of peak activations
/// and 0.01 to 0.6 GiB outside the allocator on one GPU, NCCL about 0.4 GiB more on several; 2 GiB
/// is the next whole figure above their sum for most of them. Large batches and vision models need more.
pub const DEFAULT_RESERVE: u64 = 2 << 30;

/// One accelerator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Catalogue id, or the size as given.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory that PyTorch reports, where a log says it.
    pub torch_memory_bytes: Option<u64>,
    /// CUDA compute capability, such as `9.0`.
    pub compute_capability: Option<&'static str>,
}

impl Device {
    /// Compute capability, major and minor, where it is known.
    pub fn capability(&self) -> Option<(u64, u64)> {
        let (major, minor) = self.compute_capability?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Memory that PyTorch reports (`torch.cuda.mem_get_info`): the driver's total less what the driver itself
    /// keeps.
    ///
    /// Where no log says it, the driver keeps 0.4 GiB and a 500th of the total: within 0.3 GiB of every card
    /// whose figure is known.
    pub fn torch_memory(&self) -> u64 {
        let kept = (4 << 30) / 10 + self.memory_bytes / 500;
        self.torch_memory_bytes.unwrap_or_else(|| self.memory_bytes.saturating_sub(kept))
    }

    /// How many GPUs it stands for, where it names each one: 2 for `rtx-4090+rtx-3060`.
    #[cfg(feature = "lists")]
    pub fn several(&self) -> Option<u64> {
        let count = self.id.split('+').count() as u64;
        (count > 1).then_some(count)
    }

    /// GPUs named one by one. Ranks of one deployment hold equal shares, so each is planned as the least of them: in
    /// memory, and in compute capability, where that of all is known.
    #[cfg(feature = "lists")]
    fn together(flag: &str, text: &str) -> Option<Result<Self>> {
        let names: Vec<&str> = text.split('+').collect();
        if names.len() < 2 {
            return None;
        }
        let devices: Result<Vec<Self>> = names.into_iter().map(|name| Self::named(flag, name)).collect();
        Some(devices.map(|devices| {
            let joined = |name: fn(&Self) -> &str| devices.iter().map(name).collect::<Vec<_>>().join("+");
            let capabilities =
                devices.iter().map(|device| Some((device.capability()?, device.compute_capability)));
            let least = capabilities.collect::<Option<Vec<_>>>().and_then(|known| known.into_iter().min());
            Self {
                id: joined(|device| &device.id),
                name: joined(|device| &device.name),
                memory_bytes: devices.iter().map(|device| device.memory_bytes).min().unwrap_or(0),
                torch_memory_bytes: devices.iter().map(Self::torch_memory).min(),
                compute_capability: least.and_then(|(_, capability)| capability),
            }
        }))
    }

    /// A GPU by id, alias or other spelling, or a size such as `80GiB`.
    ///
    /// # Errors
    /// No such GPU, with near names; a size below 1 MiB.
    pub fn resolve(text: &str) -> Result<Self> {
        Self::named("--gpu", text)
    }

    /// As [`Device::resolve`], for a flag as it was typed.
    pub(crate) fn named(flag: &str, text: &str) -> Result<Self> {
        if let Some(device) = Self::from_catalog(text) {
            return Ok(device);
        }
        #[cfg(feature = "lists")]
        if let Some(devices) = Self::together(flag, text) {
            return devices;
        }
        if text.trim().starts_with(|c: char| c.is_ascii_digit())
            && let Ok(memory_bytes) = parse_size(flag, text)
        {
            if memory_bytes < 1 << 20 {
                return Err(Error::bad_value(
                    flag,
                    text,
                    words!("a size of at least 1MiB, such as 80GiB (a bare number is bytes)"),
                ));
            }
            return Ok(Self {
                id: text.trim().to_owned(),
                name: text.trim().to_owned(),
                memory_bytes,
                torch_memory_bytes: Some(memory_bytes),
                compute_capability: None,
            });
        }
        Err(Error::Unknown { what: Known::Gpu, name: text.to_owned(), near: Self::near(text) })
    }

    #[cfg(feature = "catalog")]
    fn from_catalog(text: &str) -> Option<Self> {
        let wanted = plain(text);
        let gpu = planner_models::GPUS.iter().find(|gpu| {
            std::iter::once(&gpu.id).chain(gpu.aliases).chain([&gpu.name]).any(|name| plain(name) == wanted)
        })?;
        Some(Self {
            id: gpu.id.to_owned(),
            name: gpu.name.to_owned(),
            memory_bytes: gpu.memory_bytes,
            torch_memory_bytes: gpu.torch_memory_bytes,
            compute_capability: gpu.compute_capability,
        })
    }

    #[cfg(feature = "catalog")]
    fn near(text: &str) -> Vec<String> {
        crate::suggest::near(text, planner_models::GPUS.iter().map(|gpu| gpu.id))
    }

    #[cfg(not(feature = "catalog"))]
    fn from_catalog(_: &str) -> Option<Self> {
        None
    }

    #[cfg(not(feature = "catalog"))]
    fn near(_: &str) -> Vec<String> {
        Vec::new()
    }
}

/// Lower-case letters and digits without the maker's name, so that `NVIDIA H100 80GB` equals `h100-80gb`.
#[cfg(feature = "catalog")]
fn plain(name: &str) -> String {
    let letters: String = name.to_ascii_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    ["nvidia", "amd", "intel"]
        .iter()
        .find_map(|maker| letters.strip_prefix(maker))
        .map_or(letters.clone(), str::to_owned)
}
