//! Large pages under weights: fewer addresses to translate while all of them are read, token by token.

use candle_core::{CpuStorage, Storage, Tensor};

/// Asks the system to lay a tensor on large pages (Linux from 6.1 on; elsewhere nothing is done). What
/// it answers does not matter: the tensor stays the same, only its speed differs.
pub fn merge(tensor: &Tensor) {
    let (storage, _) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(CpuStorage::F32(data)) => collapse(data),
        Storage::Cpu(CpuStorage::BF16(data)) => collapse(data),
        _ => (),
    }
}

#[cfg(target_os = "linux")]
fn collapse<T>(data: &[T]) {
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

#[cfg(not(target_os = "linux"))]
fn collapse<T>(_: &[T]) {}
