//! Results by key, for many items with few distinct keys.

/// Keys and their results in a list. It is searched in order, because a model has few classes of layers.
#[derive(Debug)]
pub(crate) struct Memo<K, V>(Vec<(K, V)>);

impl<K: PartialEq, V: Clone> Memo<K, V> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// The result of a key; `make` runs for a new key only.
    pub(crate) fn get_or<E>(&mut self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some((_, value)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(value.clone());
        }
        let value = make()?;
        self.0.push((key, value.clone()));
        Ok(value)
    }
}
