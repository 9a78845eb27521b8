//! The device a measurement runs on.

use candle_core::Device;
use planner_core::error::Code;
use planner_core::text::Sentence;
use planner_core::{Error, Result};

use crate::messages;

/// Names of the `--device` flag.
pub const NAMES: &[&str] = &["auto", "cpu", "cuda", "metal"];

/// A device of a name; `auto` is the first of a GPU this build knows and finds, else the CPU.
pub fn open(name: &str) -> Result<Device> {
    let refuse = |name: &str, why: Sentence| {
        Error::refused(Code::MeasureDevice, why).about(messages::DEVICE.say(&[&name]))
    };
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" if !candle_core::utils::cuda_is_available() => Err(refuse(name, messages::NO_CUDA.into())),
        "metal" if !candle_core::utils::metal_is_available() => Err(refuse(name, messages::NO_METAL.into())),
        "cuda" => Device::new_cuda(0).map_err(|error| refuse(name, said(first_line(&error)))),
        "metal" => Device::new_metal(0).map_err(|error| refuse(name, said(first_line(&error)))),
        "auto" => {
            let gpu = || match candle_core::utils::cuda_is_available() {
                true => Device::new_cuda(0).ok(),
                false if candle_core::utils::metal_is_available() => Device::new_metal(0).ok(),
                false => None,
            };
            Ok(gpu().unwrap_or(Device::Cpu))
        }
        other => Err(Error::bad_value("--device", other, Sentence::list(NAMES.iter().copied()))),
    }
}

/// What candle, or a library under it, says.
pub fn said(line: String) -> Sentence {
    let instead = messages::IT_REPORTS.say(&[&line]);
    Sentence::foreign(line, instead)
}

/// What went wrong, without the backtrace that candle may add.
pub fn first_line(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// A failure of candle.
pub fn failed(error: candle_core::Error) -> Error {
    Error::refused(Code::MeasureFailed, said(first_line(&error))).about(messages::THIS_MEASUREMENT)
}

/// The name of an open device.
pub fn name(device: &Device) -> &'static str {
    match device {
        Device::Cpu => "cpu",
        Device::Cuda(_) => "cuda",
        Device::Metal(_) => "metal",
    }
}
