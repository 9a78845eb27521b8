//! `llama-server` with a plan's settings: names of `common/arg.cpp`, `0c1e57098`.

use super::validate;
use crate::engine::ResolvedRequest;
use crate::engine::command::Command;
use crate::request::FlashAttention;
use crate::spec::model::Note;

/// Settings that the command says.
const SAID: &[&str] = &[
    "kv-dtype",
    "k-dtype",
    "v-dtype",
    "ctx-size",
    "n-parallel",
    "batch",
    "ubatch",
    "kv-unified",
    "flash-attn",
    "swa-full",
];

/// The command for a context of `cells` cells and of slots; without cells it is the model's training context.
pub fn command(run: &ResolvedRequest, cells: Option<u64>, slots: u64) -> Command {
    let request = run.request;
    let mut command = match run.model.location.as_deref().filter(|path| path.ends_with(".gguf")) {
        Some(path) => Command::new(&["llama-server", "-m"], path),
        None => {
            let mut command = Command::new(&["llama-server", "-m"], "MODEL.gguf");
            command
                .notes
                .push(Note::new("command_gguf", words!("MODEL.gguf stands for the model converted to GGUF")));
            command
        }
    };
    // without 0 the server shrinks the training context until it fits
    command.flag("--ctx-size", cells.unwrap_or(0));
    command.flag("--parallel", slots);
    match request.kv_unified {
        Some(true) => command.switch("--kv-unified"),
        Some(false) => command.switch("--no-kv-unified"),
        None => {}
    }
    command.given("--batch-size", request.batch);
    command.given("--ubatch-size", request.ubatch);
    let cache_type = |own: &Option<String>| {
        let name = own.as_deref().or(request.kv_dtype.as_deref())?;
        validate::cache_type("--kv-dtype", Some(name)).ok().map(|dtype| dtype.name)
    };
    command.given("--cache-type-k", cache_type(&request.k_dtype));
    command.given("--cache-type-v", cache_type(&request.v_dtype));
    match request.flash_attn {
        FlashAttention::Auto => {}
        FlashAttention::On => command.flag("--flash-attn", "on"),
        FlashAttention::Off => command.flag("--flash-attn", "off"),
    }
    if request.swa_full {
        command.switch("--swa-full");
    }
    command.without(run, SAID)
}
