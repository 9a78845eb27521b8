//! Prints docs/accuracy.md: every released model of the fixtures, our figures beside transformers'.

fn main() {
    print!("{}", planner_tests::transformers::accuracy_table());
}
