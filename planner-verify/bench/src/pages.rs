//! Large pages under weights: fewer addresses to translate while all of them are read, token by token.

use candle_core::{CpuStorage, Storage, Tensor};

/// Lays the numbers of a tensor on a CPU so.
pub fn merge(tensor: &Tensor) {
    let (storage, _) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(data)) => lay(data),
        Storage::Cpu(CpuStorage::BF16(data)) => lay(data),
        _ => (),
    }
}

/// Asks the system to lay data on large pages (Linux from 6.1 on; elsewhere nothing is done). What it
/// answers does not matter: the data stay the same, only their speed differs.
#[cfg(target_os = "linux")]
pub fn lay<T>(data: &[T]) {
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
pub fn lay<T>(_: &[T]) {}
