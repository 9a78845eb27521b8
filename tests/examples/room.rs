//! Prints docs/room.md: the room for the cache beside that of start-up logs.

fn main() {
    print!("{}", planner_tests::room::table());
}
