//! The question that a log answers, as a request: what was typed, then what the log says.

use planner_core::device::Device;
use planner_core::engine;
use planner_core::request::{EngineId, FLAGS, Request};
use planner_core::spec::model::Note;
use planner_core::units::Ratio;
use planner_models::GPUS;

use crate::figure::Quantity;
use crate::log::StartupLog;
use crate::{messages, room};

/// A log as a question.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Settings of the log where nothing else was typed.
    pub request: Request,
    /// Names that the model may have in the catalogue, the likeliest first.
    pub models: Vec<String>,
    /// What was taken for granted.
    pub notes: Vec<Note>,
}

/// What a log says, under what was typed.
pub fn question(log: &StartupLog, typed: Request) -> Asked {
    let mut notes = Vec::new();
    let mut request = typed.clone();
    if request.engine.is_none() {
        request.engine = Some(engine_of(log, &mut notes));
    }
    for setting in &log.settings {
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == setting.flag) else { continue };
        // `--max-model-len` of llama.cpp is the length of a slot
        let own = log.engine == "llama.cpp" && setting.flag == "max-model-len";
        if own || flag.is_given(&typed) {
            continue;
        }
        if flag.set(&mut request, setting.flag, &setting.value).is_err() {
            let value = format!("{} {}", setting.flag, setting.value);
            notes.push(Note::new("log_setting", messages::NOT_TAKEN.say(&[&value])));
        }
    }
    if request.seq.is_none() {
        let slots = request.n_parallel.unwrap_or(1).max(1);
        request.seq = log
            .count("max-model-len")
            .or_else(|| request.ctx_size.filter(|cells| *cells > 0).map(|cells| cells / slots));
        request.seq = request.seq.filter(|tokens| *tokens > 0);
    }
    if request.gpu.is_none() {
        request.gpu = gpu_of(log, &request, &mut notes);
    }
    if !log.unplanned.is_empty() {
        notes.push(Note::new("log_unplanned", messages::UNPLANNED.say(&[&log.unplanned.join(", ")])));
    }
    Asked { request, models: log.model.as_deref().map(names).unwrap_or_default(), notes }
}

/// The engine in the version of the log, or in the nearest that is known.
fn engine_of(log: &StartupLog, notes: &mut Vec<Note>) -> EngineId {
    let id = EngineId::named(log.engine);
    let Some(version) = &log.version else { return id };
    let plain = version.split(['+', ' ']).next().unwrap_or(version);
    let exact = EngineId::parse(&format!("{}@{plain}", log.engine));
    if engine::resolve(Some(&exact)).is_ok() {
        return exact;
    }
    let Ok((engine, newest)) = engine::resolve(Some(&id)) else { return id };
    let Some(wanted) = numbers(plain) else { return id };
    let known = engine.versions().iter().filter_map(|known| Some((numbers(known)?, *known)));
    let known = known.filter(|(numbers, _)| numbers.len() == 3);
    let lowest = known.clone().min_by(|a, b| a.0.cmp(&b.0));
    let below = known.filter(|(numbers, _)| *numbers <= wanted).max_by(|a, b| a.0.cmp(&b.0));
    let nearest = below.or(lowest).map_or(newest, |(_, known)| known);
    notes.push(Note::new("log_version", messages::OTHER_VERSION.say(&[&log.engine, version, &nearest])));
    id.version(nearest)
}

/// `0.19.0` as numbers; a release candidate's last is that of its release.
fn numbers(version: &str) -> Option<Vec<u64>> {
    let part = |part: &str| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
        digits.parse().ok()
    };
    let numbers: Vec<u64> = version.split('.').take(3).filter_map(part).collect();
    (numbers.len() > 1).then_some(numbers)
}

/// The GPU that the log names, the one whose memory or share of it it prints, or a GPU of that memory.
fn gpu_of(log: &StartupLog, request: &Request, notes: &mut Vec<Note>) -> Option<Device> {
    if let Some(device) = log.gpu.as_deref().and_then(|name| Device::resolve(name).ok()) {
        return Some(device);
    }
    let whole = Ratio::decimal(1, 0);
    let (printed, share) = match (log.figure(Quantity::Total), log.figure(Quantity::Budget)) {
        (Some(total), _) => (total, whole),
        (None, Some(budget)) => (budget, request.memory_utilization?),
        // what SGLang calls available before it loads anything
        (None, None) => (log.figure(Quantity::FreeBefore)?, whole),
    };
    let agrees = |bytes: u64| i64::try_from(share.of(bytes)).is_ok_and(|bytes| printed.agrees(bytes));
    let mut alike = GPUS.iter().filter(|gpu| gpu.torch_memory_bytes.is_some_and(agrees));
    if let (Some(gpu), None) = (alike.next(), alike.next()) {
        notes.push(Note::new("log_gpu", messages::GPU_OF_MEMORY.say(&[&gpu.id, &gib(printed.value)])));
        return Device::resolve(gpu.id).ok();
    }
    let wanted = u64::try_from(printed.value).ok().filter(|bytes| *bytes > 0)?;
    let bytes = room::least(wanted.saturating_mul(1000), |bytes| share.of(bytes) >= wanted);
    let size = gib(i64::try_from(bytes).ok()?);
    notes.push(Note::new("log_gpu", messages::GPU_OF_SIZE.say(&[&size])));
    Some(Device {
        id: size.clone(),
        name: size,
        memory_bytes: bytes,
        torch_memory_bytes: Some(bytes),
        compute_capability: None,
    })
}

/// `79.19GiB`.
fn gib(bytes: i64) -> String {
    let hundredths = (i128::from(bytes) * 100 + (1 << 29)) >> 30;
    format!("{}.{:02}GiB", hundredths / 100, hundredths % 100)
}

/// Names that a printed model may have: as printed, a folder of the hub's cache, the last parts of a path.
fn names(printed: &str) -> Vec<String> {
    let mut names = vec![printed.to_owned()];
    let parts: Vec<&str> = printed.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let cached = parts.iter().find_map(|part| part.strip_prefix("models--"));
    names.extend(cached.map(|name| name.replacen("--", "/", 1)));
    if let [.., org, name] = parts.as_slice() {
        names.push(format!("{org}/{name}"));
    }
    names.extend(parts.last().map(|name| (*name).to_owned()));
    names.dedup();
    names
}
