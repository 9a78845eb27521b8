//! Memory as the allocator and as the device see it, on whatever device is measured.
//!
//! | | CPU | CUDA | Metal |
//! | --- | --- | --- | --- |
//! | used | live bytes of the heap | bytes in use of the pool that candle allocates from | not seen |
//! | peak | of the same | of the same | not seen |
//! | whole | resident set of the process | memory of the card that is not free | not seen |

use candle_core::Device;
use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};

use crate::alloc;

/// Reads the memory of one device.
#[derive(Debug, Clone)]
pub struct Gauge(Device);

impl Gauge {
    /// A gauge of a device.
    pub fn new(device: &Device) -> Self {
        Self(device.clone())
    }

    /// Bytes that the allocator has given out and not got back.
    pub fn used(&self) -> Option<i128> {
        match &self.0 {
            Device::Cpu => Some(alloc::live_bytes()),
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::used(device),
            _ => None,
        }
    }

    /// Resets the peak, and returns the level from which [`Gauge::peak`] counts.
    pub fn forget_peak(&self) -> Option<i128> {
        match &self.0 {
            Device::Cpu => {
                alloc::forget_peak();
                Some(0)
            }
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::forget_peak(device),
            _ => None,
        }
    }

    /// The peak since the last reset.
    pub fn peak(&self) -> Option<i128> {
        match &self.0 {
            Device::Cpu => Some(alloc::peak_bytes()),
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::peak(device),
            _ => None,
        }
    }

    /// Bytes in use on the whole device: by this process on a CPU, by all processes on a card.
    pub fn whole(&self) -> Option<i128> {
        match &self.0 {
            Device::Cpu => resident(),
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::whole(device),
            _ => None,
        }
    }

    /// Bytes that may still be allocated.
    pub fn available(&self) -> Option<u64> {
        match &self.0 {
            Device::Cpu => free(),
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => cuda::free(device),
            _ => free(),
        }
    }
}

/// The resident set of this process.
fn resident() -> Option<i128> {
    let own = sysinfo::get_current_pid().ok()?;
    let mut system = System::new();
    let memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, memory);
    Some(i128::from(system.process(own)?.memory()))
}

/// Memory that the system calls available, at most what the control group's limit leaves.
fn free() -> Option<u64> {
    let mut system = System::new();
    system.refresh_memory();
    let available = Some(system.available_memory()).filter(|&bytes| bytes > 0);
    let group = system.cgroup_limits().map(|limits| limits.free_memory);
    match (available, group) {
        (Some(available), Some(group)) => Some(available.min(group)),
        _ => available,
    }
}

/// The driver's memory pool and the card.
#[cfg(feature = "cuda")]
#[allow(unsafe_code)] // The driver's pool attributes have no safe wrapper.
mod cuda {
    use candle_core::CudaDevice;
    use candle_core::cuda_backend::cudarc::driver::result::{device::get_mem_pool, mem_pool};
    use candle_core::cuda_backend::cudarc::driver::sys::{CUmemPool_attribute, CUmemoryPool};

    const USED: CUmemPool_attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_CURRENT;
    const HIGH: CUmemPool_attribute = CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;

    /// The pool of `cuMemAllocAsync`, from which candle allocates. `None` where the card has no pools and
    /// candle allocates synchronously.
    fn pool(device: &CudaDevice) -> Option<CUmemoryPool> {
        let stream = device.cuda_stream();
        let context = stream.context();
        // Freed memory counts as used until the stream has reached that point.
        stream.synchronize().ok()?;
        context.bind_to_thread().ok()?;
        // SAFETY: the device is that of a context which is alive.
        context.has_async_alloc().then(|| unsafe { get_mem_pool(context.cu_device()) }.ok()).flatten()
    }

    fn attribute(device: &CudaDevice, name: CUmemPool_attribute) -> Option<i128> {
        let mut value = 0_u64;
        // SAFETY: the pool is the device's own, and both attributes are 64-bit unsigned integers.
        unsafe { mem_pool::get_attribute(pool(device)?, name, (&raw mut value).cast()) }.ok()?;
        Some(i128::from(value))
    }

    pub fn used(device: &CudaDevice) -> Option<i128> {
        attribute(device, USED)
    }

    pub fn forget_peak(device: &CudaDevice) -> Option<i128> {
        let mut zero = 0_u64;
        // SAFETY: as above; the driver takes zero alone for this attribute, and sets it to what is in use.
        unsafe { mem_pool::set_attribute(pool(device)?, HIGH, (&raw mut zero).cast()) }.ok()?;
        used(device)
    }

    pub fn peak(device: &CudaDevice) -> Option<i128> {
        attribute(device, HIGH)
    }

    fn info(device: &CudaDevice) -> Option<(usize, usize)> {
        let stream = device.cuda_stream();
        stream.synchronize().ok()?;
        stream.context().mem_get_info().ok()
    }

    pub fn whole(device: &CudaDevice) -> Option<i128> {
        info(device).map(|(free, total)| total as i128 - free as i128)
    }

    pub fn free(device: &CudaDevice) -> Option<u64> {
        info(device).map(|(free, _)| free as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_knows_its_process_and_what_is_free() {
        let gauge = Gauge::new(&Device::Cpu);
        assert!(gauge.used().is_some_and(|bytes| bytes > 0));
        assert!(gauge.whole().is_some_and(|bytes| bytes > 1 << 20));
        assert!(gauge.available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
