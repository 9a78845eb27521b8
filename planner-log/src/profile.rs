//! What logs measured of a machine, kept in a file: one entry a run, the newest of equal ones.

use std::collections::BTreeMap;

use planner_core::engine::ShareOf;
use planner_core::engine::memory::PartKind;
use planner_core::plan::Plan;
use planner_core::request::{Measured, MeasuredStage};
use planner_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::compare::tightest;
use crate::figure::{Figure, Quantity};
use crate::log::{Rank, StartupLog};
use crate::startup_plan::StartupPlan;
use crate::{messages, room};

/// The file's version.
const SCHEMA: u64 = 1;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    schema: u64,
    /// Runs that were measured.
    pub measured: Vec<Measured>,
}

impl Default for Profile {
    fn default() -> Self {
        Self { schema: SCHEMA, measured: Vec::new() }
    }
}

/// What a file of `--profile` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// Measured runs.
    Profile(Profile),
    /// vLLM's own start-up plan.
    Startup(StartupPlan),
}

impl Kept {
    /// Reads a file of either kind.
    ///
    /// # Errors
    /// It is neither.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        if let Some(plan) = StartupPlan::read(bytes) {
            return Ok(Self::Startup(plan));
        }
        Profile::read(name, bytes).map(Self::Profile)
    }
}

impl Profile {
    /// Reads the file.
    ///
    /// # Errors
    /// It is another, or of a later version.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        let read: Option<Self> = serde_json::from_slice(bytes).ok();
        read.filter(|profile| profile.schema == SCHEMA)
            .ok_or_else(|| Error::unreadable(name, messages::NO_PROFILE.say(&[])))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// Adds a run, in place of an earlier measurement of the same.
    pub fn add(&mut self, measured: Measured) {
        let same = |other: &Measured| Measured { stages: Vec::new(), ..other.clone() };
        match self.measured.iter_mut().find(|other| same(other) == same(&measured)) {
            Some(other) => *other = measured,
            None => self.measured.push(measured),
        }
    }
}

/// What a log measured of the run of a plan.
///
/// # Errors
/// The log prints no room; neither it nor the request names a GPU.
pub fn measured(log: &StartupLog, planned: &Plan<'_>) -> Result<Measured> {
    let no_room = || Error::unreadable(log.engine, messages::NO_ROOM.say(&[]));
    if tightest(log).is_none() {
        return Err(no_room());
    }
    if planned.request.gpu.is_none() {
        return Err(Error::bad_value("--gpu", messages::MISSING.say(&[]), messages::NAMED_GPU.say(&[])));
    }
    let parallel = planned.parallel;
    let stages = (0..parallel.pp()).map(|number| {
        let own = log.ranks.iter().filter(|rank| rank.place.stage(parallel.tp(), parallel.pp()) == number);
        let own = own.filter_map(|rank| Some((rank, *rank.figures.get(&Quantity::Room)?)));
        match own.min_by_key(|(_, room)| room.value) {
            Some((rank, room)) => stage(log, rank, room, planned, number),
            None => estimated(planned, number),
        }
    });
    let stages: Option<Vec<MeasuredStage>> = stages.collect();
    let request = planned.request;
    let settings = Measured::SETTINGS.iter();
    let settings = settings.filter_map(|name| Some(((*name).to_owned(), Measured::setting(request, name)?)));
    Ok(Measured {
        engine: planned.engine.id.to_owned(),
        version: planned.engine.version.to_owned(),
        model: planned.model.id.clone(),
        gpu: request.gpu.as_ref().map_or_else(String::new, |device| device.id.clone()),
        tp: planned.parallel.tp(),
        pp: planned.parallel.pp(),
        dp: planned.parallel.dp(),
        dcp: planned.parallel.dcp(),
        settings: settings.collect::<BTreeMap<_, _>>(),
        stages: stages.ok_or_else(no_room)?,
    })
}

/// A GPU of a stage that the log does not print, as it is planned.
fn estimated(planned: &Plan<'_>, number: u64) -> Option<MeasuredStage> {
    let gpu = planned.memory.as_ref()?.gpus.iter().find(|gpu| gpu.stage == number)?;
    Some(MeasuredStage {
        before_cache_bytes: gpu.budget_bytes?.saturating_sub(gpu.kv_bytes_available),
        weights_bytes: None,
        activation_bytes: None,
        outside_torch_bytes: None,
        graphs_bytes: None,
    })
}

/// A GPU of one stage, by the rank of it that has the least room.
fn stage(
    log: &StartupLog,
    rank: &Rank,
    room: Figure,
    planned: &Plan<'_>,
    number: u64,
) -> Option<MeasuredStage> {
    let gpu = planned.memory.as_ref()?.gpus.iter().find(|gpu| gpu.stage == number)?;
    let of = |quantity: Quantity| rank.figures.get(&quantity).copied();
    let bytes = |quantity: Quantity| of(quantity).and_then(|figure| u64::try_from(figure.value).ok());
    let room = room::of(log, room, planned)?;
    let before_cache_bytes = match planned.rule().utilization_of() {
        ShareOf::Total | ShareOf::FreeBeforeWeights => gpu.budget_bytes?.saturating_sub(room),
        ShareOf::FreeAfterWeights => {
            let total = gpu.total_bytes?;
            total.saturating_sub(room::least(total, |free| planned.utilization().of(free) >= room))
        }
    };
    // the estimate is what is taken off; where there is none, nothing is
    let takes_graphs = gpu.parts.iter().any(|part| part.kind == PartKind::Graphs);
    Some(MeasuredStage {
        before_cache_bytes,
        weights_bytes: bytes(Quantity::Weights).filter(|_| of(Quantity::Consumed).is_none()),
        activation_bytes: bytes(Quantity::Activation),
        outside_torch_bytes: bytes(Quantity::OutsideTorch),
        graphs_bytes: bytes(Quantity::GraphsEstimate).filter(|_| takes_graphs),
    })
}
