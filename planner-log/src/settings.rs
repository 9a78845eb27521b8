//! Settings as engines print them at their start: `key=value` and `'key': value`, values in Python's notation.

/// A key of an engine's own and kvplan's flag for it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As the engine prints it.
    pub key: &'static str,
    /// kvplan's flag without its dashes; empty for a setting that kvplan has no flag for.
    pub flag: &'static str,
}

/// A key with its flag.
pub const fn key(key: &'static str, flag: &'static str) -> Key {
    Key { key, flag }
}

/// The value of a key; a string without its quotes. `None` is a value that was not given.
pub fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.match_indices(key).find_map(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = &line[at + key.len()..];
        let value = match before {
            Some(quote @ ('\'' | '"')) => after.strip_prefix(quote)?.trim_start().strip_prefix(':')?,
            Some(c) if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => return None,
            _ => after.strip_prefix('=').or_else(|| after.strip_prefix(": "))?,
        };
        let value = literal(value.trim_start())?;
        (value != "None" && value != "null").then_some(value)
    })
}

/// The first literal of a text: a quoted string, or all up to a separator.
fn literal(text: &str) -> Option<&str> {
    let value = match text.chars().next()? {
        quote @ ('\'' | '"') => text[1..].split(quote).next()?,
        _ => text.split([',', ')', '}', ']', ' ', ';']).next()?,
    };
    (!value.is_empty()).then_some(value)
}

/// A value as kvplan's flag takes it; nothing where it is the engine's own choice.
pub fn as_flag(flag: &str, value: &str) -> Option<String> {
    Some(match (flag, value) {
        (_, "auto") => return None,
        ("kv-dtype", dtype) => {
            dtype.trim_start_matches("torch.").replace("bfloat16", "bf16").replace("float16", "f16")
        }
        (_, "True" | "true") => "on".to_owned(),
        (_, "False" | "false") => "off".to_owned(),
        (_, value) if value.bytes().all(|b| b.is_ascii_digit() || b == b',') => value.replace(',', ""),
        (_, value) => value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_both_notations_are_read() {
        let line = "args: {'model': 'a/b', 'tensor_parallel_size': 2, 'n': None} x(model='c', tp_size=4)";
        assert_eq!(value(line, "model"), Some("a/b"));
        assert_eq!(value(line, "tensor_parallel_size"), Some("2"));
        assert_eq!(value(line, "tp_size"), Some("4"));
        assert_eq!(value(line, "n"), None);
        assert_eq!(value(line, "size"), None);
        assert_eq!(value("model_path='m', tokenizer=None", "tokenizer"), None);
    }

    #[test]
    fn what_ends_too_early_is_no_value() {
        for line in ["model=", "{'model':", "{'model", "model='"] {
            assert_eq!(value(line, "model"), None, "{line}");
        }
    }
}
