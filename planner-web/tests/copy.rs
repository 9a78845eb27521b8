//! The page's sentences are there in both languages, and each is used.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value};

fn www() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("www")
}

fn copy(language: &str) -> Map<String, Value> {
    let text = fs::read_to_string(www().join(format!("copy/{language}.json"))).unwrap();
    let entries: Map<String, Value> = serde_json::from_str(&text).unwrap();
    // one entry for each line between two braces: a key that stands twice would be one entry in two lines
    assert_eq!(entries.len() + 2, text.lines().count(), "{language}.json");
    entries
}

/// The names in braces.
fn placeholders(text: &Value) -> BTreeSet<&str> {
    let pieces = text.as_str().unwrap().split('{').skip(1);
    pieces.map(|piece| piece.split_once('}').unwrap().0).collect()
}

#[test]
fn both_languages_have_every_entry_with_the_same_placeholders() {
    let (english, chinese) = (copy("en"), copy("zh"));
    assert_eq!(english.keys().collect::<Vec<_>>(), chinese.keys().collect::<Vec<_>>());
    for (key, text) in &english {
        assert!(!text.as_str().unwrap().is_empty() && !chinese[key].as_str().unwrap().is_empty(), "{key}");
        assert_eq!(placeholders(text), placeholders(&chinese[key]), "{key}");
    }
}

/// Every word of the page's files that is written like a key: `answer.title`, and `kind.` before `${`.
fn words_of_the_page() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut keys, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    for file in fs::read_dir(www()).unwrap() {
        let path = file.unwrap().path();
        if !path.extension().is_some_and(|ext| ext == "js" || ext == "html") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for (prefix, _) in text.match_indices("${").map(|(at, _)| text.split_at(at)) {
            let start = prefix.rfind('`').map_or(0, |at| at + 1);
            prefixes.insert(prefix[start..].to_owned());
        }
        keys.extend(text.split(['"', '`']).map(str::to_owned));
    }
    prefixes.retain(|prefix| prefix.ends_with('.') && prefix.len() > 1);
    (keys, prefixes)
}

#[test]
fn the_page_uses_every_entry_and_no_other() {
    let (words, prefixes) = words_of_the_page();
    let copy = copy("en");
    for key in copy.keys() {
        let is_used = words.contains(key) || prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
        assert!(is_used, "{key} is used nowhere");
    }
    let parts: BTreeSet<&str> =
        copy.keys().filter_map(|key| key.split_once('.')).map(|(part, _)| part).collect();
    for word in &words {
        let is_key = word.split_once('.').is_some_and(|(part, rest)| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            parts.contains(part) && !rest.is_empty() && rest.chars().all(is_name)
        });
        let is_file = word.ends_with(".js") || word.ends_with(".css") || word.ends_with(".json");
        assert!(!is_key || is_file || copy.contains_key(word), "{word} has no sentence");
    }
}
