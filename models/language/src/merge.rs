//! One file of a family, and what it takes from the family that it extends.

use std::collections::BTreeMap;

use crate::yaml::{Key, Mistake, Node, Place, Table, Value};

/// Keys of a family file.
const SECTIONS: &[&str] = &[
    "name",
    "extends",
    "model_types",
    "language_model",
    "towers",
    "defs",
    "cache",
    "modules",
    "layer_modules",
    "stacks",
    "refuse",
];

/// The sections of a file, before and after merging.
#[derive(Debug, Clone)]
pub struct File {
    pub name: Key,
    pub extends: Option<Key>,
    pub model_types: Table,
    pub language_model: Option<Node>,
    pub towers: Table,
    pub defs: Table,
    pub cache: Option<Node>,
    pub modules: Table,
    pub layer_modules: Table,
    pub stacks: Table,
    pub refuse: Option<Node>,
}

impl File {
    /// Reads a file, whose path ends in the family's name.
    pub fn read(path: &str, text: &str) -> Result<Self, Mistake> {
        let root = Node::read(path, text)?;
        let start = root.place.clone();
        let mut sections = root.table("a family file")?;
        for (key, _) in &sections {
            known(key, SECTIONS, "a family file")?;
        }
        let mut take = |name: &str| {
            let at = sections.iter().position(|(key, _)| key.text == name)?;
            Some(sections.remove(at).1)
        };
        let mut table = |name: &str| take(name).map_or(Ok(Table::new()), |node| node.table(name));
        let (model_types, towers, defs) = (table("model_types")?, table("towers")?, table("defs")?);
        let (modules, layer_modules) = (table("modules")?, table("layer_modules")?);
        let stacks = table("stacks")?;
        let name = take("name").ok_or_else(|| start.mistake("a family file needs `name`"))?.key()?;
        let stem = path.rsplit('/').next().and_then(|file| file.strip_suffix(".yaml"));
        if stem != Some(&name.text) {
            return Err(name.place.mistake(format!("`name: {}` must be the file's name", name.text)));
        }
        Ok(Self {
            name,
            extends: take("extends").map(Node::key).transpose()?,
            model_types,
            language_model: take("language_model"),
            towers,
            defs,
            cache: take("cache"),
            modules,
            layer_modules,
            stacks,
            refuse: take("refuse"),
        })
    }

    /// The file with everything that it extends.
    pub fn merged(&self, files: &BTreeMap<String, Self>) -> Result<Self, Mistake> {
        self.merged_below(files, &mut vec![&self.name.text])
    }

    fn merged_below<'a>(
        &'a self,
        files: &'a BTreeMap<String, Self>,
        heirs: &mut Vec<&'a str>,
    ) -> Result<Self, Mistake> {
        let own = self.clone();
        let Some(parent) = &self.extends else { return Ok(own) };
        if heirs.contains(&parent.text.as_str()) {
            return Err(parent.place.mistake(format!("`extends: {}` goes in a circle", parent.text)));
        }
        heirs.push(&parent.text);
        let base = files
            .get(&parent.text)
            .ok_or_else(|| {
                let known = files.keys().map(String::as_str);
                parent.place.mistake(format!(
                    "no family `{}` to extend{}",
                    parent.text,
                    near(&parent.text, known)
                ))
            })?
            .merged_below(files, heirs)?;
        let mut defs = base.defs;
        for (key, value) in own.defs {
            put(&mut defs, key, value);
        }
        Ok(Self {
            name: own.name,
            extends: None,
            model_types: own.model_types,
            language_model: own.language_model.or(base.language_model),
            towers: merge(base.towers, own.towers, 1)?,
            defs,
            cache: own.cache.or(base.cache),
            modules: merge(base.modules, own.modules, 3)?,
            layer_modules: merge(base.layer_modules, own.layer_modules, 3)?,
            stacks: merge(base.stacks, own.stacks, 1)?,
            refuse: own.refuse.or(base.refuse),
        })
    }
}

fn put(table: &mut Table, key: Key, value: Node) {
    match table.iter_mut().find(|(old, _)| old.text == key.text) {
        Some(entry) => *entry = (key, value),
        None => table.push((key, value)),
    }
}

/// Merges maps key by key, `levels` deep; a null removes the key. A module given as a map without
/// `is` keeps the shape of the module it refines.
fn merge(mut base: Table, own: Table, levels: usize) -> Result<Table, Mistake> {
    for (key, mut node) in own {
        let at = base.iter().position(|(old, _)| old.text == key.text);
        if matches!(node.value, Value::Null) {
            let Some(at) = at else {
                let known = base.iter().map(|(old, _)| old.text.as_str());
                let near = near(&key.text, known);
                return Err(key.place.mistake(format!("`{}: ~` removes nothing{near}", key.text)));
            };
            base.remove(at);
            continue;
        }
        let old = at.map(|at| base[at].1.clone());
        match (old, &mut node.value) {
            (Some(Node { value: Value::Map(old), .. }), Value::Map(new)) if levels > 1 => {
                *new = merge(old, std::mem::take(new), levels - 1)?;
            }
            (Some(shape @ Node { value: Value::Text(_), .. }), Value::Map(new))
                if levels == 2 && new.iter().all(|(key, _)| key.text != "is") =>
            {
                let is = Key { text: "is".into(), place: shape.place.clone() };
                new.push((is, shape));
            }
            _ => {}
        }
        put(&mut base, key, node);
    }
    Ok(base)
}

impl Node {
    /// The map that this must be.
    pub fn table(self, what: &str) -> Result<Table, Mistake> {
        match self.value {
            Value::Map(table) => Ok(table),
            _ => Err(self.place.mistake(format!("{what} must be a map"))),
        }
    }

    /// The text that this must be, with its place.
    pub fn key(self) -> Result<Key, Mistake> {
        match self.value {
            Value::Text(text) => Ok(Key { text, place: self.place }),
            _ => Err(self.place.mistake("expected a name")),
        }
    }
}

/// Refuses a key that is none of `allowed`.
pub fn known(key: &Key, allowed: &[&str], owner: &str) -> Result<(), Mistake> {
    if allowed.contains(&key.text.as_str()) {
        return Ok(());
    }
    Err(unknown(&key.place, &key.text, allowed, owner))
}

fn unknown(place: &Place, name: &str, allowed: &[&str], owner: &str) -> Mistake {
    let near = near(name, allowed.iter().copied());
    let near = if near.is_empty() { format!(" (one of: {})", allowed.join(", ")) } else { near };
    place.mistake(format!("{owner} has no `{name}`{near}"))
}

/// ` (near names: …)`, or nothing where no known name is near.
pub fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let far = |candidate: &str| strsim::damerau_levenshtein(name, candidate);
    let mut near: Vec<(usize, &str)> = known
        .map(|candidate| (far(candidate), candidate))
        .filter(|(far, _)| *far <= 1 + name.len() / 4)
        .collect();
    near.sort_unstable();
    near.dedup();
    let near: Vec<String> = near.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    if near.is_empty() { String::new() } else { format!(" (near names: {})", near.join(", ")) }
}
