//! Prints docs/weights.md: weight bytes beside the quantizers' and published checkpoints'.

fn main() {
    print!("{}", planner_tests::weights::table());
}
