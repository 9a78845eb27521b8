//! The public table of log lines: `cargo run -p planner-tests --example logs > docs/logs.md`.

fn main() {
    print!("{}", planner_tests::log_lines::table());
}
