//! The table of families.

use std::fmt::Write as _;

use planner_language::{CacheRule, Family, ModuleRule, Source, Stack, Tower, families as read};

use super::text::{list, literal, option, texts};
use super::yaml_files;

/// Writes the families and the index of their model types.
pub fn families(out: &mut String) {
    let files: Vec<(String, String)> = yaml_files("families")
        .into_iter()
        .map(|path| (format!("models/{}", path.display()), std::fs::read_to_string(&path).unwrap()))
        .collect();
    let families =
        read(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))).unwrap_or_else(|mistakes| {
            let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"))
        });
    out.push_str(
        "/// Every family, by name.\n#[cfg(feature = \"families\")]\npub static FAMILIES: &[Family] = &[\n",
    );
    let mut owners = Vec::new();
    for (position, family) in families.iter().enumerate() {
        owners.extend(family.model_types.iter().map(|(model_type, _)| (&model_type.text, position)));
        write_family(out, family);
    }
    out.push_str("];\n");
    owners.sort();
    let index =
        list(owners.iter().map(|(model_type, position)| format!("({}, {position})", literal(model_type))));
    writeln!(out, "/// Each `model_type` with the index of its family, sorted.\n#[cfg(feature = \"families\")]\npub static MODEL_TYPES: &[(&str, usize)] = {index};").unwrap();
}

fn write_family(out: &mut String, family: &Family) {
    let model_types = list(family.model_types.iter().map(|(model_type, defaults)| {
        let defaults = defaults.iter().map(|(key, value)| {
            format!("({}, {})", literal(&key.text), literal(&value.to_json().to_string()))
        });
        format!("({}, {})", literal(&model_type.text), list(defaults))
    }));
    let language_model = family.language_model.as_ref().map_or("None".into(), |(config, model_type)| {
        format!("Some(({}, {}))", literal(config), literal(&model_type.text))
    });
    let definitions = list(
        family
            .definitions
            .iter()
            .map(|(key, source)| format!("({}, {})", literal(&key.text), expression(source))),
    );
    writeln!(
        out,
        "Family {{ name: {}, model_types: {model_types}, language_model: {language_model}, towers: {}, definitions: {definitions},\n cache: {},\n modules: {},\n layer_modules: {},\n stacks: {}, refuse: {} }},",
        literal(&family.name.text),
        list(family.towers.iter().map(tower)),
        list(family.cache.iter().map(cache_rule)),
        modules(&family.modules),
        modules(&family.layer_modules),
        list(family.stacks.iter().map(stack)),
        option(family.refuse.as_deref())
    )
    .unwrap();
}

fn expression(source: &Source) -> String {
    literal(&source.text)
}

fn optional(source: Option<&Source>) -> String {
    option(source.map(|source| source.text.as_str()))
}

fn tower(tower: &Tower) -> String {
    format!(
        "Tower {{ name: {}, config: {}, model_type: {}, is_fixed: {}, when: {} }}",
        literal(&tower.name),
        literal(&tower.config),
        literal(&tower.model_type.text),
        tower.is_fixed,
        optional(tower.when.as_ref())
    )
}

fn cache_rule(rule: &CacheRule) -> String {
    let mixer = rule.mixer.iter().map(|mixer| format!("(\"mixer\", {})", literal(mixer)));
    let fields =
        rule.fields.iter().map(|(name, source)| format!("({}, {})", literal(name), expression(source)));
    format!(
        "CacheRule {{ kind: {}, when: {}, only: {}, except: {}, fields: {} }}",
        literal(&rule.kind),
        optional(rule.when.as_ref()),
        texts(&rule.only),
        texts(&rule.except),
        list(mixer.chain(fields))
    )
}

fn modules(rules: &[ModuleRule]) -> String {
    list(rules.iter().map(|rule| {
        format!(
            "ModuleRule {{ part: {}, path: {}, is: {}, when: {}, count: {}, active: {} }}",
            literal(&rule.part),
            literal(&rule.path),
            expression(&rule.is),
            optional(rule.when.as_ref()),
            optional(rule.count.as_ref()),
            optional(rule.active.as_ref())
        )
    }))
}

fn stack(stack: &Stack) -> String {
    format!(
        "Stack {{ name: {}, repeat: {}, when: {}, modules: {} }}",
        literal(&stack.name),
        expression(&stack.repeat),
        optional(stack.when.as_ref()),
        modules(&stack.modules)
    )
}
