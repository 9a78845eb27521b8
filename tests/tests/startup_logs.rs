//! Start-up logs against the figures that were published of them: `fixtures/logs/logs.json` says what each log prints,
//! `oracles/logs/make.py` wrote those that were not made on the spot.

use std::collections::BTreeSet;

use planner_core::catalog;
use planner_core::plan::{Plan, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_log::figure::Unit;
use planner_log::profile::{Kept, Profile, measured};
use planner_log::{Figure, Quantity, StartupLog, StartupPlan, compare, question};
use planner_tests::fixture;
use serde_json::Value as Json;

/// One log and what it prints.
struct Row(Json);

fn rows() -> Vec<Row> {
    let text = planner_tests::text(&fixture("logs/logs.json"));
    let rows: Vec<Json> = serde_json::from_str(&text).unwrap();
    rows.into_iter().map(Row).collect()
}

impl Row {
    fn text(&self, key: &str) -> Option<&str> {
        self.0[key].as_str()
    }

    fn name(&self) -> &str {
        self.text("file").unwrap()
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(fixture(&format!("logs/{}.log", self.name()))).unwrap()
    }

    fn log(&self) -> StartupLog {
        StartupLog::read(&self.bytes()).unwrap_or_else(|| panic!("{}: nothing recognised", self.name()))
    }

    /// What the log prints, as figures.
    fn printed(&self) -> Vec<Figure> {
        let printed = self.0["prints"].as_object().unwrap().iter().map(|(name, value)| {
            let quantity = Quantity::named(name).unwrap();
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let (number, unit) = match text.split_once(' ') {
                Some((number, unit)) => (number, Unit::named(unit).unwrap()),
                None if quantity == Quantity::Concurrency => (text.as_str(), Unit::Hundredth),
                None if quantity.is_bytes() => (text.as_str(), Unit::GiB),
                None => (text.as_str(), Unit::Count),
            };
            Figure::read(quantity, number, unit).unwrap()
        });
        printed.collect()
    }

    /// The run, where the catalogue has its model and kvplan knows its release.
    fn planned(&self) -> Option<(ModelSpec, Request)> {
        let model = catalog::model(self.text("catalogue")?).unwrap();
        let mut typed = Request::default();
        if let Some(gpu) = self.text("gpu") {
            typed.set("gpu", gpu).ok()?;
        }
        let asked = question(&self.log(), typed);
        plan(&model, &asked.request).ok()?;
        Some((model, asked.request))
    }
}

#[test]
fn every_figure_of_every_log_is_read() {
    let rows = rows();
    let (mut figures, mut engines, mut wraps) = (0, BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        let log = row.log();
        assert_eq!(log.engine, row.text("engine").unwrap(), "{}", row.name());
        for printed in row.printed() {
            let name = printed.quantity.name();
            let found: Vec<Figure> =
                log.ranks.iter().filter_map(|rank| rank.figures.get(&printed.quantity)).copied().collect();
            assert!(!found.is_empty(), "{}: {name}", row.name());
            for found in found {
                // sums of several figures may be off by the last byte of each
                let off = found.value.abs_diff(printed.value);
                assert!(off <= 4, "{}: {name} is {}, not {}", row.name(), found.value, printed.value);
            }
            figures += 1;
        }
        engines.insert(log.engine);
        wraps.insert(row.text("wrap").unwrap().to_owned());
    }
    assert!(rows.len() >= 60 && figures > 300, "{} logs, {figures} figures", rows.len());
    assert_eq!((engines.len(), wraps.len()), (4, 15));
}

#[test]
fn every_log_says_model_version_and_settings() {
    for row in rows() {
        let (log, cut) = (row.log(), row.text("wrap") == Some("cut"));
        // a TensorRT-LLM engine does not say what it was built of
        if row.text("model").is_some() {
            assert_eq!(log.model.as_deref(), row.text("model"), "{}", row.name());
        }
        if row.text("version").is_some() && !cut {
            assert_eq!(log.version.as_deref(), row.text("version"), "{}", row.name());
        }
        let flags = [
            ("tensor_parallel_size", "tp"),
            ("pipeline_parallel_size", "pp"),
            ("max_model_len", "max-model-len"),
            ("tp_size", "tp"),
            ("mem_fraction_static", "memory-utilization"),
            ("max_num_tokens", "max-num-batched-tokens"),
        ];
        for (key, flag) in flags {
            let Some(value) = row.0["args"].get(key) else { continue };
            let found = log.setting(flag).unwrap_or_else(|| panic!("{}: no {flag}", row.name()));
            assert_eq!(found, value.to_string(), "{}: {flag}", row.name());
        }
    }
}

#[test]
fn a_log_alone_is_planned() {
    let mut planned = 0;
    for row in rows() {
        let log = row.log();
        let asked = question(&log, Request::default());
        let Some(model) = asked.models.iter().find_map(|name| catalog::find(name)) else { continue };
        let model = catalog::build(model).unwrap();
        let plan = plan(&model, &asked.request).unwrap_or_else(|error| panic!("{}: {error}", row.name()));
        let comparison = compare(&log, Some(&plan));
        assert!(!comparison.rows.is_empty(), "{}", row.name());
        planned += 1;
    }
    assert!(planned >= 35, "{planned}");
}

/// What is said of the difference adds up to it.
#[test]
fn causes_add_up_to_the_difference() {
    let mut told = 0;
    for row in rows() {
        let Some((model, request)) = row.planned() else { continue };
        let (log, plan) = (row.log(), plan(&model, &request).unwrap());
        let comparison = compare(&log, Some(&plan));
        let Some(difference) = comparison.difference else { continue };
        let sum: i64 = comparison.causes.iter().map(|cause| cause.bytes).sum();
        let roundings: i64 =
            row.printed().iter().filter(|f| f.quantity.is_bytes()).map(|f| f.rounding + 1).sum();
        assert!((sum - difference).abs() <= roundings, "{}: {sum}, not {difference}", row.name());
        told += 1;
    }
    assert!(told >= 25, "{told}");
}

fn tokens(plan: &Plan<'_>) -> Option<u64> {
    plan.engine.report.pool()?.kv_cache_tokens
}

fn has_note(plan: &Plan<'_>, code: &str) -> bool {
    plan.notes.iter().any(|note| note.code == code)
}

/// Once measured, the room is the engine's, and its tokens where the cache's layout is restated of that release.
#[test]
fn a_measured_run_is_planned_as_the_engine_had_it() {
    let (mut rooms, mut exact) = (0, 0);
    for row in rows() {
        let Some((model, mut request)) = row.planned() else { continue };
        let log = row.log();
        let Some(room) = log.figure(Quantity::Room).filter(|room| room.value > 0) else { continue };
        let first = plan(&model, &request).unwrap();
        let (kept, cache) = (measured(&log, &first).unwrap(), compare(&log, Some(&first)).cache);
        let mut profile = Profile::default();
        profile.add(kept);
        let Kept::Profile(profile) = Kept::read("profile", profile.text().as_bytes()).unwrap() else {
            panic!()
        };
        request.measured = profile.measured;
        let again = plan(&model, &request).unwrap();
        assert!(has_note(&again, "measured"), "{}", row.name());
        let gpu = &again.memory.as_ref().unwrap().gpus[0];
        let off = (gpu.kv_bytes_available as i64 - room.value).abs();
        assert!(off <= room.rounding + 1, "{}: {off} B", row.name());
        let parts: u64 = gpu.parts.iter().map(|part| part.bytes).sum();
        assert!(parts == 0 || parts + gpu.kv_bytes_available == gpu.budget_bytes.unwrap(), "{}", row.name());
        rooms += 1;
        if cache.is_some_and(|cache| cache.logged == cache.planned) {
            assert_eq!(
                tokens(&again),
                Some(log.figure(Quantity::Tokens).unwrap().value as u64),
                "{}",
                row.name()
            );
            exact += 1;
        }
    }
    assert!(rooms >= 25 && exact >= 20, "{rooms} rooms, {exact} exact");
}

#[test]
fn what_was_measured_is_of_that_run_alone() {
    let row = rows().into_iter().find(|row| row.name() == "vllm-0.19.0-n024").unwrap();
    let (model, mut request) = row.planned().unwrap();
    let entry = measured(&row.log(), &plan(&model, &request).unwrap()).unwrap();
    request.measured = vec![entry.clone()];
    assert!(has_note(&plan(&model, &request).unwrap(), "measured"));
    for (flag, value) in
        [("tp", "2"), ("gpu", "a100-80gb"), ("engine", "vllm@0.20.0"), ("max-num-seqs", "64")]
    {
        let mut other = request.clone();
        other.set(flag, value).unwrap();
        let plan = plan(&model, &other).unwrap();
        assert!(has_note(&plan, "measured_unused") && !has_note(&plan, "measured"), "{flag} {value}");
    }
    // other lengths, sessions and shares of memory are the same run
    for (flag, value) in [("seq", "1024"), ("users", "7"), ("memory-utilization", "0.8")] {
        let mut other = request.clone();
        other.set(flag, value).unwrap();
        assert!(has_note(&plan(&model, &other).unwrap(), "measured"), "{flag} {value}");
    }
    // what the log prints is a default of this GPU: left out here, or of another run's log there
    let left_out = Request { max_num_batched_tokens: None, max_num_seqs: None, ..request.clone() };
    assert!(has_note(&plan(&model, &left_out).unwrap(), "measured"));
    let mut silent = entry.clone();
    silent.settings.clear();
    request.measured = vec![silent];
    assert!(has_note(&plan(&model, &request).unwrap(), "measured"));
    let mut profile = Profile::default();
    profile.add(entry.clone());
    profile.add(planner_core::request::Measured { tp: 2, ..entry.clone() });
    profile.add(entry);
    assert_eq!(profile.measured.len(), 2);
}

#[test]
fn the_public_table_is_up_to_date() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/logs.md")).unwrap();
    assert!(
        page == planner_tests::log_lines::table(),
        "docs/logs.md is out of date: cargo run -p planner-tests --example logs > docs/logs.md"
    );
}

/// Every slot of a line is a figure in a unit, a flag of kvplan, or a name that is kept.
#[test]
fn lines_speak_of_known_figures_and_flags() {
    use planner_core::request::FLAGS;
    use planner_log::engine;
    let is_flag = |name: &str| FLAGS.iter().any(|flag| flag.name == name);
    for rules in engine::ALL {
        for line in rules.lines {
            assert!(!line.by.is_empty() && !line.versions.is_empty(), "{}", line.text);
            for slot in line.text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()) {
                let known = match (slot.split_once(':'), slot.strip_prefix("--")) {
                    (Some((name, unit)), _) => Quantity::named(name).is_some() && Unit::named(unit).is_some(),
                    (None, Some(flag)) => is_flag(flag),
                    (None, None) => ["_", "model", "version", "gpu"].contains(&slot),
                };
                assert!(known, "{}: {slot}", line.text);
            }
        }
        for key in rules.dumps.iter().flat_map(|dump| dump.keys) {
            assert!(key.flag.is_empty() || key.flag == "model" || is_flag(key.flag), "{}", key.key);
        }
    }
}

#[test]
fn vllm_s_own_startup_plan_is_read() {
    let text = r#"{"schema": 1, "fingerprint": "0123456789abcdef", "kv_cache_memory_bytes": 62277025792, "free_memory_baseline": 84557168640}"#;
    let plan = StartupPlan::read(text.as_bytes()).unwrap();
    assert_eq!((plan.kv_cache_memory_bytes, plan.free_memory_baseline), (62_277_025_792, 84_557_168_640));
    assert_eq!(plan.as_log().figure(Quantity::Room).unwrap().value, 62_277_025_792);
    assert!(matches!(Kept::read("plan", text.as_bytes()), Ok(Kept::Startup(_))));
    for other in [
        "{}",
        "[]",
        r#"{"schema": 2, "fingerprint": "", "kv_cache_memory_bytes": 1, "free_memory_baseline": 1}"#,
    ] {
        assert!(
            StartupPlan::read(other.as_bytes()).is_none() && Kept::read("x", other.as_bytes()).is_err(),
            "{other}"
        );
    }
}

#[test]
fn what_is_no_log_is_not_recognised() {
    let readme = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let noise: Vec<u8> = (0..=255).cycle().take(1 << 16).collect();
    for bytes in
        [Vec::new(), b"\n\n{}\n[1]\n".to_vec(), vec![0xff, 0xfe], vec![0xff, 0xfe, 0x41], readme, noise]
    {
        assert_eq!(StartupLog::read(&bytes), None);
    }
}

/// A log may end anywhere, and anything may stand in it: it is read or not, never a panic, and no plan is either.
#[test]
fn a_log_may_be_cut_anywhere_and_damaged() {
    for row in rows() {
        let bytes = row.bytes();
        let step = (bytes.len() / 12).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let mut damaged = bytes.clone();
            damaged[at] = damaged[at].wrapping_add(13);
            for bytes in [&bytes[..at], &bytes[at..], &damaged] {
                let Some(log) = StartupLog::read(bytes) else { continue };
                question(&log, Request::default());
            }
        }
    }
}
