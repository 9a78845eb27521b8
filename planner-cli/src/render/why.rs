//! Why an engine's figure is not the definition's, in one sentence with numbers.

use planner_core::engine::report::ReportKind;
use planner_core::plan::Plan;
use planner_core::spec::layer::LayerKind;
use planner_core::text::{Lang, Sentence};
use planner_core::units::{group_digits, human_bytes};

use crate::messages as m;

/// The sentence; none where both figures are equal.
pub fn sentence(plan: &Plan<'_>, lang: Lang) -> Option<String> {
    let (engine, kv) = (&plan.engine, &plan.kv);
    if (engine.session_bytes, engine.total_bytes) == (kv.session_bytes, kv.total_bytes) {
        return None;
    }
    let mut reasons = causes(plan, lang);
    if reasons.is_empty() {
        reasons.push(m::WHY_RULE.text(lang, &[engine.id, &Sentence::from(plan.rule().rule()).text(lang)]));
    }
    let joint = if lang == Lang::Zh { "；" } else { "; " };
    Some(m::WHY.text(lang, &[&human_bytes(kv.total_bytes), &reasons.join(joint)]))
}

fn causes(plan: &Plan<'_>, lang: Lang) -> Vec<String> {
    let digits = |number: u64| group_digits(number);
    let (engine, kv, parallel) = (&plan.engine, &plan.kv, plan.parallel);
    let mut causes = Vec::new();
    let has = |kind: LayerKind| plan.model.layers.iter().any(|layer| layer.kind() == kind);
    let ranks = parallel.tp() / parallel.dcp().max(1);
    if engine.session_bytes > kv.session_bytes {
        if ranks > 1 && has(LayerKind::Latent) {
            causes.push(m::WHY_LATENT.text(lang, &[&digits(parallel.tp())]));
        }
        if let Some(heads) = plan.model.kv_heads.filter(|&heads| heads > 0 && !has(LayerKind::Latent))
            && ranks > heads
        {
            let copies = ranks.div_ceil(heads);
            causes.push(m::WHY_HEADS.text(lang, &[&digits(heads), &digits(copies), &digits(parallel.tp())]));
        }
        let pool = engine.report.pool();
        if let Some(pool) =
            pool.filter(|pool| pool.block_size > 1 && !plan.tokens.is_multiple_of(pool.block_size))
        {
            causes.push(m::WHY_BLOCKS.text(lang, &[&digits(pool.block_size)]));
        }
        if engine.id == "vllm" && has(LayerKind::Sliding) {
            causes.push(m::WHY_WINDOW.text(lang, &[]));
        }
    }
    let asked = plan.request.users;
    let held = parallel.users_per_replica(asked).saturating_mul(parallel.dp());
    if parallel.dp() > 1 && held > asked {
        let each = parallel.users_per_replica(asked);
        causes.push(m::WHY_REPLICAS.text(lang, &[&digits(parallel.dp()), &digits(each)]));
    }
    let slots = plan.request.n_parallel.unwrap_or(0);
    if matches!(engine.report.kind, ReportKind::LlamaCpp(_)) && slots > asked {
        causes.push(m::WHY_SLOTS.text(lang, &[&digits(slots)]));
    }
    causes
}
