//! Comma-separated values (RFC 4180): a plan as `key,value` rows with the JSON's keys as paths.

use serde_json::Value as Json;

/// One row, with quotes where a cell needs them.
pub fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quote = |cell: &str| {
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell.to_owned()
        }
    };
    cells.into_iter().map(quote).collect::<Vec<_>>().join(",") + "\n"
}

/// Every value of the JSON under its path (`kv.bytes_per_token`).
pub fn json(json: &Json) -> String {
    let mut text = row(["key", "value"]);
    flatten("", json, &mut text);
    text
}

fn flatten(path: &str, value: &Json, text: &mut String) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Json::Object(map) => map.iter().for_each(|(key, value)| flatten(&join(key), value, text)),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| flatten(&join(&at.to_string()), value, text))
        }
        Json::String(value) => text.push_str(&row([path, value])),
        Json::Null => text.push_str(&row([path, ""])),
        other => text.push_str(&row([path, &other.to_string()])),
    }
}
