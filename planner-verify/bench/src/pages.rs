//! Large pages under weights: fewer address translations while each token reads all weights.

use candle_core::{CpuStorage, Storage, Tensor};

/// [`collapse`] for the storage of a tensor on a CPU; nothing on other devices.
pub fn collapse_tensor(tensor: &Tensor) {
    let (storage, _) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(data)) => collapse(data),
        Storage::Cpu(CpuStorage::BF16(data)) => collapse(data),
        _ => (),
    }
}

/// Asks the system to put data on large pages (`MADV_COLLAPSE`, Linux from 6.1 on). Its answer does not matter:
/// only the speed of reading differs.
#[cfg(target_os = "linux")]
pub fn collapse<T>(data: &[T]) {
    /// Bytes of a large page.
    const PAGE: usize = 2 << 20;
    let all = data.as_ptr_range();
    let start = all.start.map_addr(|at| at.next_multiple_of(PAGE));
    let bytes = (all.end.addr() / PAGE * PAGE).saturating_sub(start.addr());
    if bytes > 0 {
        // SAFETY: the range lies within one live allocation, and this advice changes no byte of it.
        #[allow(unsafe_code)]
        unsafe {
            libc::madvise(start.cast_mut().cast(), bytes, libc::MADV_COLLAPSE);
        }
    }
}

/// Large pages are asked for on Linux only.
#[cfg(not(target_os = "linux"))]
pub fn collapse<T>(_: &[T]) {}
