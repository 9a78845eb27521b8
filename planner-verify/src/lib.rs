//! Measures what a plan predicts: a real cached decode with candle, its cache in plain sight.
//!
//! The decoder has the model's own query and KV heads, key and value widths, windows, latents, states
//! and shared layers, in the planned type; its weights are seeded, and its width and vocabulary are
//! narrowed, since no cache depends on them. Each kind of layer is measured in stacks of one and of two
//! layers, so that what one layer adds is a difference of two measurements; the whole model follows by
//! counting its layers, and is labelled as extrapolated. Two figures are read at several counts of
//! tokens: the bytes of the cache tensors (elements × bytes of one), which must equal the prediction,
//! and how much the heap grew, which adds tensor headers and the unused rows of rings.
//!
//! This is the only crate that knows candle. Linking it counts heap allocations of the whole program.

mod alloc;
mod attention;
pub mod bench;
pub mod checkpoint;
mod decoder;
mod device;
mod kept;
mod kinds;
mod latent;
mod measure;
mod memory;
mod module;
pub mod real;
mod report;
mod shape;
mod state;
mod timing;
mod verify;
mod weights;

pub use report::{BACKEND, KindReport, ModuleReport, Point, Report, Timing};
pub use verify::{DEFAULT_TOKENS, Options, PASSED_WINDOW, verify};
