//! Families as their files state them, merged and checked.

use std::collections::BTreeMap;

use crate::check;
use crate::merge::File;
use crate::shape;
use crate::yaml::{Key, Mistake, Table};

/// The text of an expression and where it stands.
#[derive(Debug, Clone)]
pub struct Source {
    /// The expression on one line.
    pub text: String,
    /// Where it starts.
    pub place: crate::yaml::Place,
}

impl Default for Source {
    fn default() -> Self {
        Self { text: String::new(), place: crate::yaml::Place { file: "".into(), line: 0 } }
    }
}

/// A family with everything that it extends merged in; `planner_models::Family` describes the fields.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Family {
    pub name: Key,
    pub model_types: Vec<(Key, Table)>,
    pub language_model: Option<(String, Key)>,
    pub towers: Vec<Tower>,
    pub definitions: Vec<(Key, Source)>,
    pub cache: Vec<CacheRule>,
    pub modules: Vec<ModuleRule>,
    pub layer_modules: Vec<ModuleRule>,
    pub stacks: Vec<Stack>,
    pub refuse: Option<String>,
}

/// A nested model that only adds parameters.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Tower {
    pub name: String,
    pub config: String,
    pub model_type: Key,
    pub is_fixed: bool,
    pub when: Option<Source>,
}

/// One thing that a layer may store.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct CacheRule {
    pub kind: String,
    pub when: Option<Source>,
    pub only: Vec<String>,
    pub except: Vec<String>,
    pub mixer: Option<String>,
    pub fields: Vec<(String, Source)>,
}

/// One module with parameters.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ModuleRule {
    pub part: String,
    pub path: String,
    pub is: Source,
    pub when: Option<Source>,
    pub count: Option<Source>,
    pub active: Option<Source>,
}

/// A block of modules repeated a number of times.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Stack {
    pub name: String,
    pub repeat: Source,
    pub when: Option<Source>,
    pub modules: Vec<ModuleRule>,
}

/// Reads, merges and checks family files, given as pairs of a path and its text; sorted by name.
///
/// # Errors
///
/// Every mistake that the check finds, in the order of files and lines; of a file that cannot be
/// read or merged the first.
pub fn families<'a>(
    files: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Vec<Family>, Vec<Mistake>> {
    let mut read = BTreeMap::new();
    let mut mistakes = Vec::new();
    for (path, text) in files {
        match File::read(path, text) {
            Ok(file) => {
                let _ = read.insert(file.name.text.clone(), file);
            }
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let mut families = Vec::new();
    for file in read.values() {
        match file.merged(&read).and_then(shape::family) {
            Ok(family) => families.push(family),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    if mistakes.is_empty() {
        mistakes = check::mistakes(&families);
    }
    mistakes.sort();
    mistakes.dedup();
    if mistakes.is_empty() { Ok(families) } else { Err(mistakes) }
}
