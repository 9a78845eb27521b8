//! The story's demo: one small attention layer computed for the reader's sentence, and a small pool of
//! blocks. Nothing here is part of a plan.

pub mod attention;
mod linear;
pub mod pool;
mod sentence;
