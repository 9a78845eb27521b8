//! Every kind of mistake in a family file, and the build's message for it.

use planner_language::{Family, families};

/// A correct small family; each case spoils it.
const GOOD: &str = "\
name: good
model_types:
  good: {hidden_size: 64, rope: {theta: 1}}
defs:
  hidden: .hidden_size
  layers: .num_hidden_layers
  heads: .num_attention_heads ?? hidden // 64
  sliding: i % 2 == 0 and has(.rope.theta)
cache:
  - keys_values: {heads: heads, k: hidden // heads, v: hidden // heads, when: not sliding}
modules:
  norm:
    model.norm: norm(hidden)
layer_modules:
  mlp:
    mlp.up_proj: linear(hidden, 4 * hidden)
stacks:
  blocks:
    repeat: layers
    modules:
      other:
        bias: param(i + 1)
";

fn read(files: &[(&str, &str)]) -> Result<Vec<Family>, String> {
    families(files.iter().copied())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The messages for the correct family with `old` replaced; empty where nothing is wrong.
fn spoiled(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "`{old}` must stand once in the good family");
    read(&[("good.yaml", &GOOD.replace(old, new))]).err().unwrap_or_default()
}

#[test]
fn the_good_family_is_read() {
    let families = read(&[("good.yaml", GOOD)]).unwrap();
    let [family] = families.as_slice() else { panic!("{families:?}") };
    assert_eq!(family.definitions[2].1.text, ".num_attention_heads ?? hidden // 64");
    assert_eq!(family.definitions[2].1.place.line, 7);
}

#[test]
fn a_mistake_is_told_with_its_file_its_line_and_near_names() {
    let mut wrong = Vec::new();
    for (old, new, told) in [
        // Names.
        (
            "norm(hidden)",
            "norm(hiden)",
            "good.yaml:13: no definition `hiden` (near names: `hidden`); a key of the configuration is written `.hiden`",
        ),
        (
            "  hidden: .hidden_size",
            "  hidden: hidden_size",
            "good.yaml:5: no definition `hidden_size`; a key of the configuration is written `.hidden_size`",
        ),
        ("norm(hidden)", "nrm(hidden)", "good.yaml:13: no function `nrm` (near names: `norm`)"),
        ("norm(hidden)", "norm(hidden, true, 1)", "good.yaml:13: `norm` takes 1 to 2 arguments, not 3"),
        ("norm(hidden)", "table(hidden)", "good.yaml:13: `table` takes 2 arguments, not 1"),
        ("norm(hidden)", "param(max())", "good.yaml:13: `max` takes at least 1 arguments, not 0"),
        ("norm(hidden)", "norm(hidden", "good.yaml:13: expected `,` at the end of `norm(hidden`"),
        ("norm(hidden)", "[1, 2]", "good.yaml:13: expected an expression"),
        // Definitions.
        (
            "  hidden: .hidden_size",
            "  hidden: heads",
            "good.yaml:7: definitions go in a circle: heads → hidden → heads",
        ),
        (
            "  hidden: .hidden_size",
            "  hidden: hidden",
            "good.yaml:5: definitions go in a circle: hidden → hidden",
        ),
        (
            "  layers: .num_hidden_layers",
            "  layers: .num_hidden_layers\n  layer_prefx: \"'model'\"",
            "good.yaml:7: nothing reads the definition `layer_prefx` (near names: `layer_prefix`)",
        ),
        (
            "  layers: .num_hidden_layers",
            "  layers: i",
            "good.yaml:6: `i` has no value here, outside the layers",
        ),
        (
            "norm(hidden)",
            "{is: norm(hidden), when: sliding}",
            "good.yaml:13: `i` has no value here, outside the layers",
        ),
        ("repeat: layers", "repeat: layers + i", "good.yaml:19: `i` has no value here, outside the layers"),
        ("  layers:", "  in: 1\n  layers:", "good.yaml:6: `in` is a word of the language"),
        // Class defaults.
        (
            "{hidden_size:",
            "{+hidden_size:",
            "good.yaml:3: no expression reads the class default `+hidden_size` (near names: `hidden_size`)",
        ),
        (
            "theta: 1",
            "thta: 1",
            "good.yaml:3: no expression reads the class default `thta` (near names: `theta`)",
        ),
        // Keys of the file.
        (
            "layer_modules:",
            "layer_module:",
            "good.yaml:14: a family file has no `layer_module` (near names: `layer_modules`)",
        ),
        ("  mlp:", "  mpl:", "good.yaml:15: the list of parts has no `mpl` (near names: `mlp`)"),
        (
            "keys_values:",
            "key_values:",
            "good.yaml:10: `cache` has no `key_values` (near names: `keys_values`)",
        ),
        (
            ", when: not sliding}",
            ", windw: 4}",
            "good.yaml:10: `keys_values` has no `windw` (near names: `window`)",
        ),
        ("v: hidden // heads, ", "", "good.yaml:10: `keys_values` needs `v`"),
        (
            "keys_values: {heads: heads, k: hidden // heads, v: hidden // heads, when: not sliding}",
            "state: {mixer: mamba3}",
            "good.yaml:10: `mixer` has no `mamba3` (near names: `mamba1`, `mamba2`)",
        ),
        (
            "norm(hidden)",
            "{is: norm(hidden), whn: true}",
            "good.yaml:13: `model.norm` has no `whn` (near names: `when`)",
        ),
        ("norm(hidden)", "{when: true}", "good.yaml:13: `model.norm` needs `is`"),
        ("    repeat: layers\n", "", "good.yaml:18: `blocks` needs `repeat`"),
        ("norm(hidden)", "~", "good.yaml:13: `model.norm: ~` removes nothing"),
        ("name: good", "name: well", "good.yaml:1: `name: well` must be the file's name"),
        ("name: good", "name: good\nextends: decodr", "good.yaml:2: no family `decodr` to extend"),
        ("name: good", "name: good\nextends: good", "good.yaml:2: `extends: good` goes in a circle"),
        (
            "name: good",
            "name: good\nlanguage_model: {config: text_config, model_type: goood}",
            "good.yaml:2: no family of model_type `goood` (near names: `good`)",
        ),
        (
            "name: good",
            "name: good\ntowers: {eyes: {config: vision_config}}",
            "good.yaml:2: `eyes` needs `class` or `model_type`, not both",
        ),
    ] {
        let said = spoiled(old, new);
        if said.lines().all(|line| line != told) {
            wrong.push(format!("{new}\n  expected: {told}\n  said: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_yaml_is_told_with_its_line() {
    assert!(spoiled("  layers:", "  hidden: 1\n  layers:").starts_with("good.yaml:6: "), "a key twice");
    assert!(spoiled("model_types:", "model_types: [").starts_with("good.yaml:"));
    assert_eq!(read(&[("good.yaml", "- name")]).unwrap_err(), "good.yaml:1: a family file must be a map");
    assert!(read(&[("good.yaml", "")]).is_err());
}

#[test]
fn a_family_and_those_that_extend_it_are_checked_together() {
    let heir = |text: &str| {
        let text = format!("name: heir\nextends: good\nmodel_types: {{heir: {{}}}}\n{text}");
        read(&[("good.yaml", GOOD), ("heir.yaml", &text)])
    };
    // A refined module keeps its shape, a null removes one.
    let families =
        heir("modules: {norm: {model.norm: {when: hidden > 0}}}\nlayer_modules: {mlp: ~}").unwrap();
    assert_eq!(families[1].modules[0].is.text, "norm(hidden)");
    assert_eq!(families[1].modules[0].when.as_ref().unwrap().text, "hidden > 0");
    assert!(families[1].layer_modules.is_empty());
    let told = |text: &str| heir(text).unwrap_err();
    assert_eq!(told("layer_modules: {mlp: {mlp.up: ~}}"), "heir.yaml:4: `mlp.up: ~` removes nothing");
    // The mistake is in the extending family; the expression that shows it is in the extended one.
    assert_eq!(told("defs: {hidden: sliding ? 1 : 2}").lines().count(), 1);
    assert_eq!(told("defs: {gated: true}"), "heir.yaml:4: nothing reads the definition `gated`");
    let twice = "name: twin\nextends: good\nmodel_types: {good: {}}\n";
    assert_eq!(
        read(&[("good.yaml", GOOD), ("twin.yaml", twice)]).unwrap_err(),
        "twin.yaml:3: model_type `good` is in `good` too"
    );
}

#[test]
fn a_file_that_ends_anywhere_or_lacks_a_line_never_panics() {
    for end in 0..GOOD.len() {
        let _ = read(&[("good.yaml", &GOOD[..end])]);
    }
    let lines: Vec<&str> = GOOD.lines().collect();
    for left_out in 0..lines.len() {
        let rest = [&lines[..left_out], &lines[left_out + 1..]].concat().join("\n");
        let _ = read(&[("good.yaml", &rest)]);
    }
}
