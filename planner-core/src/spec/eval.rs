//! Evaluation of the family language against one model's configuration.
//!
//! A name is a definition of the family. A name with a dot (`.hidden_size`) is a key of the language model's
//! configuration, else a class default. A key that is nowhere is a missing field, which only `??` and `has()`
//! accept.

use std::cell::{Cell, RefCell};

use planner_models::Family;
use planner_models::expr::{Expr, Operator, parse};
use serde_json::{Map, Value as Json};

use super::value::{Number, Value, arithmetic};
use crate::error::{Error, Result};
use crate::text::{Argument, Sentence, Words};

/// Keys for the size of a model. A class default counts for them only inside a wrapper: transformers leaves
/// keys out there that equal the default. An outermost configuration without them is incomplete.
const REQUIRED: &[&str] = &[
    "num_hidden_layers",
    "n_layer",
    "n_layers",
    "num_layers",
    "hidden_size",
    "n_embd",
    "d_model",
    "num_attention_heads",
    "n_head",
    "n_heads",
    "num_heads",
    "attention_heads",
    "vocab_size",
    "intermediate_size",
    "ffn_dim",
];

/// Deepest chain of definitions. It guards against circles in families that a program installs at run time; the
/// build refuses circles in compiled ones.
const MAX_DEPTH: usize = 48;

/// A key that was read, its value, and whether it is a class default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRead {
    /// Path of the key.
    pub key: String,
    /// Its value as JSON.
    pub value: Json,
    /// True when the configuration leaves the key out and the class default counts.
    pub is_default: bool,
}

/// Everything that names can refer to.
pub struct Scope<'a> {
    /// The family whose definitions apply.
    pub family: &'static Family,
    /// The configuration of the language model.
    pub config: &'a Map<String, Json>,
    /// The outermost configuration.
    pub root: &'a Map<String, Json>,
    /// Class defaults of this `model_type`.
    pub defaults: &'a Map<String, Json>,
    /// `architectures[0]` of the outermost configuration.
    pub class: &'a str,
    /// `model_type` of the language model.
    pub model_type: &'a str,
    /// Expressions by the text that they were parsed from, which is one place of a family's table.
    parsed: RefCell<Vec<(&'static str, std::rc::Rc<Expr<'static>>)>>,
    /// Values of definitions, with the layer that they hold for where they read `i`.
    known: RefCell<Vec<(&'static str, Option<u64>, Value<'a>)>>,
    index: Cell<Option<u64>>,
    /// Whether the current definition has read `i`.
    used_index: Cell<bool>,
    /// The definitions under evaluation, the innermost last.
    open: RefCell<Vec<&'static str>>,
    trace: RefCell<Option<Vec<KeyRead>>>,
}

impl<'a> Scope<'a> {
    /// A scope without a layer index.
    pub fn new(
        family: &'static Family,
        config: &'a Map<String, Json>,
        root: &'a Map<String, Json>,
        defaults: &'a Map<String, Json>,
        class: &'a str,
        model_type: &'a str,
    ) -> Self {
        Self {
            family,
            config,
            root,
            defaults,
            class,
            model_type,
            parsed: RefCell::default(),
            known: RefCell::default(),
            index: Cell::new(None),
            used_index: Cell::new(false),
            open: RefCell::default(),
            trace: RefCell::new(None),
        }
    }

    /// Sets the value of `i`.
    pub fn set_index(&self, index: Option<u64>) {
        self.index.set(index);
    }

    /// Whether the family defines this name.
    pub fn defines(&self, name: &str) -> bool {
        self.definition(name).is_some()
    }

    /// The text of a definition.
    pub fn definition(&self, name: &str) -> Option<&'static str> {
        self.family.definitions.iter().find(|(defined, _)| *defined == name).map(|(_, source)| *source)
    }

    /// Evaluates a definition and tells which keys it read.
    pub fn traced(&self, name: &'static str) -> Result<(Value<'a>, Vec<KeyRead>)> {
        *self.trace.borrow_mut() = Some(Vec::new());
        let value = self.name(name);
        let reads = self.trace.borrow_mut().take().unwrap_or_default();
        Ok((value?, reads))
    }

    /// Evaluates an expression given as text.
    pub fn evaluate(&self, source: &'static str) -> Result<Value<'a>> {
        let expr = self.expression(source)?;
        self.eval(&expr)
    }

    /// Evaluates a condition; an absent condition holds.
    pub fn holds(&self, source: Option<&'static str>) -> Result<bool> {
        source.map_or(Ok(true), |source| Ok(self.evaluate(source)?.is_true()))
    }

    /// Evaluates to a whole number of at least 0; `name` is what the error calls it.
    pub fn count(&self, name: &str, source: &'static str) -> Result<u64> {
        let value = self.evaluate(source)?;
        as_count(name, source, &value)
    }

    /// Evaluates to a whole number, or nothing when it is null.
    pub fn optional_count(&self, name: &str, source: &'static str) -> Result<Option<u64>> {
        match self.evaluate(source)? {
            Value::Null => Ok(None),
            value => as_count(name, source, &value).map(Some),
        }
    }

    fn expression(&self, source: &'static str) -> Result<std::rc::Rc<Expr<'static>>> {
        if let Some((_, expr)) = self.parsed.borrow().iter().find(|(text, _)| std::ptr::eq(*text, source)) {
            return Ok(expr.clone());
        }
        let expr = parse(source).map_err(|why| Error::parse(words!("family"), Sentence::verbatim(why)))?;
        let expr = std::rc::Rc::new(expr);
        self.parsed.borrow_mut().push((source, expr.clone()));
        Ok(expr)
    }

    fn name(&self, name: &'static str) -> Result<Value<'a>> {
        match name {
            "i" => {
                self.used_index.set(true);
                let index = self.index.get().ok_or_else(|| self.broken(words!("`i` outside a layer")))?;
                return Ok(Value::Number(Number::whole(index)));
            }
            "class" => return Ok(Value::Text(self.class)),
            "model_type" => return Ok(Value::Text(self.model_type)),
            "root" => return Ok(Value::Object(self.root)),
            _ => {}
        }
        let Some(source) = self.definition(name) else {
            return Err(self.broken(say!("no definition `{0}`", name)));
        };
        // A trace needs every read of a key, so it does not use known values.
        if self.trace.borrow().is_none()
            && let Some((_, index, value)) = self.known.borrow().iter().find(|(known, ..)| *known == name)
            && (index.is_none() || *index == self.index.get())
        {
            self.used_index.set(self.used_index.get() || index.is_some());
            return Ok(value.clone());
        }
        if self.open.borrow().len() >= MAX_DEPTH {
            return Err(self.broken(words!("definitions that go in a circle")));
        }
        let outer = self.used_index.replace(false);
        self.open.borrow_mut().push(name);
        let value = self.evaluate(source);
        self.open.borrow_mut().pop();
        // A failure for this layer is not stored: another layer may succeed.
        let used = self.used_index.get();
        self.used_index.set(outer || used);
        let value = value?;
        let index = if used { self.index.get() } else { None };
        let mut known = self.known.borrow_mut();
        known.retain(|(other, ..)| *other != name);
        known.push((name, index, value.clone()));
        Ok(value)
    }

    /// An error in the family itself, with the current definition.
    pub(super) fn broken(&self, what: impl Argument) -> Error {
        let why = match self.open.borrow().last() {
            Some(definition) => say!("{0}: `{1}`: {2}", self.family.name, definition, what),
            None => say!("{0}: {1}", self.family.name, what),
        };
        Error::parse(words!("family"), why)
    }

    /// The name of an expression in a message: its own, or where it is.
    pub(super) fn subject(&self, expr: &Expr<'_>) -> Sentence {
        match (name_of(expr), self.open.borrow().last()) {
            (Some(name), _) => Sentence::verbatim(name),
            (None, Some(definition)) => say!("`{0}` of the family `{1}`", definition, self.family.name),
            (None, None) => say!("an expression of the family `{0}`", self.family.name),
        }
    }

    fn note(&self, key: &str, value: &Json, is_default: bool) {
        if let Some(reads) = self.trace.borrow_mut().as_mut() {
            let read = KeyRead { key: key.to_owned(), value: value.clone(), is_default };
            if !reads.contains(&read) {
                reads.push(read);
            }
        }
    }

    fn key(&self, name: &str) -> Result<Value<'a>> {
        if let Some(json) = self.config.get(name) {
            self.note(name, json, false);
            return Value::from_json(json)
                .map_err(|_| Error::bad_value(name, json, words!("a number of ordinary size")));
        }
        let is_outermost = std::ptr::eq(self.config, self.root);
        if let Some(json) = self.defaults.get(name).filter(|_| !(is_outermost && REQUIRED.contains(&name))) {
            self.note(name, json, true);
            return Value::from_json(json);
        }
        Err(Error::missing(name, self.place()))
    }

    pub(super) fn place(&self) -> Words {
        if std::ptr::eq(self.config, self.root) {
            words!("config.json")
        } else {
            words!("the language model's part of config.json")
        }
    }

    pub(super) fn eval(&self, expr: &Expr<'static>) -> Result<Value<'a>> {
        match expr {
            Expr::Number(numerator, denominator) => Ok(Value::Number(Number::new(*numerator, *denominator)?)),
            Expr::Text(text) => Ok(Value::Text(text)),
            Expr::Flag(flag) => Ok(Value::Flag(*flag)),
            Expr::Null => Ok(Value::Null),
            Expr::List(items) => {
                Ok(Value::List(items.iter().map(|item| self.eval(item)).collect::<Result<_>>()?))
            }
            Expr::Name(name) => self.name(name),
            Expr::Key(name) => self.key(name),
            Expr::Member(object, key) => self.member(object, key),
            Expr::Index(list, index) => self.index(list, index),
            Expr::Call(function, arguments) => self.call(function, arguments),
            Expr::Not(inner) => Ok(Value::Flag(!self.eval(inner)?.is_true())),
            Expr::Negate(inner) => Ok(Value::Number(self.number(inner)?.negate()?)),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expr::Condition(test, yes, no) => self.eval(if self.eval(test)?.is_true() { yes } else { no }),
        }
    }

    pub(super) fn number(&self, expr: &Expr<'static>) -> Result<Number> {
        match self.eval(expr)? {
            Value::Number(number) => Ok(number),
            Value::Flag(flag) => Ok(Number::whole(u64::from(flag))),
            other => Err(Error::bad_value(self.subject(expr), other.describe(), words!("a number"))),
        }
    }

    fn member(&self, object: &Expr<'static>, key: &'static str) -> Result<Value<'a>> {
        let (path, value) = match object {
            // A part that the language model's configuration lacks may be beside it.
            Expr::Key(name) if !self.config.contains_key(*name) => {
                let found = self.root.get(*name).or_else(|| self.defaults.get(*name));
                let Some(json) = found else { return self.key(name) };
                (Some((*name).to_owned()), Value::from_json(json)?)
            }
            _ => (name_of(object), self.eval(object)?),
        };
        let field = path.as_ref().map_or_else(|| key.to_owned(), |path| format!("{path}.{key}"));
        let missing = || Error::missing(field.as_str(), self.place());
        match value {
            Value::Object(map) => {
                let json = map.get(key).ok_or_else(missing)?;
                self.note(&field, json, false);
                Value::from_json(json)
            }
            Value::Null => Err(missing()),
            other => Err(Error::bad_value(self.subject(object), other.describe(), words!("an object"))),
        }
    }

    pub(super) fn index(&self, list: &Expr<'static>, index: &Expr<'static>) -> Result<Value<'a>> {
        let items = self.eval(list)?;
        if let Value::Object(map) = &items {
            // An object keyed by layer number has its numbers as text.
            let key = match self.eval(index)? {
                Value::Text(key) => key.to_owned(),
                other => other.describe().to_string(),
            };
            return map.get(&key).map_or(Ok(Value::Null), Value::from_json);
        }
        let position = self.number(index)?;
        let length = match &items {
            Value::Array(items) => items.len(),
            Value::List(items) => items.len(),
            // A value that is not a list has no such element, so `has(x[0])` tells them apart.
            _ => {
                let list = name_of(list).unwrap_or_default();
                return Err(Error::missing(format!("{list}[{position}]"), self.place()));
            }
        };
        let length = i128::try_from(length).unwrap_or(i128::MAX);
        let wanted = position.as_i128().map(|p| if p < 0 { p + length } else { p });
        let at = wanted.and_then(|p| usize::try_from(p).ok());
        let found = match (&items, at) {
            (Value::Array(items), Some(at)) => items.get(at).map(Value::from_json).transpose()?,
            (Value::List(items), Some(at)) => items.get(at).cloned(),
            _ => None,
        };
        found.ok_or_else(|| {
            Error::bad_value(
                self.subject(list),
                say!("{0} entries", length),
                say!("an entry for position {0}", position),
            )
        })
    }

    fn binary(&self, operator: Operator, left: &Expr<'static>, right: &Expr<'static>) -> Result<Value<'a>> {
        use Operator as O;
        match operator {
            O::Coalesce => match self.eval(left) {
                Ok(Value::Null) => self.eval(right),
                // Where no spelling is present, the first is named, which people know.
                Err(first @ Error::MissingField { .. }) => match self.eval(right) {
                    Err(Error::MissingField { .. }) => Err(first),
                    other => other,
                },
                other => other,
            },
            O::Or => Ok(Value::Flag(self.eval(left)?.is_true() || self.eval(right)?.is_true())),
            O::And => Ok(Value::Flag(self.eval(left)?.is_true() && self.eval(right)?.is_true())),
            O::Equal => Ok(Value::Flag(self.eval(left)?.equals(&self.eval(right)?))),
            O::NotEqual => Ok(Value::Flag(!self.eval(left)?.equals(&self.eval(right)?))),
            O::In => {
                let needle = self.eval(left)?;
                Ok(Value::Flag(self.elements(right)?.iter().any(|item| item.equals(&needle))))
            }
            _ => arithmetic(operator, self.number(left)?, self.number(right)?),
        }
    }
}

fn name_of(expr: &Expr<'_>) -> Option<String> {
    match expr {
        Expr::Name(name) | Expr::Key(name) => Some((*name).to_owned()),
        Expr::Member(object, key) => {
            Some(name_of(object).map_or_else(|| (*key).to_owned(), |object| format!("{object}.{key}")))
        }
        Expr::Index(list, _) => name_of(list),
        Expr::Binary(_, left, right) => name_of(left).or_else(|| name_of(right)),
        Expr::Condition(test, _, _) => name_of(test),
        Expr::Call(_, arguments) => arguments.first().and_then(name_of),
        _ => None,
    }
}

/// The name at the start of an expression, else `name`.
pub(super) fn field_name(source: &str, name: &str) -> String {
    parse(source).ok().and_then(|expr| name_of(&expr)).unwrap_or_else(|| name.to_owned())
}

fn as_count(name: &str, source: &str, value: &Value<'_>) -> Result<u64> {
    let count = match value {
        Value::Number(number) => number.as_u64(),
        Value::Flag(flag) => Some(u64::from(*flag)),
        _ => None,
    };
    count.ok_or_else(|| {
        Error::bad_value(field_name(source, name), value.describe(), words!("a whole number of at least 0"))
    })
}
