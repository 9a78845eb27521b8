//! Inner widths that tensor ranks share out, under the names that configurations give them.

use serde_json::Value as Json;

use crate::spec::hf_config::HfConfig;

/// Widths of experts, where a configuration tells them from those of other layers.
const OF_EXPERTS: [&str; 3] =
    ["moe_intermediate_size", "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"];

/// Whether a configuration counts experts.
pub(crate) fn has_experts(config: HfConfig) -> bool {
    let keys = ["num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"];
    config.number(&keys).is_some_and(|count| count > 0)
}

/// The key of a routed expert's inner width, where a configuration counts experts.
pub(crate) fn routed_width(config: HfConfig) -> Option<&'static str> {
    let own = config.number(&["moe_intermediate_size"]).is_some();
    has_experts(config).then_some(if own { "moe_intermediate_size" } else { "intermediate_size" })
}

/// The inner widths that a class cuts for tensor ranks: those of its experts, and those of its other layers, or of
/// all where experts have no key of their own. What no key known here says is left out.
pub(crate) fn inner_widths(config: HfConfig) -> impl Iterator<Item = (&'static str, u64)> {
    let number = move |key: &str| config.number(&[key]);
    let some = |key: &str| number(key).is_some_and(|count| count > 0);
    let list = |key: &str| config.get(key).and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    let experts = has_experts(config);
    let mixed = list("moe_layer_freq").contains(&0.into());
    let plain = !experts
        || number("moe_intermediate_size").is_none()
        || some("first_k_dense_replace")
        || some("moe_layer_start_index")
        || mixed
        || !list("mlp_only_layers").is_empty()
        || list("mlp_layer_types").contains(&"dense".into())
        || list("layers_block_type").contains(&"mlp".into())
        || config.class.starts_with("Gemma4");
    // LFM2's class adjusts its own
    let plain = plain && config.model_type != "lfm2";
    let keys = OF_EXPERTS.map(|key| (key, experts)).into_iter().chain([
        ("shared_intermediate_size", config.class.starts_with("GraniteMoe")),
        ("dense_intermediate_size", mixed),
        ("intermediate_size", plain),
        ("ffn_dim", plain),
    ]);
    keys.filter(|(_, cut)| *cut).filter_map(move |(key, _)| Some((key, number(key)?)))
}
