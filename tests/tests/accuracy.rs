//! The public accuracy table is the one that this code and these fixtures give.

use std::path::Path;

#[test]
fn the_published_table_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/accuracy.md");
    let published = std::fs::read_to_string(path).unwrap();
    assert!(
        published == planner_tests::transformers::accuracy_table(),
        "docs/accuracy.md is out of date: cargo run -p planner-tests --example accuracy > docs/accuracy.md"
    );
}
