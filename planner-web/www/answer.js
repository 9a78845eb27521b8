// The question and its answer: reads the fields, asks the core, draws.

import { $, busy, el, t } from "./dom.js";
import { bring, planner } from "./planner.js";
import { get, put } from "./state.js";
import { say, showResult } from "./result.js";
import { showLayers } from "./layers.js";
import { showCompare, startCompare } from "./compare.js";
import { showAssumptions } from "./assumptions.js";
import { FLAGS } from "./flags.js";
import { config, fieldError, gguf, labelFields, startFields } from "./fields.js";

const FIELDS = ["model", "config", ...FLAGS.map(({ flag }) => flag)];
const BELOW = ["layers", "compare", "assumptions"];

let answered = () => {}; // told of every answer
let last = null; // the plan shown

export function startAnswer(data, listener) {
  answered = listener;
  startFields(data, ask);
  startCompare(data, question, () => last);
}

/** The request for the core; `model` and `engine` may be others than asked. */
function question({ model, engine } = {}) {
  const flags = {};
  for (const { flag, key, isNeeded, needsGpu } of FLAGS) {
    const text = flag === "engine" && engine ? engine : get(key).trim();
    if (needsGpu && get("g") === "") continue;
    if (text === "auto") continue;
    if (text !== "" || isNeeded) flags[flag] = text;
  }
  const request = { flags, lang: document.documentElement.lang.slice(0, 2) };
  if (model) return { ...request, model };
  if (gguf()) return { ...request, gguf: gguf() };
  return config() ? { ...request, config: config() } : { ...request, model: get("m") };
}

/** Asks the core about the fields as they stand. */
export function ask() {
  const request = JSON.stringify(question());
  const begun = performance.now();
  const answer = JSON.parse(planner.answer(request));
  if (answer.part) {
    busy(["result"], true);
    bring(answer.part).then(ask, (why) => refuse({ message: t("page.part_failed", { why: why.message }) }));
    return;
  }
  for (const field of FIELDS) fieldError(field, "");
  if (answer.error) {
    refuse(answer.error);
    return;
  }
  last = answer.plan;
  busy(["result"], false);
  showBelow(true);
  showResult(answer, request, apply);
  performance.measure("answer", { start: begun });
  busy(BELOW, true);
  afterPainting(() => {
    showLayers(answer);
    showAssumptions(answer);
    showCompare();
    answered(answer);
    busy(BELOW, false);
  });
}

/** The parts that speak of the answer, hidden while there is none. */
function showBelow(shown) {
  for (const part of BELOW) $(part).hidden = !shown;
}

let waiting = 0;
/** The parts further down follow after the answer is on the screen. */
function afterPainting(work) {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => setTimeout(work));
}

function refuse(error) {
  busy(["result"], false);
  const field = FIELDS.includes(error.field) ? error.field : "";
  const text = t("result.error_hint", { message: inLabels(plainError(error)), hint: inLabels(error.hint ?? "") }).replace(/[:：]\s*$/, "");
  if (field) fieldError(field, text);
  const result = $("result");
  let stale = result.querySelector(".stale");
  if (!stale) {
    stale = el("p.stale", {});
    result.prepend(stale);
  }
  showBelow(last !== null);
  result.classList.toggle("old", last !== null);
  stale.replaceChildren(
    el("strong", {}, t("result.error")), field ? "" : `: ${text}`, last ? ` ${t("ask.stale")}` : "");
  say(`${t("result.error")}: ${text}`);
  $("loading")?.remove();
}

/** Flags in quotes, as the labels of their fields where the page has them. */
const inLabels = (text) => text.replace(/`--([a-z-]+)`/g, (quoted, flag) => {
  const label = document.querySelector(`label[for="field-${flag}"]`);
  return label ? `“${label.textContent}”` : quoted;
});

/** Numbers that people get wrong have a sentence of their own. */
function plainError(error) {
  const asked = FLAGS.find(({ flag }) => flag === error.field);
  if (asked?.isCount) {
    const text = get(asked.key).trim();
    if (text === "") return asked.isNeeded ? t("ask.error_empty") : error.message;
    if (/^-?[0.,]+$/.test(text)) return t("ask.error_zero");
    if (error.code === "overflow" || /^\d{15,}$/.test(text)) return t("ask.error_large");
    if (error.code === "bad_value" && !/^\d+[kKmM]?$/.test(text)) return t("ask.error_number", { text });
  }
  return error.message;
}

/** Takes an offer of the verdict: all its changes at once. */
function apply(changes) {
  const key = (flag) => FLAGS.find((known) => `--${known.flag}` === flag).key;
  put(Object.fromEntries(changes.map(({ flag, value }) => [key(flag), value])));
  labelFields();
  ask();
  $("result").querySelector(".verdict")?.focus();
}
