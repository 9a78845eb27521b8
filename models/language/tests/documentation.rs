//! `docs/families.md` teaches every name of the vocabulary, and no other.

use std::collections::BTreeSet;

use planner_language::expr::{Expr, parse};
use planner_language::families;
use planner_language::vocabulary::{CACHE_KINDS, FUNCTIONS, KNOWN, VARIABLES};

const PAGE: &str = include_str!("../../../docs/families.md");

/// The first cells of the table whose header starts with `header`.
fn first_cells(header: &str) -> Vec<&'static str> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with(&format!("| {header} |"))).skip(2);
    rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1)).collect()
}

/// What stands in code marks.
fn marked(cells: &[&'static str]) -> BTreeSet<&'static str> {
    cells.iter().flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

#[test]
fn every_function_has_one_example_that_calls_it_as_it_may_be_called() {
    let examples = marked(&first_cells("Example"));
    assert_eq!(examples.len(), FUNCTIONS.len());
    for function in FUNCTIONS {
        let calls = examples.iter().filter(|example| match parse(example) {
            Ok(Expr::Call(name, arguments)) => {
                name == function.name && (function.least..=function.most).contains(&arguments.len())
            }
            other => panic!("{example}: {other:?}"),
        });
        assert_eq!(calls.count(), 1, "{}", function.name);
    }
}

#[test]
fn every_name_that_the_program_gives_or_reads_is_listed() {
    assert_eq!(marked(&first_cells("Name")), VARIABLES.iter().copied().collect());
    assert_eq!(marked(&first_cells("Definition")), KNOWN.iter().map(|known| known.name).collect());
    for kind in CACHE_KINDS {
        assert!(PAGE.contains(&format!("`{}`", kind.name)), "{}", kind.name);
    }
}

#[test]
fn the_example_is_a_family() {
    let example = PAGE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../families");
    let mut files: Vec<(String, String)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    files.push(("phi3_like.yaml".into(), example.into()));
    let count = files.len();
    let read = families(files.iter().map(|(path, text)| (path.as_str(), text.as_str())));
    assert_eq!(read.map_err(|mistakes| format!("{mistakes:#?}")).unwrap().len(), count);
}
