//! Inner widths that tensor parallelism divides, under the keys that configurations have for them.

use serde_json::Value as Json;

use crate::spec::hf_config::HfConfig;

/// Keys for the widths of experts.
const OF_EXPERTS: [&str; 3] =
    ["moe_intermediate_size", "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"];

/// Whether the configuration has experts.
pub(crate) fn has_experts(config: HfConfig) -> bool {
    let keys = ["num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts"];
    config.number(&keys).is_some_and(|count| count > 0)
}

/// The key of a routed expert's inner width, where a configuration counts experts.
pub(crate) fn routed_width(config: HfConfig) -> Option<&'static str> {
    let own = config.number(&["moe_intermediate_size"]).is_some();
    has_experts(config).then_some(if own { "moe_intermediate_size" } else { "intermediate_size" })
}

/// The inner widths that a class divides over tensor ranks, with their keys: those of experts, and those of
/// dense layers. Where experts have no key of their own, `intermediate_size` is theirs. Widths under keys that
/// are not listed here are left out.
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
    // LFM2's class computes its own width
    let plain = plain && config.model_type != "lfm2";
    let keys = OF_EXPERTS.map(|key| (key, experts)).into_iter().chain([
        ("shared_intermediate_size", config.class.starts_with("GraniteMoe")),
        ("dense_intermediate_size", mixed),
        ("intermediate_size", plain),
        ("ffn_dim", plain),
    ]);
    keys.filter(|(_, cut)| *cut).filter_map(move |(key, _)| Some((key, number(key)?)))
}
