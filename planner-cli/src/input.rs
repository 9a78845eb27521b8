//! Bytes from outside: a file, a pipe or standard input, read once and never without a limit.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use planner_core::text::{Sentence, Words};
use planner_core::{Error, Result, say, words};

/// The largest text that is read as a configuration.
const MAX_CONFIG_BYTES: u64 = 16 << 20;
/// The most of a file that its GGUF header may take: the largest vocabularies take 30 MB.
const MAX_HEADER_BYTES: u64 = 256 << 20;
/// Bytes that tell what a file is.
const START: usize = 4096;

/// A file that was opened, and its first bytes.
pub struct Input {
    /// The name as it was given.
    shown: String,
    start: Vec<u8>,
    rest: Box<dyn Read>,
}

/// A file that cannot be read.
pub fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::unreadable(path, Sentence::io(error))
}

impl Input {
    /// Standard input.
    pub fn stdin() -> Result<Self> {
        Self::new("-".into(), Box::new(std::io::stdin()))
    }

    /// A file, a FIFO or a device.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
        Self::new(shown, Box::new(file))
    }

    fn new(shown: String, mut rest: Box<dyn Read>) -> Result<Self> {
        let mut start = Vec::new();
        let read = rest.by_ref().take(START as u64).read_to_end(&mut start);
        read.map_err(|error| unreadable(&shown, &error))?;
        Ok(Self { shown, start, rest })
    }

    /// Whether it is a GGUF file.
    pub fn is_gguf(&self) -> bool {
        planner_core::source::gguf::is_gguf(&self.start)
    }

    /// Its bytes from the first, as far as a GGUF header may go.
    pub fn header(self) -> impl Read {
        Cursor::new(self.start).chain(self.rest).take(MAX_HEADER_BYTES)
    }

    /// Its text.
    ///
    /// # Errors
    /// What it is instead of a configuration, or that it is too large.
    pub fn text(mut self) -> Result<String> {
        let refuse = |why: Words| Error::unreadable(self.shown.as_str(), why);
        if let Some(what) = other_than_text(&self.start) {
            return Err(refuse(what));
        }
        let room = MAX_CONFIG_BYTES - self.start.len() as u64;
        let read = self.rest.by_ref().take(room + 1).read_to_end(&mut self.start);
        read.map_err(|error| unreadable(&self.shown, &error))?;
        if self.start.len() as u64 > MAX_CONFIG_BYTES {
            return Err(Error::unreadable(
                self.shown,
                say!("more than {0} bytes is too large for a configuration", MAX_CONFIG_BYTES),
            ));
        }
        String::from_utf8(self.start)
            .map_err(|_| Error::unreadable(self.shown, words!("it is not UTF-8 text")))
    }
}

/// What a file is whose first bytes are not those of a text.
fn other_than_text(start: &[u8]) -> Option<Words> {
    let is_safetensors = start.first_chunk::<8>().is_some_and(|length| {
        // the header's length, then its JSON (safetensors, `SafeTensors::read_metadata`)
        u64::from_le_bytes(*length) <= 100_000_000 && start.get(8) == Some(&b'{')
    });
    let is_broken = |start: &[u8]| std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some());
    Some(match start {
        _ if is_safetensors => words!(
            "it is a safetensors file, which holds weights: name its folder, or the config.json beside it"
        ),
        [b'P', b'K', 3, 4, ..] => {
            words!("it is a ZIP archive, as PyTorch writes weights: name the config.json beside it")
        }
        [0x1f, 0x8b, ..] => words!("it is compressed with gzip"),
        [0x89, b'H', b'D', b'F', ..] => {
            words!("it is an HDF5 file, which holds weights: name the config.json beside it")
        }
        _ if start.contains(&0) => words!("it is binary, not a configuration"),
        _ if is_broken(start) => words!("it is not UTF-8 text"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::other_than_text;

    #[test]
    fn a_file_says_what_it_is() {
        let safetensors = b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}";
        let what = |start: &[u8]| other_than_text(start).map(|what| what.to_string()).unwrap_or_default();
        assert!(what(safetensors).contains("safetensors"));
        assert!(what(b"PK\x03\x04").contains("ZIP"));
        assert!(what(&[0; 4096]).contains("binary"));
        assert!(what(b"\xff\xfe{}").contains("UTF-8"));
        assert_eq!(what(b"{\"model_type\": \"llama\"}"), "");
        // a character that the first bytes cut is no damage
        assert_eq!(what("{\"name\": \"模".as_bytes().split_last().unwrap().1), "");
    }
}
