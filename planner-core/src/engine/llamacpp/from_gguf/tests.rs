//! Headers made by hand, good and hostile.

use super::*;
use crate::error::Error;
use crate::source::gguf::*;

/// Builds the bytes of a file piece by piece.
struct File(Vec<u8>);

impl File {
    fn new(version: u32, tensors: u64, keys: u64) -> Self {
        let mut file = Self(b"GGUF".to_vec());
        file.0.extend(version.to_le_bytes());
        file.0.extend(tensors.to_le_bytes());
        file.0.extend(keys.to_le_bytes());
        file
    }

    fn string(mut self, text: &str) -> Self {
        self.0.extend((text.len() as u64).to_le_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn number(self, key: &str, value: u32) -> Self {
        self.string(key).u32(4).u32(value)
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.string(key).u32(8).string(value)
    }

    fn tensor(mut self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        self = self.string(name).u32(shape.len() as u32);
        for &dimension in shape {
            self = self.u64(dimension);
        }
        self.u32(kind).u64(offset)
    }

    fn read(&self) -> std::result::Result<Header, Error> {
        Header::read(&mut self.0.as_slice())
    }

    /// Why it cannot be read.
    fn refused(&self) -> String {
        self.read().map_or_else(|error| error.to_string(), |_| "it was read".into())
    }
}

fn llama() -> File {
    File::new(3, 2, 7)
        .text("general.architecture", "llama")
        .number("llama.block_count", 2)
        .number("llama.context_length", 4096)
        .number("llama.embedding_length", 256)
        .number("llama.attention.head_count", 4)
        .number("llama.attention.head_count_kv", 2)
        .number("llama.vocab_size", 320)
        .tensor("token_embd.weight", &[256, 320], 12, 0)
        .tensor("output_norm.weight", &[256], 0, 46_080)
}

#[test]
fn a_header_gives_parameters_and_bytes_by_tensor_type() {
    let header = llama().read().unwrap();
    assert_eq!(header.version, 3);
    // 256 × 320 in q4_K: 320 blocks of 144 bytes; then 256 f32
    assert_eq!(header.tensors[0].bytes, 320 * 144);
    let spec = model("tiny", &header).unwrap();
    assert_eq!(spec.parameters, 256 * 320 + 256);
    assert_eq!(spec.weight_bytes, 320 * 144 + 1024);
    assert_eq!((spec.kv_heads, spec.head_dim, spec.layers.len()), (Some(2), Some(64), 2));
    assert_eq!(spec.max_position, Some(4096));
    assert_eq!(header.data_offset % 32, 0);
}

#[test]
fn version_2_reads_like_version_3() {
    let mut file = llama();
    file.0[4] = 2;
    assert_eq!(file.read().unwrap().tensors, llama().read().unwrap().tensors);
}

#[test]
fn every_cut_of_a_header_is_an_error() {
    let whole = llama();
    for length in 0..whole.0.len() {
        let cut = File(whole.0[..length].to_vec());
        assert!(cut.read().is_err(), "{length} bytes were enough");
    }
}

#[test]
fn other_files_and_versions_are_told_apart() {
    assert!(File(b"PK\x03\x04....".to_vec()).refused().contains("does not start with"));
    assert!(File::new(1, 0, 0).refused().contains("version 1"));
    assert!(File::new(3_u32.swap_bytes(), 0, 0).refused().contains("big-endian"));
    assert!(File::new(77, 0, 0).refused().contains("version 77"));
}

#[test]
fn huge_counts_and_lengths_are_refused_without_reading() {
    let huge = 1 << 63;
    assert!(File::new(3, huge, 0).refused().contains("number of tensors"));
    assert!(File::new(3, 0, huge).refused().contains("number of keys"));
    assert!(File::new(3, 0, 1).u64(huge).refused().contains("length of a key"));
    assert!(File::new(3, 0, 1).string("k").u32(8).u64(huge).refused().contains("length of the value"));
    // a list of 2^63 numbers ends with the file, or overflows
    let list = |kind: u32, length: u64| File::new(3, 0, 1).string("k").u32(9).u32(kind).u64(length);
    assert!(list(4, huge).refused().contains("too large"));
    assert!(list(0, huge).refused().contains("cannot be read"));
    assert!(list(8, huge).refused().contains("cannot be read"));
    assert!(list(9, 1).refused().contains("list of lists"));
    assert!(list(99, 1).refused().contains("unknown value type"));
}

#[test]
fn strings_past_the_end_say_where() {
    let file = File::new(3, 0, 1).string("general.name").u32(8).u64(1000);
    assert!(file.refused().contains("byte"), "{}", file.refused());
}

#[test]
fn a_key_or_tensor_may_be_there_only_once() {
    let twice = File::new(3, 0, 2).number("a", 1).number("a", 2);
    assert!(twice.refused().contains("`a` is there twice"));
    let twice = File::new(3, 2, 0).tensor("t", &[8], 0, 0).tensor("t", &[8], 0, 32);
    assert!(twice.refused().contains("`t` is there twice"));
}

#[test]
fn impossible_tensors_are_refused() {
    let one =
        |shape: &[u64], kind: u32, offset: u64| File::new(3, 1, 0).tensor("t", shape, kind, offset).refused();
    assert!(one(&[8, 0], 0, 0).contains("dimension of 0"));
    assert!(one(&[1, 1, 1, 1, 1], 0, 0).contains("5 dimensions"));
    assert!(one(&[8], 4, 0).contains("unknown type 4"));
    assert!(one(&[33], 8, 0).contains("whole blocks of 32 q8_0"));
    assert!(one(&[8], 0, 64).contains("starts at 64"));
    assert!(one(&[1 << 40, 1 << 40], 0, 0).contains("too large"));
    assert!(one(&[1 << 62], 0, 0).contains("too large"));
}

#[test]
fn an_alignment_must_be_a_power_of_two() {
    let file = |alignment| File::new(3, 0, 1).number("general.alignment", alignment);
    assert!(file(64).read().is_ok());
    for odd in [0, 48] {
        assert!(file(odd).refused().contains("not a power of two"));
    }
}

#[test]
fn long_lists_are_counted_and_not_kept() {
    let mut file = File::new(3, 0, 1).string("tokenizer.ggml.tokens").u32(9).u32(8).u64(5000);
    for _ in 0..5000 {
        file = file.string("a");
    }
    let header = file.read().unwrap();
    assert_eq!(header.metadata["tokenizer.ggml.tokens"]["list_length"], 5000);
}

#[test]
fn layer_counts_are_bounded_and_needed() {
    let layers =
        |count| File::new(3, 0, 2).text("general.architecture", "llama").number("llama.block_count", count);
    for count in [0, 513, u32::MAX] {
        let refused = model("x", &layers(count).read().unwrap());
        assert!(matches!(refused, Err(Error::BadValue { .. })), "{count}");
    }
    let none = File::new(3, 0, 1).text("general.architecture", "llama").read().unwrap();
    assert!(matches!(model("x", &none), Err(Error::MissingField { .. })));
    let nameless = File::new(3, 0, 0).read().unwrap();
    assert!(matches!(model("x", &nameless), Err(Error::MissingField { .. })));
}

#[test]
fn encoders_keep_no_cache() {
    let bert = File::new(3, 0, 1).text("general.architecture", "bert").read().unwrap();
    assert!(matches!(model("x", &bert), Err(Error::NoCache { .. })));
}

#[test]
fn parts_of_a_model_are_named_and_joined() {
    let names = split_names("big-00001-of-00003.gguf", 3).unwrap();
    assert_eq!(names[2], "big-00003-of-00003.gguf");
    assert_eq!(split_names("big-00002-of-00003.gguf", 3), None);
    let part = |name: &str| File::new(3, 1, 0).tensor(name, &[8], 0, 0).read().unwrap();
    let mut first = part("a");
    assert!(first.append(part("b")).is_ok());
    assert!(first.append(part("b")).is_err());
    assert_eq!(first.tensors.len(), 2);
}

/// Whatever one byte becomes, reading and planning end with an answer or an error.
#[test]
fn no_single_byte_can_break_reading_or_planning() {
    let hybrid = File::new(3, 1, 9)
        .text("general.architecture", "qwen3next")
        .number("qwen3next.block_count", 4)
        .number("qwen3next.context_length", 4096)
        .number("qwen3next.embedding_length", 256)
        .number("qwen3next.attention.head_count", 4)
        .number("qwen3next.full_attention_interval", 2)
        .number("qwen3next.ssm.conv_kernel", 4)
        .number("qwen3next.ssm.inner_size", 512)
        .number("qwen3next.ssm.state_size", 64)
        .tensor("token_embd.weight", &[256, 320], 12, 0);
    let mut request = crate::request::Request::default();
    for (flag, value) in [("engine", "llama.cpp"), ("seq", "1000"), ("users", "3")] {
        request.set(flag, value).unwrap();
    }
    let mut answers = 0;
    for whole in [llama(), hybrid] {
        for at in 0..whole.0.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bytes = whole.0.clone();
                bytes[at] = value;
                let Ok(header) = File(bytes).read() else { continue };
                let Ok(spec) = model("x", &header) else { continue };
                answers += usize::from(crate::plan::plan(&spec, &request).is_ok());
            }
        }
    }
    assert!(answers > 100, "{answers}");
}

/// A file whose header names a model and nothing else.
fn keys(arch: &str, numbers: &[(&str, u32)], more: impl FnOnce(File) -> File, extra: u64) -> String {
    let usual = [
        ("block_count", 4),
        ("context_length", 4096),
        ("embedding_length", 512),
        ("attention.head_count", 8),
    ];
    let all: Vec<_> =
        usual.iter().filter(|(key, _)| !numbers.iter().any(|(own, _)| own == key)).chain(numbers).collect();
    let mut file = File::new(3, 0, all.len() as u64 + 1 + extra).text("general.architecture", arch);
    for (key, value) in all {
        file = file.number(&format!("{arch}.{key}"), *value);
    }
    let header = more(file).read().unwrap();
    model("made", &header).map_or_else(|error| error.to_string(), |_| "it was planned".into())
}

/// The words are those of `src/llama-model-loader.cpp` and `src/llama-model.cpp`, `0c1e57098`.
#[test]
fn the_loader_s_refusals_are_told() {
    assert_eq!(keys("llama", &[], |file| file, 0), "it was planned");
    let refused = keys("qwen9moe", &[], |file| file, 0);
    assert!(refused.contains("unknown model architecture: 'qwen9moe'"), "{refused}");
    let short = |file: File| file.string("llama.attention.head_count_kv").u32(9).u32(4).u64(2).u32(2).u32(2);
    let refused = keys("llama", &[], short, 1);
    assert!(
        refused.contains("key llama.attention.head_count_kv has wrong array length; expected 4, got 2"),
        "{refused}"
    );
    let window = |file: File| file.string("gemma3.attention.sliding_window").u32(9).u32(4).u64(1).u32(512);
    let refused = keys("gemma3", &[], window, 1);
    assert!(
        refused.contains("key gemma3.attention.sliding_window has wrong type arr but expected type u32"),
        "{refused}"
    );
    let half =
        [("attention.kv_lora_rank", 512), ("attention.key_length", 576), ("attention.key_length_mla", 192)];
    let refused = keys("deepseek2", &half, |file| file, 0);
    assert!(refused.contains("is given without deepseek2.attention.value_length_mla"), "{refused}");
    let refused =
        keys("llama", &[("attention.head_count", 0), ("attention.head_count_kv", 2)], |file| file, 0);
    assert!(refused.contains("KV heads of width 0"), "{refused}");
}
