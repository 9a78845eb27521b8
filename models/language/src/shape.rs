//! From the sections of a merged file to a [`Family`]: every key is one that the program reads.

use crate::family::{CacheRule, Family, ModuleRule, Source, Stack, Tower};
use crate::merge::{File, known};
use crate::vocabulary::{CACHE_FIELDS, CACHE_KINDS, MIXERS, PARTS};
use crate::yaml::{Key, Mistake, Node, Place, Table, Value};

/// The family of a merged file.
pub fn family(file: File) -> Result<Family, Mistake> {
    let defaults = |(key, node): (Key, Node)| match node.value {
        Value::Null => Ok((key, Table::new())),
        _ => Ok((key, node.table("class defaults")?)),
    };
    let mut model_types = each(file.model_types, defaults)?;
    model_types.sort_by(|(a, _), (b, _)| a.text.cmp(&b.text));
    let refuse = file.refuse.map(Node::key).transpose()?.map(|why| one_line(&why.text));
    Ok(Family {
        name: file.name,
        model_types,
        language_model: file.language_model.map(language_model).transpose()?,
        towers: each(file.towers, tower)?,
        definitions: each(file.defs, |(key, node)| Ok((key, source(node)?)))?,
        cache: match file.cache.map(|node| (node.place, node.value)) {
            None => Vec::new(),
            Some((_, Value::List(rules))) => rules.into_iter().map(cache_rule).collect::<Result<_, _>>()?,
            Some((place, _)) => return Err(place.mistake("`cache` must be a list")),
        },
        modules: modules(file.modules)?,
        layer_modules: modules(file.layer_modules)?,
        stacks: each(file.stacks, stack)?,
        refuse,
    })
}

fn each<T>(table: Table, read: impl Fn((Key, Node)) -> Result<T, Mistake>) -> Result<Vec<T>, Mistake> {
    table.into_iter().map(read).collect()
}

/// Text of several lines as one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An expression.
fn source(node: Node) -> Result<Source, Mistake> {
    let text = match &node.value {
        Value::Text(text) => one_line(text),
        Value::Null | Value::Flag(_) | Value::Number(_) => node.to_json().to_string(),
        Value::List(_) | Value::Map(_) => return Err(node.place.mistake("expected an expression")),
    };
    Ok(Source { text, place: node.place })
}

/// The fields of a map, each taken once; `done` refuses what is left.
struct Fields {
    owner: String,
    place: Place,
    table: Table,
}

impl Fields {
    fn of(key: &Key, node: Node, allowed: &[&str]) -> Result<Self, Mistake> {
        let owner = format!("`{}`", key.text);
        let table = node.table(&owner)?;
        for (field, _) in &table {
            known(field, allowed, &owner)?;
        }
        Ok(Self { owner, place: key.place.clone(), table })
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        let at = self.table.iter().position(|(key, _)| key.text == name)?;
        Some(self.table.remove(at).1)
    }

    fn optional(&mut self, name: &str) -> Result<Option<Source>, Mistake> {
        self.take(name).map(source).transpose()
    }

    fn need(&mut self, name: &str) -> Result<Node, Mistake> {
        self.take(name).ok_or_else(|| self.place.mistake(format!("{} needs `{name}`", self.owner)))
    }

    fn names(&mut self, name: &str) -> Result<Vec<String>, Mistake> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Node { value: Value::List(items), .. }) => {
                items.into_iter().map(|item| Ok(item.key()?.text)).collect()
            }
            Some(node) => Ok(vec![node.key()?.text]),
        }
    }
}

fn language_model(node: Node) -> Result<(String, Key), Mistake> {
    let key = Key { text: "language_model".into(), place: node.place.clone() };
    let mut fields = Fields::of(&key, node, &["config", "model_type"])?;
    Ok((fields.need("config")?.key()?.text, fields.need("model_type")?.key()?))
}

fn tower((name, node): (Key, Node)) -> Result<Tower, Mistake> {
    let mut fields = Fields::of(&name, node, &["config", "model_type", "class", "when"])?;
    let (model_type, is_fixed) = match (fields.take("class"), fields.take("model_type")) {
        (Some(class), None) => (class, true),
        (None, Some(model_type)) => (model_type, false),
        _ => {
            return Err(name
                .place
                .mistake(format!("`{}` needs `class` or `model_type`, not both", name.text)));
        }
    };
    Ok(Tower {
        config: fields.need("config")?.key()?.text,
        model_type: model_type.key()?,
        is_fixed,
        when: fields.optional("when")?,
        name: name.text,
    })
}

fn cache_rule(node: Node) -> Result<CacheRule, Mistake> {
    let place = node.place.clone();
    let mut rule = node.table("a cache rule")?.into_iter();
    let (Some((kind, body)), None) = (rule.next(), rule.next()) else {
        return Err(place.mistake("a cache rule has one kind"));
    };
    let kinds: Vec<&str> = CACHE_KINDS.iter().map(|kind| kind.name).collect();
    known(&kind, &kinds, "`cache`")?;
    let described = CACHE_KINDS.iter().find(|known| known.name == kind.text);
    let (needs, may_have) = described.map_or_else(Default::default, |kind| (kind.needs, kind.may_have));
    let mut fields = Fields::of(&kind, body, &[needs, may_have, CACHE_FIELDS].concat())?;
    for name in needs {
        if fields.table.iter().all(|(key, _)| key.text != *name) {
            return Err(kind.place.mistake(format!("`{}` needs `{name}`", kind.text)));
        }
    }
    let mixer = fields.take("mixer").map(Node::key).transpose()?;
    if let Some(mixer) = &mixer {
        known(mixer, MIXERS, "`mixer`")?;
    }
    Ok(CacheRule {
        when: fields.optional("when")?,
        only: fields.names("only")?,
        except: fields.names("except")?,
        mixer: mixer.map(|mixer| mixer.text),
        fields: each(fields.table, |(key, node)| Ok((key.text, source(node)?)))?,
        kind: kind.text,
    })
}

fn modules(parts: Table) -> Result<Vec<ModuleRule>, Mistake> {
    let mut rules = Vec::new();
    for (part, modules) in parts {
        known(&part, PARTS, "the list of parts")?;
        for (path, node) in modules.table(&format!("part `{}`", part.text))? {
            let mut rule = ModuleRule { part: part.text.clone(), ..ModuleRule::default() };
            match node.value {
                Value::Map(_) => {
                    let mut fields = Fields::of(&path, node, &["is", "when", "count", "active"])?;
                    rule.is = source(fields.need("is")?)?;
                    rule.when = fields.optional("when")?;
                    rule.count = fields.optional("count")?;
                    rule.active = fields.optional("active")?;
                }
                Value::Null => return Err(path.place.mistake(format!("`{}: ~` removes nothing", path.text))),
                _ => rule.is = source(node)?,
            }
            rule.path = path.text;
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn stack((name, node): (Key, Node)) -> Result<Stack, Mistake> {
    let mut fields = Fields::of(&name, node, &["repeat", "when", "modules"])?;
    Ok(Stack {
        repeat: source(fields.need("repeat")?)?,
        when: fields.optional("when")?,
        modules: modules(fields.need("modules")?.table("`modules`")?)?,
        name: name.text,
    })
}
