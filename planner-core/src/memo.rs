//! Results kept by key, for many items of which few differ.

/// A short list of keys and their results: searched in order, since a model has few kinds of layers.
#[derive(Debug)]
pub(crate) struct Memo<K, V>(Vec<(K, V)>);

impl<K: PartialEq, V: Clone> Memo<K, V> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    /// The result of a key, made where the key is new.
    pub(crate) fn get_or<E>(&mut self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        if let Some((_, value)) = self.0.iter().find(|(known, _)| *known == key) {
            return Ok(value.clone());
        }
        let value = make()?;
        self.0.push((key, value.clone()));
        Ok(value)
    }
}
