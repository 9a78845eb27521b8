//! A plan for readers: JSON for programs, sentences of an explanation, and the words of messages. Tables and
//! colours belong to the command line and the page.

pub mod document;
pub mod explain;
mod explain_engine;
pub mod json;
pub mod words;
