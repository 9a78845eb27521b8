//! Where the linker's output is cut into files (`bindgen/`, wasm_split_cli_support). What only an
//! `..._export_...` function reaches, its tables of data included, goes into the file of its part; the
//! `..._import_...` of the same number calls it. So a part is reached through its function alone:
//! nothing else may name an engine.
//!
//! The tool finds both by their symbols, and Rust counts choosing a symbol (`no_mangle`) and declaring
//! an import (`extern`) as unsafe, since two functions of one name, or an import of another type, would
//! be undefined behaviour. Here neither can be: the numbers are used once, and all take and return
//! nothing. wasm_split_helpers writes the same two items by a macro, with a loader that awaits in Rust;
//! this page awaits in its script.
#![allow(unsafe_code)]

use std::hint::black_box;

use planner_core::engine::{
    self, candle::Candle, llamacpp::LlamaCpp, sglang::Sglang, tensorrt_llm::TensorRtLlm,
    transformers::Transformers, vllm::Vllm,
};
use planner_core::render::json;
use planner_core::spec::weights::expressions;
use planner_core::text;

use super::{FAILURE, GGUF_READER, STORY_ANSWERS, Story};
use crate::demo::{attention, pool};
use crate::gguf;

/// `NAME: IMPORT, EXPORT { … }` is a function that does what is in braces, in a file of its own.
macro_rules! cut {
    ($($name:ident: $import:ident, $export:ident $body:block)*) => {
        #[cfg(target_family = "wasm")]
        #[link(wasm_import_module = "__wasm_split_placeholder__")]
        unsafe extern "C" {
            $(safe fn $import();)*
        }
        $(
            #[unsafe(no_mangle)]
            extern "C" fn $export() $body

            pub(super) fn $name() {
                #[cfg(target_family = "wasm")]
                $import();
                #[cfg(not(target_family = "wasm"))]
                $export();
            }
        )*
    };
}

// Functions go through a black box, lest the compiler see that nothing else is ever called and call
// them directly, which would put them into the first file.
cut! {
    vllm: __wasm_split_00vllm00_import_00000000000000000000000000000001,
        __wasm_split_00vllm00_export_00000000000000000000000000000001 {
        engine::install(&[&Vllm]);
    }
    llamacpp: __wasm_split_00llamacpp00_import_00000000000000000000000000000002,
        __wasm_split_00llamacpp00_export_00000000000000000000000000000002 {
        engine::install(&[&LlamaCpp]);
        GGUF_READER.set(Some(black_box(gguf::read)));
    }
    others: __wasm_split_00others00_import_00000000000000000000000000000003,
        __wasm_split_00others00_export_00000000000000000000000000000003 {
        engine::install(&[&Transformers, &Sglang, &TensorRtLlm, &Candle]);
        expressions::install(black_box(expressions::regular));
    }
    story: __wasm_split_00story00_import_00000000000000000000000000000004,
        __wasm_split_00story00_export_00000000000000000000000000000004 {
        STORY_ANSWERS.set(Some(black_box(Story { attention: attention::answer, pool: pool::answer })));
    }
    refusals: __wasm_split_00refusals00_import_00000000000000000000000000000006,
        __wasm_split_00refusals00_export_00000000000000000000000000000006 {
        FAILURE.set(Some(black_box(json::failure)));
    }
    chinese: __wasm_split_00chinese00_import_00000000000000000000000000000005,
        __wasm_split_00chinese00_export_00000000000000000000000000000005 {
        text::install(black_box(text::chinese));
    }
}
