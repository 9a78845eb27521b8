//! Measures what a plan predicts: a real cached decode with candle, its cache in plain sight.
//!
//! The decoder has the model's own query and KV heads, key and value widths, windows, latents, states and
//! shared layers, in the planned type. Its weights are seeded. Its width and vocabulary are narrowed, because
//! no cache depends on them.
//!
//! Each kind of layer is measured in a stack of one layer, and in a stack of as many as time and memory allow.
//! The difference gives the bytes of one layer. Where not all layers ran, the rest is counted so, and the
//! report is labelled as extrapolated.
//!
//! Three figures are read at several counts of tokens, and once for a batch of sessions:
//!
//! - the bytes of the cache tensors (elements × bytes of one), which must equal the prediction;
//! - the allocator's growth, which also has tensor headers and the unused rows of rings;
//! - how much less memory the device as a whole has.
//!
//! Linking this crate counts heap allocations of the whole program.

mod alloc;
mod attention;
pub mod checkpoint;
mod choose;
pub mod decoder;
pub mod device;
mod gauge;
mod kept;
mod kinds;
mod latent;
mod measure;
pub mod memory;
mod messages;
mod module;
pub mod real;
mod report;
pub mod shape;
mod state;
pub mod timing;
mod verify;
pub mod weights;

pub use choose::{DEFAULT_TOKENS, PASSED_WINDOW};
pub use module::own_module;
pub use report::{BACKEND, KindReport, ModuleReport, Point, Report, Timing};
pub use verify::{Options, Watch, verify};
