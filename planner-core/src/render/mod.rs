//! A plan as data for programs. What people read is painted by the command line and the page.

pub mod json;
