//! The functions of the family language: lists, text, rounding and the shapes of modules.
//!
//! `planner_models::vocabulary` lists them with their numbers of arguments, `docs/families.md` with an
//! example each.

use planner_models::expr::Expr;

use super::eval::Scope;
use super::value::{Module, ModuleKind, Number, Value};
use crate::error::{Code, Error, Result};
use crate::text::Sentence;

impl<'a> Scope<'a> {
    pub(super) fn elements(&self, expr: &Expr<'static>) -> Result<Vec<Value<'a>>> {
        match self.eval(expr)? {
            Value::Array(items) => items.iter().map(Value::from_json).collect(),
            Value::List(items) => Ok(items),
            Value::Null => Ok(Vec::new()),
            other => Err(Error::bad_value(self.subject(expr), other.describe(), words!("a list"))),
        }
    }

    fn text(&self, expr: &Expr<'static>) -> Result<&'a str> {
        match self.eval(expr)? {
            Value::Text(text) => Ok(text),
            Value::Null => Ok(""),
            other => Err(Error::bad_value(self.subject(expr), other.describe(), words!("a string"))),
        }
    }

    pub(super) fn call(&self, function: &str, arguments: &[Expr<'static>]) -> Result<Value<'a>> {
        let flag = |value: bool| Ok(Value::Flag(value));
        let whole = |value: usize| Ok(Value::Number(Number::whole(value as u64)));
        match (function, arguments) {
            ("has", [path]) => match self.eval(path) {
                Ok(Value::Null) | Err(Error::MissingField { .. }) => flag(false),
                Ok(_) => flag(true),
                Err(error) => Err(error),
            },
            ("len", [list]) => whole(self.elements(list)?.len()),
            ("count", [list, item]) => {
                let wanted = self.eval(item)?;
                whole(self.elements(list)?.iter().filter(|item| item.equals(&wanted)).count())
            }
            ("index_of", [list, item]) => {
                let wanted = self.eval(item)?;
                let position = self.elements(list)?.iter().position(|item| item.equals(&wanted));
                position.map_or(Ok(Value::Null), whole)
            }
            // The last position of the item before `end`.
            ("last_index_of", [list, item, end]) => {
                let wanted = self.eval(item)?;
                let end = self.number(end)?.as_u64().and_then(|end| usize::try_from(end).ok()).unwrap_or(0);
                let items = self.elements(list)?;
                let position = items.iter().take(end).rposition(|item| item.equals(&wanted));
                position.map_or(Ok(Value::Null), whole)
            }
            // Whether a list, or a text of numbers between commas, names a number.
            ("contains_number", [list, number]) => {
                let wanted = self.number(number)?;
                match self.eval(list)? {
                    Value::Text(text) => {
                        let wanted = wanted.as_u64();
                        flag(
                            text.split(',')
                                .any(|item| item.trim().parse().ok() == wanted && wanted.is_some()),
                        )
                    }
                    _ => flag(self.elements(list)?.iter().any(|item| item.equals(&Value::Number(wanted)))),
                }
            }
            ("is_list", [value]) => flag(matches!(self.eval(value)?, Value::Array(_) | Value::List(_))),
            // One figure for all layers, or an entry for each.
            ("at", [value, position]) => match self.eval(value)? {
                Value::Array(_) | Value::List(_) => self.index(value, position),
                Value::Object(map) => {
                    let wanted = self.number(position)?.as_u64();
                    let entry = map.iter().find(|(key, _)| key.parse().ok() == wanted && wanted.is_some());
                    entry.map_or(Ok(Value::Null), |(_, json)| Value::from_json(json))
                }
                single => Ok(single),
            },
            ("sum", [list]) => {
                let mut total = Number::whole(0);
                for item in self.elements(list)? {
                    let Value::Number(number) = item else {
                        return Err(Error::bad_value(
                            self.subject(&arguments[0]),
                            item.describe(),
                            words!("a number"),
                        ));
                    };
                    total = total.plus(number)?;
                }
                Ok(Value::Number(total))
            }
            ("min" | "max", [first, rest @ ..]) => {
                let mut best = self.number(first)?;
                for other in rest {
                    let other = self.number(other)?;
                    if (function == "min") == (other < best) {
                        best = other;
                    }
                }
                Ok(Value::Number(best))
            }
            ("sum_primes", [after, skip, count]) => {
                let whole =
                    |expr| self.number(expr)?.as_u64().ok_or_else(|| self.broken("primes of no count"));
                sum_primes(whole(after)?, whole(skip)?, whole(count)?)
            }
            ("refuse", [why]) => {
                let name = if self.class.is_empty() { self.model_type } else { self.class };
                Err(Error::refused(Code::ModelNotDescribed, Sentence::data(self.text(why)?)).about(name))
            }
            ("ceil_div", [a, b]) => Ok(Value::Number(self.number(a)?.divide(self.number(b)?)?.ceil()?)),
            ("floor", [x]) => Ok(Value::Number(self.number(x)?.floor())),
            ("ceil", [x]) => Ok(Value::Number(self.number(x)?.ceil()?)),
            ("prefix", [text, start]) => flag(self.text(text)?.starts_with(self.text(start)?)),
            ("contains", [text, part]) => flag(self.text(text)?.contains(self.text(part)?)),
            ("char_at", [text, position]) => {
                let text = self.text(text)?;
                let at = self.number(position)?.as_u64().and_then(|at| usize::try_from(at).ok());
                let found = at.and_then(|at| text.get(at..=at));
                found.map(Value::Text).ok_or_else(|| {
                    Error::bad_value(self.subject(&arguments[0]), text, words!("a longer pattern"))
                })
            }
            ("length", [text]) => whole(self.text(text)?.len()),
            ("linear", [inputs, outputs]) => self.module(ModuleKind::Linear, inputs, Some(outputs), None),
            ("linear", [inputs, outputs, bias]) => {
                self.module(ModuleKind::Linear, inputs, Some(outputs), Some(bias))
            }
            ("table", [rows, width]) => self.module(ModuleKind::Table, rows, Some(width), None),
            ("norm", [length, bias]) => self.module(ModuleKind::Vector, length, None, Some(bias)),
            ("norm" | "param", [length]) => self.module(ModuleKind::Vector, length, None, None),
            ("buffer", [length]) => self.module(ModuleKind::Buffer, length, None, None),
            ("f32", [module]) => self.stored(module, 4),
            ("i64", [module]) => self.stored(module, 8),
            _ => Err(self.broken(say!("unknown function `{0}` of {1} arguments", function, arguments.len()))),
        }
    }

    /// A module whose elements take `element_bytes` whatever the model's dtype.
    fn stored(&self, module: &Expr<'static>, element_bytes: u64) -> Result<Value<'a>> {
        match self.eval(module)? {
            Value::Module(module) => Ok(Value::Module(Module { element_bytes, ..module })),
            other => Err(Error::bad_value(self.subject(module), other.describe(), words!("a module"))),
        }
    }

    fn module(
        &self,
        kind: ModuleKind,
        inputs: &Expr<'static>,
        outputs: Option<&Expr<'static>>,
        bias: Option<&Expr<'static>>,
    ) -> Result<Value<'a>> {
        let width = |expr: &Expr<'static>| {
            let number = self.number(expr)?;
            number.as_u64().ok_or_else(|| {
                Error::bad_value(self.subject(expr), number, words!("a whole number of at least 0"))
            })
        };
        let inputs = width(inputs)?;
        let outputs = outputs.map_or(Ok(1), width)?;
        let has_bias = bias.map_or(Ok(false), |bias| Ok(self.eval(bias)?.is_true()))?;
        let bias = match (has_bias, kind) {
            (false, _) => 0,
            (true, ModuleKind::Vector) => inputs,
            (true, _) => outputs,
        };
        Ok(Value::Module(Module { kind, inputs, outputs, bias, element_bytes: 0 }))
    }
}

/// The sum of `count` primes above `after`, without the first `skip`.
fn sum_primes<'a>(after: u64, skip: u64, count: u64) -> Result<Value<'a>> {
    let wanted = skip.saturating_add(count);
    if after > 1 << 32 || wanted > 4096 {
        return Err(Error::bad_value(
            words!("the primes of an n-gram table"),
            wanted,
            words!("at most 4096 below 2^32"),
        ));
    }
    let is_prime = |n: u64| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    let primes = (after + 1..).filter(|&n| is_prime(n)).take(usize::try_from(wanted).unwrap_or(0));
    let sum = primes.skip(usize::try_from(skip).unwrap_or(0)).sum();
    Ok(Value::Number(Number::whole(sum)))
}
