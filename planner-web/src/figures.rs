//! Figures that the page shows beside the plan's JSON: sums over layers, the fullest GPU, the question as a
//! command. The page's script draws them and computes none.

use planner_core::engine::command;
use planner_core::plan::{LayerGroup, Memory, Plan};
use planner_core::render::json::integer;
use serde_json::{Map, Value, json};

/// The figures of a plan; `answer` is the plan's JSON:
///
/// - `product`: the numbers whose product is `kv.total_bytes`, bytes first.
/// - `all_heads_ratio`: bytes with every head cached ÷ the plan's, rounded to hundredths; null without the
///   former.
/// - `runs`: runs of equal layers, `first` to `last`, with the bytes of one layer.
/// - `kinds`: layers with equal stores, wherever they are, with the bytes of all.
/// - `growing`: layers that grow with the length, grouped by the bytes of a token in one layer.
/// - `fullest_gpu`: the GPU in `memory.gpus` with the fullest room for the cache, and the parts of its memory;
///   null without a GPU.
pub fn of(plan: &Plan<'_>, answer: &Value) -> Value {
    json!({
        "product": product(plan).into_iter().map(integer).collect::<Vec<_>>(),
        "all_heads_ratio": all_heads_ratio(plan),
        "runs": plan.layers.iter().zip(layers(answer)).map(|(group, json)| run(group, json)).collect::<Vec<_>>(),
        "kinds": kinds(plan, answer),
        "growing": growing(plan, answer),
        "fullest_gpu": plan.memory.as_ref().and_then(fullest_gpu),
    })
}

/// The question as a command line. `flags` are those of a request; the default engine is not named.
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

/// One layer's share of a run's bytes.
fn each(bytes: u64, run: &LayerGroup) -> u64 {
    bytes.checked_div(run.count).unwrap_or(0)
}

/// The entries of `layers` in a plan's JSON.
fn layers(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["layers"].as_array().into_iter().flatten()
}

fn run(run: &LayerGroup, json: &Value) -> Value {
    json!({
        "first": run.first,
        "last": (run.first + run.count).saturating_sub(1),
        "count": run.count,
        "kind": json["kind"],
        "bytes_per_token": integer(each(run.bytes_per_token, run)),
        "session_bytes": integer(each(run.session_bytes, run)),
    })
}

/// Runs of layers that have something in common, each with its JSON.
type Alike<'a> = Vec<(&'a LayerGroup, &'a Value)>;

fn sum(alike: &Alike<'_>, of: fn(&LayerGroup) -> u64) -> u64 {
    alike.iter().map(|(run, _)| of(run)).sum()
}

/// Groups the runs of a plan by a key, in the order of each group's first run.
fn alike<'a, K: PartialEq>(
    plan: &'a Plan<'_>,
    answer: &'a Value,
    key: impl Fn(&'a LayerGroup, &'a Value) -> K,
) -> Vec<Alike<'a>> {
    let mut found: Vec<(K, Alike<'a>)> = Vec::new();
    for (run, json) in plan.layers.iter().zip(layers(answer)) {
        let key = key(run, json);
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, group)) => group.push((run, json)),
            None => found.push((key, vec![(run, json)])),
        }
    }
    found.into_iter().map(|(_, group)| group).collect()
}

/// A layer's stores as in the plan's JSON, with the `elements` of a state.
fn stores(json: &Value) -> Value {
    let mut stores = json["stores"].clone();
    for store in stores.as_array_mut().into_iter().flatten() {
        let elements = ["conv_elements", "recurrent_elements"].map(|key| store[key].as_u64());
        if let [Some(conv), Some(recurrent)] = elements {
            store["elements"] = integer(conv.saturating_add(recurrent));
        }
    }
    stores
}

fn kinds(plan: &Plan<'_>, answer: &Value) -> Vec<Value> {
    let kind = |group: &Alike<'_>| {
        let (_, first) = group.first()?;
        Some(json!({
            "kind": first["kind"],
            "stores": stores(first),
            "count": sum(group, |run| run.count),
            "runs": group.iter().map(|(found, json)| run(found, json)).collect::<Vec<_>>(),
            "bytes_per_token": integer(sum(group, |run| run.bytes_per_token)),
            "session_bytes": integer(sum(group, |run| run.session_bytes)),
        }))
    };
    alike(plan, answer, |_, json| (&json["kind"], &json["stores"])).iter().filter_map(kind).collect()
}

fn growing(plan: &Plan<'_>, answer: &Value) -> Vec<Value> {
    let token = |run: &LayerGroup| each(run.bytes_per_token, run);
    let group = |group: &Alike<'_>| {
        let (run, first) = group.first().filter(|(run, _)| token(run) > 0)?;
        Some(json!({
            "kind": first["kind"],
            "stores": stores(first),
            "count": sum(group, |run| run.count),
            "bytes_per_token": integer(token(run)),
        }))
    };
    alike(plan, answer, |run, json| (&json["kind"], token(run))).iter().filter_map(group).collect()
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
    let beside = gpu.parts.iter().map(|part| (part.kind.name(), part.bytes));
    let parts = beside.chain([
        ("used", used.min(room)),
        ("free", room.saturating_sub(used)),
        ("over", used.saturating_sub(room)),
        ("outside", outside.unwrap_or(0)),
    ]);
    let part = |(part, bytes): (&str, u64)| json!({ "part": part, "bytes": integer(bytes) });
    Some(json!({
        "index": index,
        "kv_bytes_free": integer(room.saturating_sub(used)),
        "parts": parts.filter(|(_, bytes)| *bytes > 0).map(part).collect::<Vec<_>>(),
    }))
}
