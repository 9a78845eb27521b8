//! Part of kvplan.
