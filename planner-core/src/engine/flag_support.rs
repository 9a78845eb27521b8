//! Flags beyond model, lengths and sizes. An engine's rule reads a flag, or has no use for it. The flag is then
//! refused where it would change the answer, and otherwise named in a note.

use super::common::routed_experts;
use super::{Allocation, ResolvedRequest};
use crate::error::{Code, Error, Result};
use crate::request::flags::{FLAGS, Flag, Reader};
use crate::request::{Ranks, Request, Speculative};
use crate::spec::layer::Extent;
use crate::spec::model::Note;
use crate::units::human_bytes;

/// The given flags that only some plans read.
pub(super) fn given(run: &ResolvedRequest<'_>) -> impl Iterator<Item = &'static Flag> {
    let (request, parallel) = (run.request, run.parallel);
    FLAGS.iter().filter(|flag| flag.reader != Reader::Every).filter(move |flag| match flag.name {
        // also where `--gpus` says it
        "pp" => parallel.pp > 1,
        "dp" => parallel.dp > 1,
        "dcp" => parallel.dcp > 1,
        _ => flag.is_given(request),
    })
}

/// `--k-dtype` or `--v-dtype`, else `--kv-dtype`.
fn side<'a>(request: &'a Request, own: &'a Option<String>) -> Option<&'a str> {
    own.as_deref().or(request.kv_dtype.as_deref())
}

/// The dtype of keys and values under an engine that has one for both; [`check`] has refused two.
pub fn kv_dtype(request: &Request) -> Option<&str> {
    side(request, &request.k_dtype)
}

/// Refuses flags that change what an engine allocates and that its rule does not cover.
///
/// # Errors
/// Two types of keys and values; data-parallel attention, context parallelism or drafts where the engine or kvplan
/// has none; ranks of experts that do not divide.
pub fn check(run: &ResolvedRequest<'_>) -> Result<()> {
    let request = run.request;
    let engine = run.engine;
    let told = |refusal: Error| refusal.told_by(engine.name(), run.version);
    let (k, v) = (side(request, &request.k_dtype), side(request, &request.v_dtype));
    if engine.one_kv_dtype() && k != v {
        let flag = if request.v_dtype.is_some() { "--v-dtype" } else { "--k-dtype" };
        let [k, v] = [k, v].map(|name| name.unwrap_or("auto"));
        let other = if k == "auto" { v } else { k };
        let reason = say!("keys in {0} and values in {1}: it keeps both in one type", k, v);
        let way_out = say!("use {0}", format!("--kv-dtype {other}"));
        return Err(told(Error::refused(Code::EngineOneKvDtype, reason).about(flag).way_out(way_out)));
    }
    let reads = |name: &str| engine.reads(request).contains(&name);
    if run.parallel.dcp > 1 && !reads("dcp") {
        let way_out = words!("leave --dcp out");
        let refusal =
            Error::refused(Code::EngineNotRestatedDcp, words!("decode context parallelism (--dcp)"));
        return Err(told(refusal.about("--dcp").way_out(way_out)));
    }
    let groups = run.parallel.attention_groups;
    if groups > 1 && !reads("dp-attention") {
        let reason = words!("it has no data-parallel attention within a tensor-parallel group");
        let [tp, dp] = [run.parallel.tp(), run.parallel.dp()];
        let way_out = say!("use {0}", format!("--tp {tp} --dp {dp}"));
        let refusal = Error::refused(Code::EngineNoDpAttention, reason);
        return Err(told(refusal.about("--dp-attention").way_out(way_out)));
    }
    if let Some(Ranks::Size(ranks)) = request.ep
        && reads("ep")
    {
        let group = engine.expert_group(run.parallel);
        if ranks == 0 || !group.is_multiple_of(ranks) {
            return Err(Error::bad_value(
                "--ep",
                ranks,
                say!("on, or a divisor of the {0} ranks there are", group),
            ));
        }
    }
    let drafts = matches!(request.speculative, Some(Speculative::Mtp(_) | Speculative::Eagle(_)));
    if drafts && !reads("speculative") {
        let way_out = words!("leave --speculative out");
        let refusal =
            Error::refused(Code::EngineNotRestatedDrafts, words!("the draft layers of --speculative"));
        return Err(told(refusal.about("--speculative").way_out(way_out)));
    }
    Ok(())
}

/// Refuses more users than `--max-num-seqs` lets run at once.
///
/// # Errors
/// `--max-num-seqs` is below `users`.
pub fn check_max_num_seqs(most: Option<u64>, users: u64) -> Result<()> {
    match most.filter(|&most| users > most) {
        Some(most) => Err(Error::bad_value("--max-num-seqs", most, say!("at least {0} users", users))),
        None => Ok(()),
    }
}

/// Notes on given flags that change nothing.
pub fn notes(run: &ResolvedRequest<'_>) -> Vec<Note> {
    let request = run.request;
    let id = run.engine.id();
    let unread: Vec<String> = given(run)
        .filter(|flag| flag.reader == Reader::Engines && !run.engine.reads(request).contains(&flag.name))
        .map(|flag| format!("--{}", flag.name))
        .collect();
    let mut notes = Vec::new();
    if !unread.is_empty() {
        let flags = unread.join(", ");
        let text = say!("no figure of {0} depends on {1}", id, flags);
        notes.push(Note::new("setting_unread", text));
    }
    if request.kv_memory.is_some() {
        let skipped = [
            ("--memory-utilization", request.memory_utilization.is_some()),
            ("--reserve", request.reserve.is_some()),
        ];
        let flags: Vec<&str> =
            skipped.into_iter().filter(|(_, given)| *given).map(|(flag, _)| flag).collect();
        if !flags.is_empty() {
            let flags = flags.join(", ");
            let text = say!("--kv-memory is the room itself: {0} changes nothing", flags);
            notes.push(Note::new("budget_skipped", text));
        }
    }
    if run.expert_ranks().is_some()
        && routed_experts(run.model).is_none()
        && run.engine.reads(request).contains(&"ep")
    {
        notes.push(Note::new("no_experts", words!("--ep changes nothing: the model has no routed experts")));
    }
    let mut stores = run.model.layers.iter().flat_map(|layer| &layer.stores);
    if request.source_len.is_some() && !stores.any(|store| store.extent == Extent::Source) {
        notes.push(Note::new(
            "source_unread",
            words!("--source-len changes nothing: the model keeps nothing of an encoder's tokens"),
        ));
    }
    notes
}

/// The note on `--shared-prefix`, where it is given: how much is stored once.
///
/// # Errors
/// Sizes beyond 64 bits.
pub fn shared_prefix(run: &ResolvedRequest<'_>, allocation: &dyn Allocation) -> Result<Option<Note>> {
    let Some(prefix) = run.request.shared_prefix else { return Ok(None) };
    let id = run.engine.id();
    let bytes = allocation.shared_bytes(run.tokens)?;
    Ok(Some(if bytes == 0 {
        let text = say!(
            "--shared-prefix {0}: {1} is planned to store these tokens again for every session",
            prefix,
            id
        );
        Note::new("prefix_not_shared", text)
    } else {
        let figure = human_bytes(bytes);
        let text = say!("--shared-prefix {0}: {1} of every session are stored once for all", prefix, figure);
        Note::new("prefix_shared", text)
    }))
}
