//! GGUF files that the reader drops. Each is given by its start, as far as its header reaches. A model in
//! several files is read after the last of them.

use std::cell::RefCell;
use std::io::{self, Read};

use planner_core::engine::llamacpp::from_gguf::model;
use planner_core::error::{Error, Result};
use planner_core::source::gguf::Header;
use planner_core::spec::model::ModelSpec;
use planner_core::text::Sentence;
use planner_core::{say, words};

/// One of the files that were dropped together.
#[derive(Debug)]
pub struct File<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its first bytes.
    pub start: &'a [u8],
    /// How many bytes the file has in all.
    pub bytes: u64,
    /// Its position among the dropped files.
    pub index: usize,
    /// How many were dropped.
    pub files: usize,
}

/// The result of one file.
#[derive(Debug)]
pub enum Given {
    /// The header is longer than the given start.
    More,
    /// Further files are expected.
    Next,
    /// The last file was read: the first file's name, and the model.
    Model(String, Box<ModelSpec>),
}

thread_local! {
    static HEADERS: RefCell<Vec<(String, Header)>> = const { RefCell::new(Vec::new()) };
}

/// The start of a file, and whether a reader came to its end.
struct Start<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl Read for Start<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.ended |= self.rest.len() < buffer.len();
        self.rest.read(buffer)
    }
}

/// Reads one file.
pub fn read(file: &File<'_>) -> Result<Given> {
    let mut start = Start { rest: file.start, ended: false };
    let header = match Header::read(&mut start) {
        Err(_) if start.ended && (file.start.len() as u64) < file.bytes => return Ok(Given::More),
        header => header?,
    };
    let headers = HEADERS.with_borrow_mut(|headers| {
        if file.index == 0 {
            headers.clear();
        }
        headers.push((file.name.to_owned(), header));
        (headers.len() == file.files).then(|| std::mem::take(headers))
    });
    let Some(headers) = headers else { return Ok(Given::Next) };
    let (name, header) = joined(headers)?;
    let id = name.strip_suffix(".gguf").unwrap_or(&name);
    let mut model = model(id, &header)?;
    model.location = Some(name.clone());
    Ok(Given::Model(name, Box::new(model)))
}

/// The header of a whole model, from its files in any order.
fn joined(mut headers: Vec<(String, Header)>) -> Result<(String, Header)> {
    headers.sort_by_key(|(_, header)| header.split().1);
    let given = headers.len() as u64;
    let mut rest = headers.into_iter();
    let Some((name, mut first)) = rest.next() else {
        return Err(unreadable("", words!("no file was given")));
    };
    let (count, position) = first.split();
    if count != given || position != 0 {
        let why =
            say!("{0} of the {1} files of this model were given: give all of them at once", given, count);
        return Err(unreadable(&name, why));
    }
    for (place, (other, header)) in rest.enumerate() {
        if header.split() != (count, place as u64 + 1) {
            return Err(unreadable(
                &other,
                say!("it is not part {0} of {1} of `{2}`", place + 2, count, name),
            ));
        }
        first.append(header)?;
    }
    Ok((name, first))
}

fn unreadable(path: &str, why: impl Into<Sentence>) -> Error {
    Error::unreadable(path, why)
}
