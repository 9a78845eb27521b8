//! Every model of the catalogue against figures that come from elsewhere: its own hand derivation,
//! published parameter counts, and the same configuration given as a file.

use std::collections::BTreeMap;

use planner_core::plan::plan;
use planner_core::request::Request;
use planner_core::{catalog, source};
use planner_models::{GPUS, MODELS};

#[test]
fn bytes_per_token_are_those_derived_by_hand() {
    let mut wrong = Vec::new();
    for entry in MODELS {
        let model = catalog::build(entry).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let mut request = Request::default();
        request.set("seq", "1").unwrap();
        request.set("kv-dtype", "bf16").unwrap();
        let planned = plan(&model, &request).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        let first = planned.kv.slopes.first().map_or(0, |slope| slope.bytes_per_token());
        if first != entry.bytes_per_token {
            wrong.push(format!(
                "{}: {first}, by hand {} = {}",
                entry.id, entry.derivation, entry.bytes_per_token
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn parameters_are_the_published_counts() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    for entry in MODELS {
        let Some((parameters, source)) = entry.parameters else { continue };
        let model = catalog::build(entry).unwrap();
        checked += 1;
        if model.parameters != parameters {
            wrong.push(format!("{}: {}, published {parameters} ({source})", entry.id, model.parameters));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= 20, "only {checked} entries state a published count");
}

#[test]
fn an_id_a_hub_id_and_the_configuration_give_the_same() {
    for entry in MODELS {
        let by_id = catalog::model(entry.id).unwrap();
        let from_text = source::from_config_json(entry.config, true).unwrap();
        assert_eq!(by_id.layers, from_text.layers, "{}", entry.id);
        assert_eq!(
            (by_id.parameters, by_id.weight_bytes),
            (from_text.parameters, from_text.weight_bytes),
            "{}",
            entry.id
        );
        for hub in entry.hub {
            let by_hub = catalog::model(&hub.to_uppercase()).unwrap();
            assert_eq!(by_id.layers, by_hub.layers, "{hub}");
            assert!(by_hub.notes.iter().any(|note| note.code == "from_catalogue"), "{hub}");
        }
    }
}

/// Neither list gets shorter unseen, and no name stands for two entries.
#[test]
fn no_entry_is_lost_and_no_name_stands_for_two() {
    assert!(MODELS.len() >= 337, "{} models", MODELS.len());
    assert!(GPUS.len() >= 95, "{} GPUs", GPUS.len());
    let mut names = BTreeMap::new();
    let models = MODELS.iter().flat_map(|entry| {
        let own = std::iter::once(entry.id).chain(entry.hub.iter().copied());
        own.map(|name| (name.to_lowercase(), entry.id))
    });
    let gpus = GPUS.iter().flat_map(|entry| {
        let own = [entry.id, entry.name].into_iter().chain(entry.aliases.iter().copied());
        own.map(|name| (name.to_lowercase(), entry.id))
    });
    for (name, id) in models.chain(gpus) {
        let other = names.insert(name.clone(), id);
        assert!(other.is_none_or(|other| other == id), "{name} stands for {other:?} and {id}");
    }
}

#[test]
fn contract_gpu_ids_and_spellings_resolve() {
    use planner_core::device::Device;
    for (name, mib) in [
        ("h100-80gb", 81_559),
        ("H100", 81_559),
        ("NVIDIA H100 80GB HBM3", 81_559),
        ("h200-141gb", 143_771),
        ("b200", 183_359),
        ("gb200", 189_471),
        ("a100-80gb", 81_920),
        ("a100-40gb", 40_960),
        ("l40s", 46_068),
        ("l4", 23_034),
        ("t4", 15_360),
        ("rtx-3090", 24_576),
        ("rtx-4090", 24_564),
        ("rtx-5090", 32_607),
        ("rtx-pro-6000", 97_887),
        ("h100-nvl-94gb", 95_830),
    ] {
        assert_eq!(Device::resolve(name).unwrap().memory_bytes, mib << 20, "{name}");
    }
    for name in ["h100-pcie-80gb", "mi300x"] {
        assert!(Device::resolve(name).is_ok(), "{name}");
    }
}
