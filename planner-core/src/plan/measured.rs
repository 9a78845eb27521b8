//! Parts of a GPU's memory as a start-up log measured them, where the log is of the planned run.

use crate::engine::memory::{MemoryPart, PartKind};
use crate::engine::{Allocation, ResolvedRequest, ShareOf};
use crate::error::Result;
use crate::request::{FLAGS, Measured, MeasuredStage, Request};
use crate::spec::model::Note;
use crate::text::Sentence;

/// What figures printed to a hundredth of a GiB, four of them, can leave.
const ROUNDING: u64 = 32 << 20;

/// The measurement of a run; none where memory is given by other means.
pub(super) fn of<'a>(run: &ResolvedRequest<'a>, allocation: &dyn Allocation) -> Result<Option<&'a Measured>> {
    let request = run.request;
    if !cfg!(feature = "measured")
        || request.measured.is_empty()
        || request.kv_memory.is_some()
        || request.reserve.is_some()
    {
        return Ok(None);
    }
    if works(run, allocation)? {
        return Ok(None);
    }
    for measured in &run.request.measured {
        if differences(run, measured)?.is_empty() {
            return Ok(Some(measured));
        }
    }
    Ok(None)
}

/// Whether steps work in memory that grows with the sessions, so that one log does not tell of another number of them.
fn works(run: &ResolvedRequest<'_>, allocation: &dyn Allocation) -> Result<bool> {
    let users = run.parallel.users_per_replica(run.request.users);
    Ok(!allocation.working(users, run.tokens)?.is_empty())
}

/// What is said of the measurements that a request brings.
pub(super) fn note(run: &ResolvedRequest<'_>, allocation: &dyn Allocation) -> Result<Option<Note>> {
    let request = run.request;
    if !cfg!(feature = "measured") || request.measured.is_empty() {
        return Ok(None);
    }
    if let Some(flag) = ["kv-memory", "reserve"].iter().find(|name| given(request, name)) {
        let flag = format!("--{flag}");
        return Ok(Some(Note::new(
            "measured_unused",
            say!("what was measured is not used beside {0}", flag),
        )));
    }
    if request.gpu.is_none() {
        return Ok(Some(Note::new("measured_unused", words!("what was measured is not used without --gpu"))));
    }
    if works(run, allocation)? {
        let text =
            say!("what was measured is not used: under {0} it grows with the sessions", run.engine.id());
        return Ok(Some(Note::new("measured_unused", text)));
    }
    if of(run, allocation)?.is_some() {
        let text = say!(
            "measured by {0} {1} on {2}, not estimated: what its memory holds beside the cache",
            run.engine.id(),
            run.version,
            gpu(run)
        );
        return Ok(Some(Note::new("measured", text)));
    }
    let each = request.measured.iter().map(|measured| differences(run, measured));
    let each: Vec<Vec<&str>> = each.collect::<Result<_>>()?;
    let nearest = each.into_iter().min_by_key(Vec::len).unwrap_or_default();
    let text = say!(
        "nothing was measured of this run, whose parts are estimates: the nearest differs in {0}",
        Sentence::list(nearest)
    );
    Ok(Some(Note::new("measured_unused", text)))
}

fn given(request: &Request, name: &str) -> bool {
    FLAGS.iter().any(|flag| flag.name == name && flag.is_given(request))
}

fn gpu<'a>(run: &ResolvedRequest<'a>) -> &'a str {
    run.request.gpu.as_ref().map_or("", |device| device.id.as_str())
}

/// In what a measurement is of another run.
fn differences(run: &ResolvedRequest<'_>, measured: &Measured) -> Result<Vec<&'static str>> {
    let parallel = run.parallel;
    let same = [
        ("engine", measured.engine == run.engine.id()),
        ("version", measured.version == run.version),
        ("model", measured.model == run.model.id),
        ("--gpu", measured.gpu == gpu(run)),
        ("--tp", measured.tp == parallel.tp),
        ("--pp", measured.pp == parallel.pp && measured.stages.len() as u64 == parallel.pp),
        ("--dp", measured.dp == parallel.dp),
        ("--dcp", measured.dcp == parallel.dcp),
    ];
    let mut differ: Vec<&'static str> =
        same.iter().filter(|(_, same)| !same).map(|(name, _)| *name).collect();
    if differ.is_empty() && !same_settings(run, measured)? {
        differ.extend(
            Measured::SETTINGS.iter().filter(|name| {
                Measured::setting(run.request, name) != measured.settings.get(**name).cloned()
            }),
        );
    }
    Ok(differ)
}

/// Flags that change the model itself, which no estimate of the changed one could show.
const OF_THE_MODEL: [&str; 2] = ["weight-dtype", "kv-heads"];

/// Whether both runs have one step: settings that are equal, or one given where the other has it by default, which
/// shows in equal estimates.
fn same_settings(run: &ResolvedRequest<'_>, measured: &Measured) -> Result<bool> {
    let differing = Measured::SETTINGS.into_iter().filter_map(|name| {
        let (own, its) = (Measured::setting(run.request, name), measured.settings.get(name));
        (own.as_ref() != its).then_some((name, own.is_some() && its.is_some()))
    });
    let differing: Vec<(&str, bool)> = differing.collect();
    if differing.is_empty() {
        return Ok(true);
    }
    if differing.iter().any(|(name, both_given)| *both_given || OF_THE_MODEL.contains(name)) {
        return Ok(false);
    }
    let mut other = Request {
        max_num_batched_tokens: None,
        max_num_seqs: None,
        attention_backend: None,
        speculative: None,
        ..run.request.clone()
    };
    if measured.settings.iter().any(|(name, value)| other.set(name, value).is_err()) {
        return Ok(false);
    }
    let estimate = run.engine.before_cache(run)?;
    // a setting that this run could not have is another run's
    let its = run.engine.before_cache(&ResolvedRequest { request: &other, ..*run });
    Ok(its.is_ok_and(|its| estimate.is_none() || estimate == its))
}

/// A stage's parts as measured: what the log does not print apart is one sum, so that all together are exact.
pub(super) fn parts(
    run: &ResolvedRequest<'_>,
    stage: &MeasuredStage,
    estimated: &[MemoryPart],
) -> Vec<MemoryPart> {
    let all = stage.before_cache_bytes;
    let own = |kind| estimated.iter().find(|part| part.kind == kind).map(|part| part.bytes);
    let weights = stage.weights_bytes.or(own(PartKind::Weights)).unwrap_or(0).min(all);
    // the share is of what is left of the total beside this
    let outside = match run.engine.utilization_of() {
        ShareOf::FreeBeforeWeights => stage.outside_torch_bytes.or(own(PartKind::OutsideTorch)),
        _ => stage.outside_torch_bytes,
    };
    let mut parts = vec![MemoryPart::exact(PartKind::Weights, weights)];
    let mut left = all - weights;
    let logged = [
        (PartKind::OutsideTorch, outside),
        (PartKind::Graphs, stage.graphs_bytes),
        (PartKind::Activation, stage.activation_bytes),
    ];
    for (kind, bytes) in logged {
        let Some(bytes) = bytes else { continue };
        let is_last = kind == PartKind::Activation && left.abs_diff(bytes) <= ROUNDING;
        let bytes = if is_last { left } else { bytes.min(left) };
        parts.push(MemoryPart::exact(kind, bytes));
        left -= bytes;
    }
    if left > 0 {
        parts.push(MemoryPart::exact(PartKind::Reserve, left));
    }
    parts
}
