//! Cache tensors as a module prints itself.
//!
//! The modules keep their caches private but derive `Debug`, and a tensor prints its shape and type:
//! `kv_cache: Some((Tensor[dims 1, 3, 260, 64; f32], …))`. A cache that is allocated beforehand prints how many
//! of its rows are in use. The text is that of candle 0.11.1, whose version is pinned for this.

/// Fields that hold a cache.
const FIELDS: &[&str] = &["kv_cache: ", "kvs: ", "conv_state: "];

/// Bytes of used rows in all caches of a module's text; `None` where it shows no cache.
pub fn cache_bytes(text: &str) -> Option<u64> {
    let mut all = None;
    for field in FIELDS {
        for (at, _) in text.match_indices(field) {
            let bytes = tensors(value(&text[at + field.len()..]))?;
            all = Some(all.unwrap_or(0) + bytes);
        }
    }
    all
}

/// The value that a text starts with: up to the comma or bracket that ends the field.
fn value(text: &str) -> &str {
    let mut depth = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => return &text[..at],
            _ => {}
        }
    }
    text
}

/// Bytes of the tensors in a value; of a cache that is allocated beforehand, of its used rows.
fn tensors(value: &str) -> Option<u64> {
    let mut all = 0_u64;
    for part in value.split("Tensor[dims ").skip(1) {
        let (inside, after) = part.split_once(']')?;
        let (dims, dtype) = inside.split_once("; ")?;
        let dims = dims.split(", ").map(|dim| dim.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let width = match dtype.split(',').next()? {
            "f32" => 4,
            "f16" | "bf16" => 2,
            "f8e4m3" => 1,
            _ => return None,
        };
        let mut elements: u64 = dims.iter().product();
        if let (Some(dim), Some(used)) = (number(after, "dim: "), number(after, "current_seq_len: ")) {
            let rows = *dims.get(usize::try_from(dim).ok()?)?;
            elements = (elements / rows.max(1)).checked_mul(used.min(rows))?;
        }
        all = all.checked_add(elements.checked_mul(width)?)?;
    }
    Some(all)
}

/// The number after a name.
fn number(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    let digits = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor};
    use candle_nn::kv_cache::{ConcatKvCache, KvCache, RotatingKvCache};

    use super::*;

    /// What a layer of a module looks like.
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Layer<C> {
        weight: Tensor,
        kv_cache: C,
        mask: Tensor,
    }

    fn printed<C: std::fmt::Debug>(kv_cache: C) -> String {
        let other = Tensor::zeros((7, 7), DType::F32, &Device::Cpu).unwrap();
        format!("{:?}", vec![Layer { weight: other.clone(), kv_cache, mask: other }])
    }

    fn rows(count: usize, dtype: DType) -> Tensor {
        Tensor::zeros((1, 2, count, 8), dtype, &Device::Cpu).unwrap()
    }

    #[test]
    fn pairs_of_tensors_count_whole() {
        let pair = Some((rows(5, DType::BF16), rows(5, DType::BF16)));
        // 2 tensors × 2 heads × 5 tokens × 8 × 2 B.
        assert_eq!(cache_bytes(&printed(pair)), Some(320));
        assert_eq!(cache_bytes(&printed(None::<(Tensor, Tensor)>)), Some(0));
        assert_eq!(cache_bytes("Model { layers: [] }"), None);
    }

    #[test]
    fn caches_made_beforehand_count_their_rows_in_use() {
        let mut cache = KvCache::new(2, 64);
        cache.append(&rows(3, DType::F32), &rows(3, DType::F32)).unwrap();
        // 2 tensors × 2 heads × 3 tokens × 8 × 4 B.
        assert_eq!(cache_bytes(&printed(cache)), Some(384));
        let mut ring = RotatingKvCache::new(2, 4);
        for _ in 0..6 {
            ring.append(&rows(1, DType::F32), &rows(1, DType::F32)).unwrap();
        }
        assert_eq!(cache_bytes(&printed(ring)), Some(2 * 2 * 4 * 8 * 4));
        let mut cat = ConcatKvCache::new(2);
        cat.append(&rows(3, DType::F16), &rows(3, DType::F16)).unwrap();
        assert_eq!(cache_bytes(&printed(cat)), Some(192));
    }
}
