//! Inner widths that tensor ranks share out, under the names that configurations give them.

use serde_json::Value as Json;

use crate::spec::model::ModelSpec;

/// Widths of experts, where a configuration tells them from those of other layers.
const OF_EXPERTS: [&str; 3] =
    ["moe_intermediate_size", "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"];

/// The inner widths that a class cuts for tensor ranks: those of its experts, and those of its other layers, or of
/// all where experts have no key of their own. What no key known here says is left out.
pub(crate) fn inner_widths(model: &ModelSpec) -> impl Iterator<Item = (&'static str, u64)> {
    let get = |key: &str| {
        let maps = [model.text_config(), &model.config];
        maps.into_iter().find_map(|map| map.get(key).filter(|value| !value.is_null()))
    };
    let number = move |key: &str| get(key).and_then(Json::as_u64);
    let some = |keys: &[&str]| keys.iter().any(|key| number(key).is_some_and(|count| count > 0));
    let list = |key: &str| get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let experts = some(&["num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"]);
    let mixed = list("moe_layer_freq").contains(&0.into());
    let plain = !experts
        || number("moe_intermediate_size").is_none()
        || some(&["first_k_dense_replace", "moe_layer_start_index"])
        || mixed
        || !list("mlp_only_layers").is_empty()
        || list("mlp_layer_types").contains(&"dense".into())
        || list("layers_block_type").contains(&"mlp".into())
        || model.architecture.starts_with("Gemma4");
    // LFM2's class adjusts its own
    let plain = plain && model.model_type != "lfm2";
    let keys = OF_EXPERTS.map(|key| (key, experts)).into_iter().chain([
        ("shared_intermediate_size", model.architecture.starts_with("GraniteMoe")),
        ("dense_intermediate_size", mixed),
        ("intermediate_size", plain),
        ("ffn_dim", plain),
    ]);
    keys.filter(|(_, cut)| *cut).filter_map(move |(key, _)| Some((key, number(key)?)))
}
