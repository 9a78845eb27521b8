//! What the page shows of a plan beyond the plan's JSON: sums over layers, the fullest GPU, the question
//! as a command. The script draws these and computes none of them.

use planner_core::engine::command;
use planner_core::plan::{LayerGroup, Memory, Plan};
use planner_core::render::json::integer;
use planner_core::spec::layer::{Content, Extent};
use serde_json::{Map, Value, json};

/// The figures of a plan, whose JSON is `answer`:
///
/// - `product`: the numbers whose product is `kv.total_bytes`, bytes first.
/// - `all_heads_ratio`: times as much with every head cached, rounded to hundredths; null where
///   nothing is to compare.
/// - `runs`: runs of equal layers, `first` to `last`, with the bytes of one layer.
/// - `kinds`: layers that keep the same, wherever they are, with the bytes of all.
/// - `growing`: layers that grow with the length, by the bytes that a token adds to one.
/// - `fullest_gpu`: the one of `memory.gpus` whose room for the cache is used most, and what its memory
///   holds; null without a GPU.
pub fn of(plan: &Plan<'_>, answer: &Value) -> Value {
    json!({
        "product": product(plan).into_iter().map(integer).collect::<Vec<_>>(),
        "all_heads_ratio": all_heads_ratio(plan),
        "runs": plan.layers.iter().map(run).collect::<Vec<_>>(),
        "kinds": kinds(plan, answer),
        "growing": growing(plan, answer),
        "fullest_gpu": plan.memory.as_ref().and_then(fullest_gpu),
    })
}

/// The question for the command line. `flags` as in a request; an engine is named unless it is the default.
pub fn command(model: &str, flags: Option<&Map<String, Value>>) -> String {
    let mut words = vec!["kvplan".to_owned(), "--model".to_owned(), command::quoted(model)];
    for (flag, text) in flags.into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        if (flag.as_str(), text) != ("engine", "architecture") {
            words.extend([format!("--{flag}"), command::quoted(text)]);
        }
    }
    words.join(" ")
}

fn product(plan: &Plan<'_>) -> Vec<u64> {
    let (kv, users) = (&plan.kv, plan.request.users);
    if kv.bytes_per_token.checked_mul(plan.tokens) == Some(kv.session_bytes) {
        vec![kv.bytes_per_token, plan.tokens, users]
    } else {
        vec![kv.session_bytes, users]
    }
}

fn all_heads_ratio(plan: &Plan<'_>) -> Option<f64> {
    let (all, kept) = (u128::from(plan.kv.all_heads?.total_bytes), u128::from(plan.kv.total_bytes));
    let hundredths = (200 * all + kept).checked_div(2 * kept)?;
    Some(hundredths as f64 / 100.0)
}

/// What one of the equal layers of a run has of its bytes.
fn each(bytes: u64, run: &LayerGroup<'_>) -> u64 {
    bytes.checked_div(run.count).unwrap_or(0)
}

fn run(run: &LayerGroup<'_>) -> Value {
    json!({
        "first": run.first,
        "last": (run.first + run.count).saturating_sub(1),
        "count": run.count,
        "kind": run.layer.kind(),
        "bytes_per_token": integer(each(run.bytes_per_token, run)),
        "session_bytes": integer(each(run.session_bytes, run)),
    })
}

/// Runs of layers that are alike in something.
struct Alike<'a> {
    first: (&'a LayerGroup<'a>, &'a Value),
    runs: Vec<&'a LayerGroup<'a>>,
}

impl Alike<'_> {
    fn sum(&self, of: fn(&LayerGroup<'_>) -> u64) -> u64 {
        self.runs.iter().map(|run| of(run)).sum()
    }
}

/// Gathers the runs of a plan, each with its JSON, in the order of the first of each.
fn alike<'a>(
    plan: &'a Plan<'_>,
    answer: &'a Value,
    are_alike: fn(&LayerGroup<'_>, &LayerGroup<'_>) -> bool,
) -> Vec<Alike<'a>> {
    let mut found: Vec<Alike<'a>> = Vec::new();
    for (run, json) in plan.layers.iter().zip(answer["layers"].as_array().into_iter().flatten()) {
        match found.iter_mut().find(|group| are_alike(group.first.0, run)) {
            Some(group) => group.runs.push(run),
            None => found.push(Alike { first: (run, json), runs: vec![run] }),
        }
    }
    found
}

/// What a layer keeps, in widths and windows.
fn shape<'a>(run: &'a LayerGroup<'_>) -> impl Iterator<Item = (&'a Content, &'a Extent)> {
    let stores = run.layer.stores.iter().filter(|store| store.is_kept_by("architecture"));
    stores.map(|store| (&store.content, &store.extent))
}

/// What a layer keeps as in the plan's JSON, and the `elements` of a state.
fn stores((run, json): (&LayerGroup<'_>, &Value)) -> Value {
    let mut stores = json["stores"].clone();
    for (store, (content, _)) in stores.as_array_mut().into_iter().flatten().zip(shape(run)) {
        if let Content::State { conv, recurrent, .. } = content {
            store["elements"] = integer(conv + recurrent);
        }
    }
    stores
}

fn kinds(plan: &Plan<'_>, answer: &Value) -> Vec<Value> {
    let groups = alike(plan, answer, |a, b| a.layer.kind() == b.layer.kind() && shape(a).eq(shape(b)));
    let kind = |group: &Alike<'_>| {
        json!({
            "kind": group.first.0.layer.kind(),
            "stores": stores(group.first),
            "count": group.sum(|run| run.count),
            "runs": group.runs.iter().map(|found| run(found)).collect::<Vec<_>>(),
            "bytes_per_token": integer(group.sum(|run| run.bytes_per_token)),
            "session_bytes": integer(group.sum(|run| run.session_bytes)),
        })
    };
    groups.iter().map(kind).collect()
}

fn growing(plan: &Plan<'_>, answer: &Value) -> Vec<Value> {
    fn token(run: &LayerGroup<'_>) -> u64 {
        each(run.bytes_per_token, run)
    }
    let groups = alike(plan, answer, |a, b| a.layer.kind() == b.layer.kind() && token(a) == token(b));
    let group = |group: &Alike<'_>| {
        json!({
            "kind": group.first.0.layer.kind(),
            "stores": stores(group.first),
            "count": group.sum(|run| run.count),
            "bytes_per_token": integer(token(group.first.0)),
        })
    };
    groups.iter().filter(|group| token(group.first.0) > 0).map(group).collect()
}

fn fullest_gpu(memory: &Memory) -> Option<Value> {
    let crossed = |used: u64, room: u64| u128::from(used) * u128::from(room.max(1));
    let mut gpus = memory.gpus.iter().enumerate();
    let mut fullest = gpus.next()?;
    for (index, gpu) in gpus {
        let (_, most) = fullest;
        if crossed(gpu.kv_bytes_used, most.kv_bytes_available)
            > crossed(most.kv_bytes_used, gpu.kv_bytes_available)
        {
            fullest = (index, gpu);
        }
    }
    let (index, gpu) = fullest;
    let (used, room) = (gpu.kv_bytes_used, gpu.kv_bytes_available);
    let outside = gpu.budget_bytes.map(|budget| gpu.total_bytes.unwrap_or(0).saturating_sub(budget));
    let parts = [
        ("weights", gpu.weight_bytes.unwrap_or(0)),
        ("reserve", gpu.reserve_bytes.unwrap_or(0)),
        ("used", used.min(room)),
        ("free", room.saturating_sub(used)),
        ("over", used.saturating_sub(room)),
        ("outside", outside.unwrap_or(0)),
    ];
    let part = |(part, bytes): &(&str, u64)| json!({ "part": part, "bytes": integer(*bytes) });
    Some(json!({
        "index": index,
        "kv_bytes_free": integer(room.saturating_sub(used)),
        "parts": parts.iter().filter(|(_, bytes)| *bytes > 0).map(part).collect::<Vec<_>>(),
    }))
}
