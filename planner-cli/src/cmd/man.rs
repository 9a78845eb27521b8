//! `kvplan man`: the manual page, with sections that clap does not know.

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::args::{self, ENVIRONMENT, EXAMPLES, EXIT_CODES};

/// The page in roff.
pub fn page() -> String {
    let mut page = Vec::new();
    // the sections below say what the help has after its flags
    let command = args::command().after_help("").after_long_help("");
    let man = Man::new(command).manual("kvplan");
    // Writing to memory does not fail.
    let _ = man.render_title(&mut page);
    let _ = man.render_name_section(&mut page);
    let _ = man.render_synopsis_section(&mut page);
    let _ = man.render_description_section(&mut page);
    let _ = man.render_options_section(&mut page);
    let _ = man.render_subcommands_section(&mut page);
    for (title, rows) in [("EXIT STATUS", EXIT_CODES), ("ENVIRONMENT", ENVIRONMENT), ("EXAMPLES", EXAMPLES)] {
        let _ = section(title, rows).to_writer(&mut page);
    }
    let _ = man.render_version_section(&mut page);
    String::from_utf8_lossy(&page).into_owned()
}

fn section(title: &str, rows: &[(&str, &str)]) -> Roff {
    let mut roff = Roff::default();
    roff.control("SH", [title]);
    for (name, what) in rows {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*what)]);
    }
    roff
}
