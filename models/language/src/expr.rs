//! The expression language of the family files: syntax tree and parser.
//!
//! One expression computes one number, flag, name or list from a model's configuration
//! (`.num_key_value_heads ?? heads`): `.name` is a key of the configuration, `name` a definition of
//! the family. Values and evaluation live in `planner-core`; the parser is here so that the build
//! can reject a family file that does not parse.
//!
//! Precedence, loosest first: `c ? a : b`, `??`, `or`, `and`, `not`, comparison and `in`,
//! `+ -`, `* / // %`, unary `-`, then `x[i]`, `x.key` and calls.

/// One parsed expression, borrowing its names from the source text.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr<'a> {
    /// An exact decimal: numerator and denominator (a power of ten).
    Number(i128, i128),
    /// A quoted string.
    Text(&'a str),
    /// `true` or `false`.
    Flag(bool),
    /// `null`.
    Null,
    /// `[a, b, c]`.
    List(Vec<Expr<'a>>),
    /// A definition of the family, or one of [`crate::vocabulary::VARIABLES`].
    Name(&'a str),
    /// `.name`: a key of the configuration.
    Key(&'a str),
    /// `object.key`.
    Member(Box<Expr<'a>>, &'a str),
    /// `list[index]`.
    Index(Box<Expr<'a>>, Box<Expr<'a>>),
    /// `name(arguments)`.
    Call(&'a str, Vec<Expr<'a>>),
    /// `not x`.
    Not(Box<Expr<'a>>),
    /// `-x`.
    Negate(Box<Expr<'a>>),
    /// `a operator b`.
    Binary(Operator, Box<Expr<'a>>, Box<Expr<'a>>),
    /// `condition ? a : b`.
    Condition(Box<Expr<'a>>, Box<Expr<'a>>, Box<Expr<'a>>),
}

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Coalesce,
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
}

/// Deepest nesting and longest text of an expression; guards, since the parser and every walk over
/// its tree are recursive.
const MAX_DEPTH: usize = 64;
const MAX_LENGTH: usize = 4096;

/// Parses a whole expression; the error says what was expected and where.
pub fn parse(source: &str) -> Result<Expr<'_>, String> {
    if source.len() > MAX_LENGTH {
        return Err(format!("an expression has at most {MAX_LENGTH} bytes, this one {}", source.len()));
    }
    let mut parser = Parser { source, at: 0, depth: 0 };
    let expr = parser.condition()?;
    parser.skip_space();
    if parser.at < source.len() {
        return Err(parser.error("the end of the expression"));
    }
    Ok(expr)
}

struct Parser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, expected: &str) -> String {
        match self.rest() {
            "" => format!("expected {expected} at the end of `{}`", self.source),
            rest => format!("expected {expected} before `{rest}` in `{}`", self.source),
        }
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Consumes `token` if it comes next; a word must end at a word boundary.
    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        let Some(after) = self.rest().strip_prefix(token) else {
            return false;
        };
        let is_word = token.starts_with(|c: char| c.is_ascii_alphabetic());
        if is_word && after.starts_with(is_name_char) {
            return false;
        }
        self.at += token.len();
        true
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.take(token) { Ok(()) } else { Err(self.error(&format!("`{token}`"))) }
    }

    /// What `parse` reads, one level deeper.
    fn inner(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Expr<'a>, String>,
    ) -> Result<Box<Expr<'a>>, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("less nesting"));
        }
        let expr = parse(self)?;
        self.depth -= 1;
        Ok(Box::new(expr))
    }

    fn condition(&mut self) -> Result<Expr<'a>, String> {
        let test = self.coalesce()?;
        self.skip_space();
        if self.rest().starts_with("??") || !self.take("?") {
            return Ok(test);
        }
        let yes = self.inner(Self::condition)?;
        self.expect(":")?;
        Ok(Expr::Condition(Box::new(test), yes, self.inner(Self::condition)?))
    }

    fn coalesce(&mut self) -> Result<Expr<'a>, String> {
        let left = self.left(0)?;
        if self.take("??") {
            return Ok(Expr::Binary(Operator::Coalesce, Box::new(left), self.inner(Self::coalesce)?));
        }
        Ok(left)
    }

    /// Left-associative operators by level, loosest first.
    fn left(&mut self, level: usize) -> Result<Expr<'a>, String> {
        use Operator as O;
        const LEVELS: [&[(&str, Operator)]; 5] = [
            &[("or", O::Or)],
            &[("and", O::And)],
            &[
                ("==", O::Equal),
                ("!=", O::NotEqual),
                ("<=", O::LessOrEqual),
                (">=", O::GreaterOrEqual),
                ("<", O::Less),
                (">", O::Greater),
                ("in", O::In),
            ],
            &[("+", O::Add), ("-", O::Subtract)],
            &[("*", O::Multiply), ("//", O::FloorDivide), ("/", O::Divide), ("%", O::Remainder)],
        ];
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        if level == 2 && self.take("not") {
            return Ok(Expr::Not(self.inner(|parser| parser.left(2))?));
        }
        let mut left = self.left(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(token, _)| self.take(token)) {
            left = Expr::Binary(*operator, Box::new(left), Box::new(self.left(level + 1)?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr<'a>, String> {
        if self.take("-") {
            return Ok(Expr::Negate(self.inner(Self::unary)?));
        }
        let mut expr = self.atom()?;
        loop {
            if self.take("[") {
                let index = self.inner(Self::condition)?;
                self.expect("]")?;
                expr = Expr::Index(Box::new(expr), index);
            } else if self.take(".") {
                expr = Expr::Member(Box::new(expr), self.name()?);
            } else {
                return Ok(expr);
            }
        }
    }

    fn name(&mut self) -> Result<&'a str, String> {
        let rest = self.rest();
        let end = rest.find(|c| !is_name_char(c)).unwrap_or(rest.len());
        if end == 0 || rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.error("a name"));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn items(&mut self, close: &str) -> Result<Vec<Expr<'a>>, String> {
        let mut items = Vec::new();
        if self.take(close) {
            return Ok(items);
        }
        loop {
            items.push(*self.inner(Self::condition)?);
            if self.take(close) {
                return Ok(items);
            }
            self.expect(",")?;
        }
    }

    fn atom(&mut self) -> Result<Expr<'a>, String> {
        self.skip_space();
        if self.take("(") {
            let inner = self.inner(Self::condition)?;
            self.expect(")")?;
            return Ok(*inner);
        }
        if self.take("[") {
            return Ok(Expr::List(self.items("]")?));
        }
        if self.take(".") {
            return Ok(Expr::Key(self.name()?));
        }
        let rest = self.rest();
        match rest.chars().next() {
            Some('\'') => {
                let Some(end) = rest[1..].find('\'') else {
                    return Err(self.error("a closing quote"));
                };
                self.at += end + 2;
                Ok(Expr::Text(&rest[1..=end]))
            }
            Some(c) if c.is_ascii_digit() => self.number(),
            Some(c) if is_name_char(c) => {
                let name = self.name()?;
                Ok(match name {
                    "true" => Expr::Flag(true),
                    "false" => Expr::Flag(false),
                    "null" => Expr::Null,
                    _ if self.take("(") => Expr::Call(name, self.items(")")?),
                    _ => Expr::Name(name),
                })
            }
            _ => Err(self.error("a value")),
        }
    }

    fn number(&mut self) -> Result<Expr<'a>, String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let text = &rest[..end];
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits: Option<i128> = format!("{whole}{fraction}").parse().ok();
        let scale = u32::try_from(fraction.len()).ok().and_then(|n| 10_i128.checked_pow(n));
        match (digits, scale) {
            (Some(digits), Some(scale)) => {
                self.at += end;
                Ok(Expr::Number(digits, scale))
            }
            _ => Err(self.error("a number")),
        }
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

impl<'a> Expr<'a> {
    /// Calls `visit` with this expression and every one inside it.
    pub fn walk(&self, visit: &mut impl FnMut(&Expr<'a>)) {
        visit(self);
        match self {
            Self::Number(..) | Self::Text(_) | Self::Flag(_) | Self::Null | Self::Name(_) | Self::Key(_) => {}
            Self::List(items) | Self::Call(_, items) => items.iter().for_each(|item| item.walk(visit)),
            Self::Member(inner, _) | Self::Not(inner) | Self::Negate(inner) => inner.walk(visit),
            Self::Index(left, right) | Self::Binary(_, left, right) => {
                left.walk(visit);
                right.walk(visit);
            }
            Self::Condition(test, yes, no) => [test, yes, no].into_iter().for_each(|part| part.walk(visit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Expr, Operator, parse};

    #[test]
    fn a_name_with_a_dot_is_a_key_and_without_one_a_definition() {
        let (key, name) = (Box::new(Expr::Key("head_dim")), Box::new(Expr::Name("hidden")));
        assert_eq!(parse(".head_dim ?? hidden"), Ok(Expr::Binary(Operator::Coalesce, key, name)));
        let part = Expr::Member(Box::new(Expr::Key("text_config")), "head_dim");
        assert_eq!(parse(".text_config.head_dim"), Ok(part));
    }

    #[test]
    fn an_error_shows_what_was_read_and_what_was_not() {
        let error = |text: &'static str| parse(text).unwrap_err();
        assert_eq!(error("linear(hidden, vocab"), "expected `,` at the end of `linear(hidden, vocab`");
        assert_eq!(error("a b"), "expected the end of the expression before `b` in `a b`");
        assert_eq!(error("."), "expected a name at the end of `.`");
        assert_eq!(error("2 * .5"), "expected a name before `5` in `2 * .5`");
        assert_eq!(error("a ? b"), "expected `:` at the end of `a ? b`");
    }

    #[test]
    fn nesting_and_length_have_a_limit() {
        for deep in ["(", "-", "not ", "[", "f(", "1 ?? ", "1 ? 2 : ", "a["] {
            assert!(parse(&deep.repeat(63)).unwrap_err().contains("expected a value"), "{deep}");
            assert!(parse(&deep.repeat(65)).unwrap_err().contains("less nesting"), "{deep}");
        }
        assert!(parse(&"1 + ".repeat(2000)).unwrap_err().contains("at most 4096 bytes"));
    }
}
