// The question and its answer: reads the fields, asks the core, draws.

import { $, busy, el, t } from "./dom.js";
import { bring, planner } from "./planner.js";
import { get, put } from "./state.js";
import { say, showResult } from "./result.js";
import { showLayers } from "./layers.js";
import { showCompare, startCompare } from "./compare.js";
import { showRests } from "./rests.js";
import { config, fieldError, fields, gguf, labelFields, startFields } from "./fields.js";

/** State key, flag, and whether it only means something with a GPU. */
export const FLAGS = [
  ["s", "seq"], ["u", "users"], ["g", "gpu"], ["n", "gpus", true], ["tp", "tp"], ["pp", "pp"], ["e", "engine"],
  ["k", "kv-dtype"], ["w", "weight-dtype"], ["kh", "kv-heads"], ["mu", "memory-utilization"], ["rs", "reserve"],
  ["bs", "block-size"], ["bt", "max-num-batched-tokens"],
];

const BELOW = ["layers", "compare", "assumptions"];

let told = () => {};
let last = null;

export function startAnswer(data, listener) {
  told = listener;
  startFields(data, ask);
  startCompare(data, question, () => last);
}

/** Puts the fields into the reader's language. */
export function speakAnswer() {
  labelFields();
}

/** The request for the core; `model` and `engine` may be others than asked. */
export function question({ model, engine } = {}) {
  const flags = {};
  for (const [key, flag, needsGpu] of FLAGS) {
    const text = flag === "engine" && engine ? engine : get(key).trim();
    if (needsGpu && get("g") === "") continue;
    if (text === "auto") continue;
    if (text !== "" || flag === "seq" || flag === "users") flags[flag] = text;
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
  const plan = JSON.parse(planner.plan(request));
  if (plan.part) {
    busy(["result"], true);
    bring(plan.part).then(ask, (why) => refuse({ message: t("page.part_failed", { why: why.message }) }));
    return;
  }
  for (const field of fields()) fieldError(field, "");
  if (plan.error) {
    refuse(plan.error);
    return;
  }
  last = plan;
  busy(["result"], false);
  below(true);
  showResult(plan, request, apply);
  performance.measure("answer", { start: begun });
  busy(BELOW, true);
  later(() => {
    showLayers(plan);
    showRests(plan, command());
    showCompare();
    told(plan);
    busy(BELOW, false);
  });
}

/** The parts that speak of the answer, hidden while there is none. */
function below(shown) {
  for (const part of BELOW) $(part).hidden = !shown;
}

let waiting = 0;
/** The parts further down follow after the answer is on the screen. */
function later(work) {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => setTimeout(work));
}

function refuse(error) {
  busy(["result"], false);
  const field = fields().includes(error.field) ? error.field : "";
  const text = t("result.error_hint", { message: plainError(error), hint: error.hint ?? "" }).replace(/[:：]\s*$/, "");
  if (field) fieldError(field, text);
  const result = $("result");
  let stale = result.querySelector(".stale");
  if (!stale) {
    stale = el("p.stale", {});
    result.prepend(stale);
  }
  below(last !== null);
  result.classList.toggle("old", last !== null);
  stale.replaceChildren(
    el("strong", {}, t("result.error")), field ? "" : `: ${text}`, last ? ` ${t("ask.stale")}` : "");
  say(`${t("result.error")}: ${text}`);
  $("loading")?.remove();
}

/** Numbers that people get wrong have a sentence of their own. */
function plainError(error) {
  const key = FLAGS.find(([, flag]) => flag === error.field)?.[0];
  if (key && ["seq", "users", "gpus", "tp", "pp", "kv-heads", "block-size", "max-num-batched-tokens"].includes(error.field)) {
    const text = get(key).trim();
    if (text === "") return t("ask.error_empty");
    if (/^-?[0.,]+$/.test(text)) return t("ask.error_zero");
    if (error.code === "overflow" || /^\d{15,}$/.test(text)) return t("ask.error_large");
    if (error.code === "bad_value" && !/^\d+[kKmM]?$/.test(text)) return t("ask.error_number", { text });
  }
  return error.message;
}

/** Takes one of the changes that the verdict offers. */
function apply(flag, value) {
  const key = FLAGS.find(([, name]) => `--${name}` === flag)?.[0];
  if (!key) return;
  const changes = { [key]: value };
  if (key === "n") Object.assign(changes, { tp: "", pp: "" });
  put(changes);
  labelFields();
  ask();
  $("result").querySelector(".verdict")?.focus();
}

/** The same question for the command line. */
export function command() {
  const { flags, model } = question();
  const quoted = (text) => (/^[\w.,:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const parts = [`kvplan --model ${quoted(gguf() || (model ?? "config.json"))}`];
  for (const [flag, text] of Object.entries(flags)) {
    if (flag === "engine" && text === "architecture") continue;
    parts.push(`--${flag} ${quoted(text)}`);
  }
  return parts.join(" ");
}

