//! Sentences: an English template with its arguments, made where something happens and read in any language.
//!
//! A template's Chinese is in `zh/`. A template without Chinese stays English, and a test names it.

use std::fmt;
use std::io;
use std::sync::OnceLock;

use super::{Bilingual, Lang, fill};

/// Finds the Chinese of a template.
pub type Translator = fn(&str) -> Option<&'static str>;

static INSTALLED: OnceLock<Translator> = OnceLock::new();

#[cfg(feature = "chinese")]
const FROM_START: Option<Translator> = Some(super::zh::sentence);
#[cfg(not(feature = "chinese"))]
const FROM_START: Option<Translator> = None;

/// Installs the Chinese of sentences, for a program that loads it late.
pub fn install(translator: Translator) {
    let _ = INSTALLED.set(translator);
}

fn chinese(english: &str) -> Option<&'static str> {
    FROM_START.or(INSTALLED.get().copied())?(english)
}

/// An English template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words(&'static str);

impl Words {
    /// For [`words!`](crate::words), by which a test finds every template.
    #[doc(hidden)]
    pub const fn new(english: &'static str) -> Self {
        Self(english)
    }
}

/// In English.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An English text; its Chinese is in `zh/`.
#[macro_export]
macro_rules! words {
    ($english:literal) => {
        $crate::text::Words::new($english)
    };
}

/// A [`Sentence`] of a template and the arguments at its `{0}`, `{1}` …
#[macro_export]
macro_rules! say {
    ($english:literal $(, $argument:expr)* $(,)?) => {
        $crate::text::Sentence::of($crate::words!($english), vec![$($crate::text::Argument::sentence(&$argument)),*])
    };
}

/// A text in every language. Boxed, because errors are rare and should not make every result large.
#[derive(Clone, PartialEq, Eq)]
pub struct Sentence(Box<Kind>);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// A name, a figure or a file's own words, in every language alike.
    Verbatim(String),
    /// A text of a data file (a family's reason to refuse), by its English.
    Data(String),
    /// A template and its arguments.
    Said(Words, Vec<Sentence>),
    /// A template in both languages, and its arguments.
    Bilingual(Bilingual, Vec<Sentence>),
    /// A list of names.
    List(Vec<String>),
    /// Another program's English words, and a text for other languages.
    Foreign(String, Sentence),
}

impl Sentence {
    /// For [`say!`](crate::say).
    #[doc(hidden)]
    pub fn of(words: Words, arguments: Vec<Self>) -> Self {
        Self(Box::new(Kind::Said(words, arguments)))
    }

    /// For [`Bilingual::say`].
    pub(super) fn bilingual(template: Bilingual, arguments: Vec<Self>) -> Self {
        Self(Box::new(Kind::Bilingual(template, arguments)))
    }

    /// Text that is the same in every language.
    pub fn verbatim(text: impl Into<String>) -> Self {
        Self(Box::new(Kind::Verbatim(text.into())))
    }

    /// A list of names.
    pub fn list(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Box::new(Kind::List(names.into_iter().map(Into::into).collect())))
    }

    /// Another program's words, and a text for other languages.
    pub fn foreign(english: impl fmt::Display, instead: impl Into<Self>) -> Self {
        Self(Box::new(Kind::Foreign(english.to_string(), instead.into())))
    }

    /// Why the system could not read or write.
    pub fn io(error: &io::Error) -> Self {
        let instead = match error.kind() {
            io::ErrorKind::NotFound => words!("there is no such file or folder"),
            io::ErrorKind::PermissionDenied => words!("permission denied"),
            io::ErrorKind::IsADirectory => words!("it is a folder"),
            io::ErrorKind::UnexpectedEof => words!("it ends too early"),
            io::ErrorKind::InvalidData => words!("it is not UTF-8 text"),
            io::ErrorKind::StorageFull => words!("no space is left"),
            _ => words!("the system reports a failure"),
        };
        Self::foreign(error, instead)
    }

    /// A text of a data file, by its English.
    pub fn data(english: impl Into<String>) -> Self {
        Self(Box::new(Kind::Data(english.into())))
    }

    /// The text, where every language has the same.
    pub fn name(&self) -> Option<&str> {
        match &*self.0 {
            Kind::Verbatim(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the sentence is empty.
    pub fn is_empty(&self) -> bool {
        self.name().is_some_and(str::is_empty)
    }

    /// The text in a language.
    pub fn text(&self, lang: Lang) -> String {
        let translated = |english| match lang {
            Lang::En => None,
            Lang::Zh => chinese(english),
        };
        match &*self.0 {
            Kind::Verbatim(text) => text.clone(),
            Kind::Data(english) => translated(english).unwrap_or(english).to_owned(),
            Kind::Said(words, arguments) => put(translated(words.0).unwrap_or(words.0), arguments, lang),
            Kind::Bilingual(template, arguments) => put(template.raw(lang), arguments, lang),
            Kind::List(names) => names.join(match lang {
                Lang::En => ", ",
                Lang::Zh => "、",
            }),
            Kind::Foreign(english, instead) => match lang {
                Lang::En => english.clone(),
                Lang::Zh => instead.text(lang),
            },
        }
    }
}

/// A template with its arguments in a language.
fn put(template: &str, arguments: &[Sentence], lang: Lang) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| argument.text(lang)).collect();
    fill(template, arguments.iter().map(String::as_str))
}

/// In English.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(Lang::En))
    }
}

/// In English, quoted.
impl fmt::Debug for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(Lang::En), f)
    }
}

impl From<Words> for Sentence {
    fn from(words: Words) -> Self {
        Self::of(words, Vec::new())
    }
}

impl From<Bilingual> for Sentence {
    fn from(template: Bilingual) -> Self {
        template.say(&[])
    }
}

/// What can be an argument: texts and figures as they are, sentences in the language of the output.
pub trait Argument {
    /// As a sentence.
    fn sentence(&self) -> Sentence;
}

impl Argument for Sentence {
    fn sentence(&self) -> Sentence {
        self.clone()
    }
}

impl Argument for Words {
    fn sentence(&self) -> Sentence {
        (*self).into()
    }
}

impl Argument for Bilingual {
    fn sentence(&self) -> Sentence {
        (*self).into()
    }
}

impl<T: Argument + ?Sized> Argument for &T {
    fn sentence(&self) -> Sentence {
        (**self).sentence()
    }
}

macro_rules! verbatim {
    ($($kind:ty),*) => {
        $(impl Argument for $kind {
            fn sentence(&self) -> Sentence {
                Sentence::verbatim(self.to_string())
            }
        })*
    };
}

verbatim!(str, String, u8, u16, u32, u64, usize, i32, i64, i128, serde_json::Value);
