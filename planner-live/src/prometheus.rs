//! Prometheus' text format, as far as gauges need it: `name{label="value",…} number`.
//!
//! Restates <https://prometheus.io/docs/instrumenting/exposition_formats/>: `\\`, `\"` and `\n` are escaped in a value,
//! a time stamp may follow the number.

/// One series.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Labels in their order.
    pub labels: Vec<(String, String)>,
    /// Value.
    pub value: f64,
}

impl Series {
    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// The series of a metric, in the order of the text. A line that is malformed is none.
pub fn series(text: &str, name: &str) -> Vec<Series> {
    text.lines().filter_map(|line| line.trim_start().strip_prefix(name).and_then(one)).collect()
}

/// What follows the name on a line.
fn one(rest: &str) -> Option<Series> {
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None if rest.starts_with([' ', '\t']) => (Vec::new(), rest),
        None => return None,
    };
    Some(Series { labels, value: rest.split_whitespace().next()?.parse().ok()? })
}

/// Labels up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, behind) = value(quoted)?;
        labels.push((name.trim().to_owned(), value));
        rest = behind;
    }
}

/// A value up to its quote, without escapes, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_with_their_escapes() {
        let text = "# HELP a x\n# TYPE a gauge\na{m=\"x\\\"},\\\\y\\n\",n=\"None\"} 1.0 1700000000\nab{m=\"z\"} 2\na 3\n";
        let read = series(text, "a");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].label("m"), read[0].label("n")), (Some("x\"},\\y\n"), Some("None")));
        assert_eq!((read[0].value, read[1].value), (1.0, 3.0));
        assert_eq!(read[1].labels, []);
    }

    #[test]
    fn a_line_that_ends_early_is_no_series() {
        for line in
            ["a{", "a{m", "a{m=", "a{m=\"", "a{m=\"x", "a{m=\"x\\", "a{m=\"x\"", "a{m=\"x\"}", "a", "a{} x"]
        {
            assert_eq!(series(line, "a"), [], "{line}");
        }
        assert_eq!(series("a{m=\"x\"} NaN", "a").len(), 1);
    }
}
