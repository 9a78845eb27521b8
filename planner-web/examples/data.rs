//! Writes the page's data file to standard output: catalogue, GPUs, encoders
//! and sentences, from the tables of the command line.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    io::stdout().write_all(tables::data().to_string().as_bytes())
}

#[path = "shared/tables.rs"]
mod tables;
