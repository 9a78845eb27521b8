//! Reading a file's header piece by piece: every read may fail, and what is kept is counted.

use std::io::Read;

use crate::error::{Error, Result};
use crate::text::{Argument, Sentence};

/// Bytes that are read from the file at once.
const BUFFER: usize = 1 << 16;
/// The most memory that kept keys, strings and lists may take.
const KEPT_BYTES: u64 = 16 << 20;

/// An error of the file's format.
pub(super) fn error(why: impl Into<Sentence>) -> Error {
    Error::parse("GGUF", why)
}

/// A buffered reader that knows its place in the file.
pub(super) struct Reader<'a> {
    input: &'a mut dyn Read,
    buffer: Vec<u8>,
    /// What of the buffer is not yet used.
    unused: std::ops::Range<usize>,
    at: u64,
    kept: u64,
}

impl<'a> Reader<'a> {
    /// At the start of a file.
    pub(super) fn new(input: &'a mut dyn Read) -> Self {
        Self { input, buffer: vec![0; BUFFER], unused: 0..0, at: 0, kept: 0 }
    }

    /// The byte of the file that comes next.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// At most `most` bytes that come next; none at the end of the file.
    fn next(&mut self, most: usize) -> std::io::Result<&[u8]> {
        while self.unused.is_empty() {
            match self.input.read(&mut self.buffer) {
                Ok(0) => return Ok(&[]),
                Ok(count) => self.unused = 0..count.min(BUFFER),
                Err(cause) if cause.kind() == std::io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(cause),
            }
        }
        let taken = self.unused.len().min(most);
        let from = self.unused.start;
        self.unused.start += taken;
        self.at += taken as u64;
        Ok(self.buffer.get(from..from + taken).unwrap_or_default())
    }

    fn unreadable(&self, cause: &std::io::Error, what: &dyn Argument) -> Error {
        error(say!("{0} at byte {1} cannot be read: {2}", what, self.at, Sentence::io(cause)))
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8], what: &dyn Argument) -> Result<()> {
        let start = self.at;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let part = match self.next(rest.len()) {
                Ok([]) => {
                    Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "failed to fill whole buffer"))
                }
                other => other,
            };
            match part {
                Ok(part) => {
                    filled += part.len();
                    rest.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
                }
                Err(cause) => {
                    self.at = start;
                    return Err(self.unreadable(&cause, what));
                }
            }
        }
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self, what: &dyn Argument) -> Result<[u8; N]> {
        let mut buffer = [0; N];
        self.fill(&mut buffer, what)?;
        Ok(buffer)
    }

    pub(super) fn u32(&mut self, what: &dyn Argument) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    pub(super) fn u64(&mut self, what: &dyn Argument) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// Reads bytes and drops them.
    pub(super) fn skip(&mut self, mut count: u64, what: &dyn Argument) -> Result<()> {
        while count > 0 {
            match self.next(usize::try_from(count).unwrap_or(usize::MAX)) {
                Ok([]) => {
                    let end = std::io::ErrorKind::UnexpectedEof;
                    let cause = std::io::Error::new(end, "failed to fill whole buffer");
                    return Err(self.unreadable(&cause, what));
                }
                Ok(part) => count -= part.len() as u64,
                Err(cause) => return Err(self.unreadable(&cause, what)),
            }
        }
        Ok(())
    }

    /// Skips a list of `count` strings, each at most `most` bytes long.
    pub(super) fn skip_strings(&mut self, count: u64, most: u64, what: &dyn Argument) -> Result<()> {
        for _ in 0..count {
            let length = self.u64(what)?;
            if length > most {
                let what = say!("length of a string of the {0}", what);
                return Err(error(say!(
                    "{0} at byte {1} is {2}, at most {3}",
                    what,
                    self.at - 8,
                    length,
                    most
                )));
            }
            self.skip(length, what)?;
        }
        Ok(())
    }

    /// Counts memory to be kept, where there is room for it.
    pub(super) fn keep(&mut self, bytes: u64) -> Result<()> {
        let kept = self.kept.saturating_add(bytes);
        if kept > KEPT_BYTES {
            return Err(error(say!("its metadata is beyond {0} bytes at byte {1}", KEPT_BYTES, self.at)));
        }
        self.kept = kept;
        Ok(())
    }

    pub(super) fn count(&mut self, what: &dyn Argument, most: u64) -> Result<u64> {
        let at = self.at;
        match self.u64(what)? {
            count if count > most => {
                Err(error(say!("{0} at byte {1} is {2}, at most {3}", what, at, count, most)))
            }
            count => Ok(count),
        }
    }

    /// Bytes that are kept.
    pub(super) fn bytes(&mut self, length: u64, what: &dyn Argument) -> Result<Vec<u8>> {
        self.keep(length)?;
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    pub(super) fn string(&mut self, what: &dyn Argument, most: u64) -> Result<String> {
        let length = self.count(&say!("length of {0}", what), most)?;
        String::from_utf8(self.bytes(length, what)?).map_err(|_| error(say!("{0} is not UTF-8", what)))
    }
}
