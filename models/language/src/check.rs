//! What no single file shows: that every name means something, and that something reads it.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{Expr, parse};
use crate::family::{CacheRule, Family, ModuleRule, Source};
use crate::merge::near;
use crate::vocabulary::{FUNCTIONS, KNOWN, VARIABLES, WORDS};
use crate::yaml::{Key, Mistake, Node, Place, Value};

/// Every mistake in the names of all families.
pub fn mistakes(families: &[Family]) -> Vec<Mistake> {
    let mut found = Vec::new();
    let mut keys = BTreeSet::new();
    let mut read = BTreeSet::new();
    for family in families {
        Names::new(family, &mut found).check(&mut keys, &mut read);
    }
    model_types(families, &mut found);
    for family in families {
        unread_definitions(family, &read, &mut found);
        for (_, defaults) in &family.model_types {
            unread_defaults(defaults, &keys, &mut found);
        }
    }
    found
}

/// Definitions by where they stand: one that a family inherits is the same in all its heirs.
type Read<'a> = BTreeSet<(&'a str, &'a Place)>;

/// The names of one family.
struct Names<'a, 'm> {
    family: &'a Family,
    definitions: BTreeMap<&'a str, &'a Source>,
    /// The names that each definition reads.
    reads: BTreeMap<&'a str, Vec<&'a str>>,
    found: &'m mut Vec<Mistake>,
}

impl<'a, 'm> Names<'a, 'm> {
    fn new(family: &'a Family, found: &'m mut Vec<Mistake>) -> Self {
        let definitions =
            family.definitions.iter().map(|(key, source)| (key.text.as_str(), source)).collect();
        Self { family, definitions, reads: BTreeMap::new(), found }
    }

    fn check(&mut self, keys: &mut BTreeSet<&'a str>, read: &mut Read<'a>) {
        let family = self.family;
        for (key, source) in &family.definitions {
            if VARIABLES.contains(&key.text.as_str()) || WORDS.contains(&key.text.as_str()) {
                self.found.push(key.place.mistake(format!("`{}` is a word of the language", key.text)));
            }
            let names = self.expression(source, keys);
            self.reads.insert(&key.text, names);
        }
        self.circles();
        let mut used: Vec<&str> = self.reads.values().flatten().copied().collect();
        for source in by_layer(family) {
            used.extend(self.expression(source, keys));
        }
        for source in once(family) {
            let names = self.expression(source, keys);
            self.outside_layers(&names, &source.place);
            used.extend(names);
        }
        for known in KNOWN.iter().filter(|known| !known.by_layer) {
            if let Some(source) = self.definitions.get(known.name) {
                self.outside_layers(&[known.name], &source.place);
            }
        }
        for name in used {
            read.extend(self.definitions.get(name).map(|source| (name, &source.place)));
        }
        if let (Some(rule), false) = (family.cache.first(), self.definitions.contains_key("layers")) {
            let place = rule.fields.first().map_or(&family.name.place, |(_, source)| &source.place);
            self.found.push(
                place.mistake(format!("`{}` has `cache` and no definition `layers`", family.name.text)),
            );
        }
    }

    /// Checks an expression; adds the keys of the configuration that it reads, gives its names.
    fn expression(&mut self, source: &'a Source, keys: &mut BTreeSet<&'a str>) -> Vec<&'a str> {
        let expr = match parse(&source.text) {
            Ok(expr) => expr,
            Err(why) => {
                self.found.push(source.place.mistake(why));
                return Vec::new();
            }
        };
        let mut names = Vec::new();
        expr.walk(&mut |part| match part {
            Expr::Key(key) | Expr::Member(_, key) => {
                keys.insert(key);
            }
            Expr::Name(name) => names.push(*name),
            Expr::Call(function, arguments) => {
                self.found.extend(call(function, arguments.len()).map(|why| source.place.mistake(why)));
            }
            _ => {}
        });
        for name in &names {
            if !VARIABLES.contains(name) && !self.definitions.contains_key(name) {
                let known = self.definitions.keys().chain(VARIABLES).copied();
                let why = format!(
                    "no definition `{name}`{}; a key of the configuration is written `.{name}`",
                    near(name, known)
                );
                self.found.push(source.place.mistake(why));
            }
        }
        names
    }

    /// Definitions that are defined by way of themselves.
    fn circles(&mut self) {
        let mut done = BTreeSet::new();
        for name in self.definitions.keys() {
            if let Some(circle) = circle(&self.reads, name, &mut Vec::new(), &mut done) {
                let place = &self.definitions[circle[0]].place;
                let why = format!("definitions go in a circle: {}", circle.join(" → "));
                self.found.push(place.mistake(why));
                return;
            }
        }
    }

    /// Refuses `i` in what is evaluated once a model.
    fn outside_layers(&mut self, names: &[&'a str], place: &Place) {
        let mut seen = BTreeSet::new();
        let mut todo = names.to_vec();
        while let Some(name) = todo.pop() {
            if name == "i" {
                self.found.push(place.mistake("`i` has no value here, outside the layers"));
                return;
            }
            if seen.insert(name) {
                todo.extend(self.reads.get(name).into_iter().flatten());
            }
        }
    }
}

/// The first circle among the definitions that `name` reads.
fn circle<'a>(
    reads: &BTreeMap<&'a str, Vec<&'a str>>,
    name: &'a str,
    open: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(at) = open.iter().position(|other| *other == name) {
        return Some(open[at..].iter().copied().chain([name]).collect());
    }
    if !done.insert(name) {
        return None;
    }
    open.push(name);
    let found = reads.get(name).into_iter().flatten().find_map(|next| circle(reads, next, open, done));
    open.pop();
    found
}

/// What is wrong with a call.
fn call(name: &str, arguments: usize) -> Option<String> {
    let Some(function) = FUNCTIONS.iter().find(|function| function.name == name) else {
        let known = FUNCTIONS.iter().map(|function| function.name);
        return Some(format!("no function `{name}`{}", near(name, known)));
    };
    let wanted = match (function.least, function.most) {
        (least, most) if (least..=most).contains(&arguments) => return None,
        (least, usize::MAX) => format!("at least {least}"),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least} to {most}"),
    };
    Some(format!("`{name}` takes {wanted} arguments, not {arguments}"))
}

fn of_modules(rules: &[ModuleRule]) -> impl Iterator<Item = &Source> {
    rules.iter().flat_map(|rule| {
        [Some(&rule.is), rule.when.as_ref(), rule.count.as_ref(), rule.active.as_ref()].into_iter().flatten()
    })
}

fn of_cache(rule: &CacheRule) -> impl Iterator<Item = &Source> {
    rule.when.iter().chain(rule.fields.iter().map(|(_, source)| source))
}

/// Expressions that are evaluated for every layer or block.
fn by_layer(family: &Family) -> impl Iterator<Item = &Source> {
    let cache = family.cache.iter().flat_map(of_cache);
    let stacks = family.stacks.iter().flat_map(|stack| of_modules(&stack.modules));
    cache.chain(of_modules(&family.layer_modules)).chain(stacks)
}

/// Expressions that are evaluated once a model.
fn once(family: &Family) -> impl Iterator<Item = &Source> {
    let stacks = family.stacks.iter().flat_map(|stack| stack.when.iter().chain([&stack.repeat]));
    let towers = family.towers.iter().flat_map(|tower| &tower.when);
    of_modules(&family.modules).chain(stacks).chain(towers)
}

/// Every `model_type` has one family, and every one that a family names has one.
fn model_types(families: &[Family], found: &mut Vec<Mistake>) {
    let mut owners: BTreeMap<&str, &Key> = BTreeMap::new();
    for family in families {
        for (model_type, _) in &family.model_types {
            if let Some(other) = owners.insert(&model_type.text, &family.name) {
                let why = format!("model_type `{}` is in `{}` too", model_type.text, other.text);
                found.push(model_type.place.mistake(why));
            }
        }
    }
    for family in families {
        let towers = family.towers.iter().map(|tower| &tower.model_type);
        for named in towers.chain(family.language_model.iter().map(|(_, model_type)| model_type)) {
            if !owners.contains_key(named.text.as_str()) {
                let near = near(&named.text, owners.keys().copied());
                found.push(named.place.mistake(format!("no family of model_type `{}`{near}", named.text)));
            }
        }
    }
}

fn unread_definitions(family: &Family, read: &Read<'_>, found: &mut Vec<Mistake>) {
    for (key, source) in &family.definitions {
        let name = key.text.as_str();
        if !read.contains(&(name, &source.place)) && KNOWN.iter().all(|known| known.name != name) {
            let near = near(name, KNOWN.iter().map(|known| known.name));
            found.push(key.place.mistake(format!("nothing reads the definition `{name}`{near}")));
        }
    }
}

fn unread_defaults(defaults: &[(Key, Node)], keys: &BTreeSet<&str>, found: &mut Vec<Mistake>) {
    for (key, node) in defaults {
        if !keys.contains(key.text.as_str()) {
            let near = near(&key.text, keys.iter().copied());
            found.push(
                key.place.mistake(format!("no expression reads the class default `{}`{near}", key.text)),
            );
        }
        if let Value::Map(nested) = &node.value {
            unread_defaults(nested, keys, found);
        }
    }
}
