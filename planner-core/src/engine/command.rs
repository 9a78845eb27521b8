//! The command that starts an engine with the settings of a plan.
//!
//! A setting becomes a flag where the user gave it, or where it differs from the engine's own default. A note
//! names each setting that the engine's command line has no flag for. The flags' names are those of the
//! engines' own parsers; a test holds them against these.

use super::ResolvedRequest;
use super::flag_support::given;
use crate::spec::model::Note;
use crate::text::Sentence;

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments, one word each.
    pub words: Vec<String>,
    /// A file that the command reads: its name and its text.
    pub file: Option<(&'static str, String)>,
    /// What the reader must know before running it.
    pub notes: Vec<Note>,
}

impl Command {
    /// A command of these words, the last of which is the model.
    pub fn new(program: &[&str], model: &str) -> Self {
        let words = program.iter().copied().chain([model]).map(str::to_owned).collect();
        Self { words, file: None, notes: Vec::new() }
    }

    /// A command that serves the run's checkpoint; `MODEL` stands for it where its location is not known.
    pub fn serving(program: &[&str], run: &ResolvedRequest<'_>) -> Self {
        let Some(location) = run.model.location.as_deref() else {
            let mut command = Self::new(program, "MODEL");
            command.notes.push(Note::new(
                "command_model",
                words!("MODEL stands for the checkpoint's hub id or folder"),
            ));
            return command;
        };
        Self::new(program, location)
    }

    /// Adds a switch.
    pub fn switch(&mut self, name: &str) {
        self.words.push(name.to_owned());
    }

    /// Adds a flag and its value.
    pub fn flag(&mut self, name: &str, value: impl ToString) {
        self.words.extend([name.to_owned(), value.to_string()]);
    }

    /// Adds a flag where there is a value.
    pub fn given(&mut self, name: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.flag(name, value);
        }
    }

    /// Adds a parallel size above 1.
    pub fn size(&mut self, name: &str, size: u64) {
        self.given(name, (size > 1).then_some(size));
    }

    /// Adds the longest session where it differs from the engine's own default.
    pub fn length(&mut self, name: &str, run: &ResolvedRequest<'_>, unasked: Option<u64>) {
        let length = run.request.max_model_len.unwrap_or(run.tokens);
        self.given(name, (unasked != Some(length)).then_some(length));
    }

    /// Notes the given settings that the command does not say; `said` names those that it says.
    #[must_use]
    pub fn without(mut self, run: &ResolvedRequest<'_>, said: &[&str]) -> Self {
        let unsaid: Vec<String> = given(run)
            .filter(|flag| !said.contains(&flag.name))
            .map(|flag| format!("--{}", flag.name))
            .collect();
        if !unsaid.is_empty() {
            let flags = Sentence::list(unsaid);
            let note = Note::new("command_left_out", say!("the command has no flag for {0}", flags));
            self.notes.push(note);
        }
        self
    }

    /// As typed into a POSIX shell.
    pub fn shell(&self) -> String {
        let words: Vec<String> = self.words.iter().map(|word| quoted(word)).collect();
        let line = words.join(" ");
        match &self.file {
            Some((name, text)) => format!("echo {} > {name} && {line}", quoted(text)),
            None => line,
        }
    }
}

/// A word as a POSIX shell reads it: quoted where it must be.
pub fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    #[test]
    fn words_a_shell_would_split_are_quoted() {
        let mut command = Command::new(&["serve"], "my model");
        command.flag("--config", r#"{"a":1}"#);
        command.switch("it's");
        assert_eq!(command.shell(), r#"serve 'my model' --config '{"a":1}' 'it'\''s'"#);
    }

    #[test]
    fn a_request_that_sets_nothing_leaves_nothing_out() {
        let config = r#"{"model_type":"llama","architectures":["LlamaForCausalLM"],"dtype":"bfloat16","hidden_size":4096,
            "intermediate_size":14336,"num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,
            "vocab_size":128256,"max_position_embeddings":8192}"#;
        let model = crate::source::from_config_json(config, true).unwrap();
        for engine in ["vllm", "sglang", "llama.cpp", "tensorrt-llm"] {
            let mut request = Request::default();
            request.set("engine", engine).unwrap();
            request.set("gpu", "80GiB").unwrap();
            let command = crate::plan::plan(&model, &request).unwrap().command().unwrap();
            let codes: Vec<&str> = command.notes.iter().map(|note| note.code).collect();
            assert!(!codes.contains(&"command_left_out"), "{engine}: {:?}", command.notes);
        }
    }
}
