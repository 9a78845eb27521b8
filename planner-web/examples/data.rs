//! `data page` and `data planner` write the page's two data files to standard output, from the tables of the
//! command line, and `data flags` the table of flags that its script is bundled with.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    let data = match std::env::args().nth(1).as_deref() {
        Some("page") => tables::page_data().to_string(),
        Some("flags") => tables::flags().to_string(),
        _ => tables::planner_data(),
    };
    io::stdout().write_all(data.as_bytes())
}

#[path = "shared/tables.rs"]
mod tables;
