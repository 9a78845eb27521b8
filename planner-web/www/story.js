// The story: one list of frames, each with its text and what the picture shows.

import { t } from "./dom.js";
import { count } from "./numbers.js";

export const KINDS = ["mha", "gqa", "mqa", "sliding", "mla", "recurrent"];

/**
 * Frames for a sentence. `runs` are the answers of the small attention by
 * variant, `pool` that of the pool, `plan` the plan above (or null).
 * A frame: chapter, variant, step (tokens so far), stage (0 token row,
 * 1 Q K V, 2 weights, 3 output, 4 kept), cached, and text.
 */
export function frames(runs, pool, plan) {
  const run = runs.mha;
  const n = run.tokens.length;
  const name = (i) => run.tokens[i - 1] ?? "";
  const list = [];
  const frame = (chapter, more, ...text) =>
    list.push({ chapter, variant: "mha", step: 1, stage: 4, cached: true, text: text.join("\n"), ...more });

  const row = run.row_bytes;
  frame("rows", { stage: 0, all: true }, t("story.rows.1", { n }));
  frame("rows", { stage: 1 }, t("story.rows.2", { token: name(1) }));
  frame("rows", { stage: 3 }, t("story.rows.3"));
  frame("rows", { stage: 4 }, t("story.rows.4", { row }));
  if (n > 1) {
    const values = { token: name(2), before: name(1) };
    frame("next", { step: 2, stage: 1 }, t("story.next.1", values));
    frame("next", { step: 2, stage: 2 }, t("story.next.2", values));
    frame("next", { step: 2, stage: 3 }, t("story.next.3", values));
    frame("next", { step: 2, stage: 4, dead: true }, t("story.next.4", values));
  }
  for (let step = 3; step <= n; step += 1) {
    const bytes = count(run.steps[step - 1].kept_bytes);
    frame("each", { step, work: true }, t("story.each", { token: name(step), t: step, bytes }));
  }
  for (let step = 1; step <= n; step += 1) {
    const { cached, uncached } = run.steps[step - 1];
    const values = { token: name(step), t: step, cached: cached.total_rows, uncached: uncached.total_rows };
    const text = t(step === 1 ? "story.none.first" : "story.none", values);
    const last = step === n && n > 1 ? [t("story.none.last")] : [];
    frame("none", { step, cached: false, work: true }, text, ...last);
  }
  const same = Object.values(runs).every((r) => r.steps.every((s) => s.same));
  frame("same", { step: n, work: true, both: true }, t(same ? "story.same" : "story.same_not"));
  for (const variant of KINDS) {
    frame("kinds", { variant, step: n, kinds: true }, t(`story.kind.${variant}`));
  }
  for (const [i, text] of poolTexts(pool)) frame("pool", { pool: i }, text);
  const model = plan?.model?.name ?? "–";
  frame("model", { model: 1 }, plan ? t("story.model.1", { model }) : t("model.none"));
  if (plan) {
    const { seq, users } = plan.request;
    frame("model", { model: 2 }, t("story.model.2", { seq: count(seq), users: count(users) }));
  }
  return list;
}

/** The pool's frames worth a sentence, up to the one after somebody waited. */
function* poolTexts(pool) {
  yield [-1, t("story.pool.start", { blocks: pool.blocks, rows: pool.block_rows })];
  let before = null;
  let waited = false;
  for (const [i, frame] of pool.frames.entries()) {
    const was = (user) => before?.users.find((u) => u.name === user.name)?.state ?? "coming";
    const came = frame.users.find((u) => was(u) !== "running" && u.state === "running");
    const waits = frame.users.find((u) => u.state === "waiting");
    const done = frame.users.find((u) => was(u) === "running" && u.state === "done");
    const values = { free: frame.free };
    if (done && came) {
      yield [i, t("story.pool.both", { name: done.name, next: came.name })];
      return;
    }
    if (came) {
      yield [i, t("story.pool.comes", { name: came.name, rows: came.rows, blocks: came.blocks })];
    } else if (waits) {
      const key = waited ? "story.pool.still" : "story.pool.waits";
      yield [i, t(key, { ...values, name: waits.name, need: waits.needs_blocks })];
      waited = true;
    } else if (done) yield [i, t("story.pool.done", { name: done.name })];
    else yield [i, t("story.pool.grow", values)];
    before = frame;
  }
}
