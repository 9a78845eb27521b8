//! Families from the page's data file: text that lives as long as the page.
//!
//! Objects and lists are those of `planner_models::Family`, field by field;
//! pairs are lists of two.

use std::cell::RefCell;

use crate::data::leak;
use planner_models::{CacheRule, Family, Given, ModuleRule, Stack, Tower};
use serde_json::Value;

/// The model types of a family, and its text, which is read when a model of it is asked for.
type Text = (Vec<&'static str>, &'static str);

thread_local! {
    static TEXTS: RefCell<Vec<Text>> = const { RefCell::new(Vec::new()) };
    static READ: RefCell<Vec<&'static Family>> = const { RefCell::new(Vec::new()) };
}

/// Takes the families: the list of each one's model types, and its text. Those given first stay.
pub fn install<'a>(families: impl Iterator<Item = (&'a Value, &'static str)>) {
    let types = |list: &Value| list.as_array().into_iter().flatten().map(text).collect();
    let texts: Vec<Text> = families.map(|(list, line)| (types(list), line)).collect();
    let model_types = texts.iter().flat_map(|(types, _)| types).copied().collect();
    TEXTS.set(texts);
    planner_models::install(Given { find, model_types });
}

fn find(model_type: &str) -> Option<&'static Family> {
    READ.with_borrow_mut(|read| {
        let of = |family: &&&Family| family.model_types.iter().any(|(name, _)| *name == model_type);
        if let Some(found) = read.iter().find(of) {
            return Some(*found);
        }
        let new = TEXTS.with_borrow(|texts| {
            let (_, text) = texts.iter().find(|(types, _)| types.contains(&model_type))?;
            serde_json::from_str(text).ok()
        })?;
        let new: &'static Family = Box::leak(Box::new(family(&new)));
        read.push(new);
        Some(new)
    })
}

fn family(of: &Value) -> Family {
    Family {
        name: text(&of["name"]),
        model_types: each(&of["model_types"], |pair| (text(&pair[0]), pairs(&pair[1]))),
        language_model: of["language_model"].is_array().then(|| pair(&of["language_model"])),
        towers: each(&of["towers"], |tower| Tower {
            name: text(&tower["name"]),
            config: text(&tower["config"]),
            model_type: text(&tower["model_type"]),
            is_fixed: tower["is_fixed"].as_bool().unwrap_or_default(),
            when: optional(&tower["when"]),
        }),
        definitions: pairs(&of["definitions"]),
        cache: each(&of["cache"], |rule| CacheRule {
            kind: text(&rule["kind"]),
            when: optional(&rule["when"]),
            only: each(&rule["only"], text),
            except: each(&rule["except"], text),
            fields: pairs(&rule["fields"]),
        }),
        modules: modules(&of["modules"]),
        layer_modules: modules(&of["layer_modules"]),
        stacks: each(&of["stacks"], |stack| Stack {
            name: text(&stack["name"]),
            repeat: text(&stack["repeat"]),
            when: optional(&stack["when"]),
            modules: modules(&stack["modules"]),
        }),
        refuse: optional(&of["refuse"]),
    }
}

fn modules(list: &Value) -> &'static [ModuleRule] {
    each(list, |module| ModuleRule {
        part: text(&module["part"]),
        path: text(&module["path"]),
        is: text(&module["is"]),
        when: optional(&module["when"]),
        count: optional(&module["count"]),
        active: optional(&module["active"]),
    })
}

fn each<T>(list: &Value, read: impl Fn(&Value) -> T) -> &'static [T] {
    let read: Vec<T> = list.as_array().into_iter().flatten().map(read).collect();
    Vec::leak(read)
}

fn pair(of: &Value) -> (&'static str, &'static str) {
    (text(&of[0]), text(&of[1]))
}

fn pairs(list: &Value) -> &'static [(&'static str, &'static str)] {
    each(list, pair)
}

fn text(value: &Value) -> &'static str {
    leak(value.as_str().unwrap_or_default())
}

fn optional(value: &Value) -> Option<&'static str> {
    value.is_string().then(|| text(value))
}
