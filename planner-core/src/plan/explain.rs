//! Formulas with the numbers put in.
