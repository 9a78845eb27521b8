//! `--verify`: the plan's bytes against a real cached decode.

/// Exit code where the measured bytes are not the predicted ones.
pub const MISMATCH: u8 = 4;

#[cfg(feature = "verify")]
mod measuring;
#[cfg(feature = "verify")]
pub use measuring::run;
#[cfg(not(feature = "verify"))]
pub use missing::run;

/// In a build without the feature `verify`.
#[cfg(not(feature = "verify"))]
mod missing {
    use clap::ArgMatches;
    use planner_core::error::Code;
    use planner_core::request::Request;
    use planner_core::spec::model::ModelSpec;
    use planner_core::{Error, Result};
    use serde_json::Value as Json;

    use crate::cmd::NO_BACKEND;
    use crate::output::Output;

    /// A verification, of which there is none without the feature: this type has no values.
    pub enum Verified {}

    impl Verified {
        pub fn json(&self) -> Json {
            match *self {}
        }
        pub fn text(&self, _: &Output) -> String {
            match *self {}
        }
        pub fn exit_code(&self) -> u8 {
            match *self {}
        }
    }

    pub fn run(_: &ArgMatches, _: &ModelSpec, _: &Request, _: &Output) -> Result<Verified> {
        Err(Error::refused(Code::MeasureNotBuilt, NO_BACKEND).about("--verify"))
    }
}
