//! A plan for readers: as data for programs, and as the sentences of an explanation. Tables and colours are the
//! command line's and the page's.

pub mod document;
pub mod explain;
mod explain_engine;
pub mod json;
pub mod words;
