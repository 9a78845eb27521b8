//! Parameters and weight bytes by part, from the modules of a family and its towers.

use planner_models::{ModuleRule, Tower};
use serde_json::{Map, Value as Json};

use super::eval::Scope;
use super::family::{bounded, fill, find, near_types};
use super::model::{MAX_LAYERS, Part, WeightModule, nested};
use super::value::{ModuleKind, Value};
use super::weights::Storage;
use crate::error::{Code, Error, Result};
use crate::units::{product, sum};

/// Adds up modules by part.
pub struct Counter {
    storage: Storage,
    /// By name.
    parts: Vec<Part>,
    modules: Vec<WeightModule>,
}

impl Counter {
    /// An empty count; `storage` says how weights are stored.
    pub fn new(storage: Storage) -> Self {
        Self { storage, parts: Vec::new(), modules: Vec::new() }
    }

    /// Adds the modules whose conditions hold, for one `layer` of the language model or outside its layers.
    pub fn modules(
        &mut self,
        scope: &Scope<'_>,
        rules: &'static [ModuleRule],
        prefix: &str,
        layer: Option<u64>,
    ) -> Result<()> {
        for rule in rules {
            if !scope.holds(rule.when)? {
                continue;
            }
            let module = match scope.evaluate(rule.is)? {
                Value::Module(module) => module,
                other => return Err(Error::bad_value(rule.path, other.describe(), words!("a module"))),
            };
            let count = rule.count.map_or(Ok(1), |count| scope.count(rule.path, count))?;
            let active = rule.active.map_or(Ok(count), |active| scope.count(rule.path, active))?;
            let each = module.parameters()?;
            let bytes = self.storage.bytes(rule.part, &format!("{prefix}{}", rule.path), module, count)?;
            self.modules.push(WeightModule {
                part: rule.part,
                path: rule.path,
                layer,
                shape: module,
                count,
                bytes,
            });
            let part = self.part(rule.part);
            part.parameters =
                sum(words!("parameters"), [part.parameters, product(words!("parameters"), &[each, count])?])?;
            part.active = sum(
                words!("parameters"),
                [part.active, product(words!("parameters"), &[each, active.min(count)])?],
            )?;
            part.bytes = sum(words!("weight bytes"), [part.bytes, bytes])?;
        }
        Ok(())
    }

    /// Adds modules that the model has once, and further repeated blocks.
    pub fn once(&mut self, scope: &Scope<'_>, prefix: &str) -> Result<()> {
        self.modules(scope, scope.family.modules, prefix, None)?;
        for stack in scope.family.stacks {
            if scope.holds(stack.when)? {
                let repeat = bounded(stack.name, scope.count(stack.name, stack.repeat)?, MAX_LAYERS)?;
                for index in 0..repeat {
                    scope.set_index(Some(index));
                    self.modules(scope, stack.modules, &format!("{prefix}{}.{index}.", stack.name), None)?;
                }
                scope.set_index(None);
            }
        }
        Ok(())
    }

    /// Adds the parameters of a nested model.
    pub fn tower(&mut self, outer: &Scope<'_>, tower: &Tower) -> Result<()> {
        let empty = Map::new();
        let config = nested(outer.config, tower.config).unwrap_or(&empty);
        let named = config.get("model_type").and_then(Json::as_str).filter(|_| !tower.is_fixed);
        let model_type = named.unwrap_or(tower.model_type);
        let Some((family, mut defaults)) = find(model_type) else {
            return Err(Error::refused(
                Code::ModelUnknownTower,
                say!("no family knows the model `{0}` in `{1}`", model_type, tower.config),
            )
            .way_out(near_types(model_type)));
        };
        if let Some(Json::Object(more)) = outer.defaults.get(tower.config) {
            defaults.extend(more.clone());
        }
        let config = fill(config, &defaults);
        let scope = Scope::new(family, &config, outer.root, &defaults, outer.class, model_type);
        if family.definitions.iter().any(|(name, _)| *name == "layers") {
            let layers = bounded(tower.name, scope.count(tower.name, "layers")?, MAX_LAYERS)?;
            for index in 0..layers {
                scope.set_index(Some(index));
                self.modules(&scope, family.layer_modules, &format!("{}.layers.{index}.", tower.name), None)?;
            }
            scope.set_index(None);
        }
        self.once(&scope, &format!("{}.", tower.name))
    }

    fn part(&mut self, name: &'static str) -> &mut Part {
        let at = self.parts.partition_point(|part| part.name < name);
        if self.parts.get(at).is_none_or(|part| part.name != name) {
            self.parts.insert(at, Part { name, parameters: 0, active: 0, bytes: 0 });
        }
        &mut self.parts[at]
    }

    /// The parts that have parameters, and all modules.
    pub fn finish(self) -> (Vec<Part>, Vec<WeightModule>) {
        let parts = self.parts.into_iter().filter(|part| part.parameters > 0).collect();
        (parts, self.modules)
    }
}

/// Inner states of a token in the widest layer: what the modules that lead out of the hidden states give, active
/// experts together.
pub(super) fn inner_size(parts: &[Part], modules: &[WeightModule], hidden: u64) -> u64 {
    let share = |part: &str| {
        let part = parts.iter().find(|own| own.name == part);
        part.map_or((1, 1), |part| (part.active, part.parameters.max(1)))
    };
    let (active, all) = share("experts");
    let of = |module: &WeightModule| {
        let leads = module.shape.kind == ModuleKind::Linear && module.shape.inputs == hidden;
        let back = module.path.contains("down");
        match module.part {
            "mlp" | "shared_experts" if leads && !back => module.shape.outputs.saturating_mul(module.count),
            "experts" if leads && !back => {
                let used = u128::from(module.count) * u128::from(active) / u128::from(all);
                module.shape.outputs.saturating_mul(u64::try_from(used).unwrap_or(u64::MAX))
            }
            _ => 0,
        }
    };
    let layers = modules.chunk_by(|a, b| a.layer == b.layer);
    let widest = layers.map(|layer| layer.iter().map(of).fold(0, u64::saturating_add)).max();
    // gate and up lead out of the same states
    widest.unwrap_or(0) / 2
}
