//! Comma-separated values (RFC 4180): a plan as `key,value` rows with the JSON's keys as paths.

use serde_json::Value as Json;

/// Rows of cells, in quotes where they need them.
pub fn rows<Row>(rows: impl IntoIterator<Item = Row>) -> String
where
    Row: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    for row in rows {
        // Writing to memory does not fail.
        let _ = writer.write_record(row);
    }
    let bytes = writer.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Every value of the JSON under its path (`kv.bytes_per_token`).
pub fn json(json: &Json) -> String {
    let mut cells = vec![["key".to_owned(), "value".to_owned()]];
    flatten("", json, &mut cells);
    rows(&cells)
}

fn flatten(path: &str, value: &Json, cells: &mut Vec<[String; 2]>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Json::Object(map) => map.iter().for_each(|(key, value)| flatten(&join(key), value, cells)),
        Json::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| flatten(&join(&at.to_string()), value, cells))
        }
        Json::String(value) => cells.push([path.to_owned(), value.clone()]),
        Json::Null => cells.push([path.to_owned(), String::new()]),
        other => cells.push([path.to_owned(), other.to_string()]),
    }
}
