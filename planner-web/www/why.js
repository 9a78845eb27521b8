// Steps through the story: text and picture change together, on one key.

import { $, el, t } from "./dom.js";
import { frames, KINDS } from "./story.js";
import { draw } from "./stage.js";
import { planner } from "./planner.js";
import { get, put } from "./state.js";

const PLAY_EVERY = 2600;
const LONGEST_SENTENCE = 200;

let runs = null;
let pool = null;
let answer = null; // to the question above
let list = [];
let at = 0;
let head = 0;
let timer = 0;

/** Listens to the controls. */
export function startWhy() {
  $("why-back").addEventListener("click", () => go(at - 1));
  $("why-next").addEventListener("click", () => go(at + 1));
  $("why-first").addEventListener("click", () => go(0));
  $("why-play").addEventListener("click", toggle);
  $("why-sentence").addEventListener("input", (event) => {
    put({ x: event.target.value.slice(0, LONGEST_SENTENCE) });
    computeStory();
  });
  $("why-examples").addEventListener("click", (event) => {
    const text = event.target.closest("button")?.dataset.text;
    if (text === undefined) return;
    $("why-sentence").value = text;
    put({ x: text });
    computeStory();
  });
  const stage = $("stage");
  for (const kind of ["pointerover", "focusin"]) {
    stage.addEventListener(kind, (event) => say(event.target.closest?.("td[data-say]")));
  }
  stage.addEventListener("click", (event) => event.target.closest?.("td[tabindex]")?.focus());
  document.addEventListener("keydown", keys);
  at = Number.parseInt(get("f"), 10) - 1 || 0;
  head = Math.min(3, Math.max(0, Number.parseInt(get("hd"), 10) - 1 || 0));
}

/** The sentence changed, or the language: everything is computed again. */
export function computeStory() {
  const input = $("why-sentence");
  const text = get("x") || t("why.example");
  if (input.value !== text && document.activeElement !== input) input.value = text;
  const typed = document.activeElement === input ? input.value : text;
  const error = $("why-error");
  const ask = (variant) => JSON.parse(planner.attention(JSON.stringify({ sentence: typed, variant })));
  const first = ask("mha");
  if (first.error) {
    error.textContent = t(`why.${first.error.code}`);
    input.setAttribute("aria-invalid", "true");
    if (!runs) runs = Object.fromEntries(KINDS.map((k) => [k, JSON.parse(planner.attention(JSON.stringify({ sentence: t("why.example"), variant: k })))]));
  } else {
    error.textContent = first.cut ? t("why.sentence_cut", { n: first.tokens.length }) : "";
    input.removeAttribute("aria-invalid");
    runs = Object.fromEntries(KINDS.map((kind) => [kind, kind === "mha" ? first : ask(kind)]));
  }
  pool ??= JSON.parse(planner.pool(JSON.stringify({ row_bytes: runs.gqa.row_bytes })));
  showStory();
}

/** The answer above changed: the last chapter compares with it. */
export function compareWith(newest) {
  answer = newest;
  if (runs) showStory();
}

function showStory() {
  list = frames(runs, pool, answer?.plan);
  at = Math.min(Math.max(at, 0), list.length - 1);
  show();
}

function go(to) {
  const next = Math.min(Math.max(to, 0), list.length - 1);
  if (next === at) {
    stop();
    return;
  }
  at = next;
  put({ f: at === 0 ? "" : String(at + 1) });
  show();
  if (at === list.length - 1) stop();
}

function show() {
  const frame = list[at];
  const chapters = [...new Set(list.map((f) => f.chapter))];
  const number = chapters.indexOf(frame.chapter) + 1;
  $("why-chapter").textContent = `${number}. ${t(`story.c.${frame.chapter}`)}`;
  $("why-text").replaceChildren(...frame.text.split("\n").map((line) => el("p", {}, line)));
  $("why-count").textContent = t("why.frame", { i: at + 1, n: list.length });
  $("why-back").disabled = at === 0;
  $("why-next").disabled = at === list.length - 1;
  $("why-play").disabled = at === list.length - 1;
  $("why-chapters").replaceChildren(...chapters.map((chapter) => {
    const first = list.findIndex((f) => f.chapter === chapter);
    const size = list.filter((f) => f.chapter === chapter).length;
    const done = Math.min(Math.max(at - first + 1, 0), size) / size;
    return el("li", { style: { "flex-grow": size } },
      el("button", {
        type: "button", "aria-current": chapter === frame.chapter ? "step" : undefined,
        "aria-label": t(`story.c.${chapter}`), title: t(`story.c.${chapter}`), onclick: () => go(first),
      }, el("span.done", { style: { width: `${100 * done}%` } }), el("span.name", { "aria-hidden": "true" }, t(`story.c.${chapter}`))));
  }));
  const matrices = frame.pool === undefined && !frame.model;
  $("why-tokens").replaceChildren(...(matrices ? runs.mha.tokens.map((token, i) => chip(token, i, frame)) : []));
  const weighs = matrices && !frame.all && frame.stage >= 2 && frame.variant !== "recurrent";
  $("why-heads").hidden = !weighs;
  $("why-heads").replaceChildren(el("legend", {}, t("why.heads")), ...[0, 1, 2, 3].map((h) =>
    el("button", { type: "button", "aria-pressed": String(h === head), onclick: () => { head = h; put({ hd: h ? String(h + 1) : "" }); show(); } }, `${h + 1}`)));
  $("why-legend").hidden = !matrices || frame.all;
  $("why-say").hidden = !matrices;
  const held = document.activeElement?.closest?.("#stage") !== null && document.activeElement?.className;
  const focus = $("why-heads").contains(document.activeElement);
  draw({
    runs, pool, answer, frame, head,
    chooseKind: (kind) => {
      go(list.findIndex((f) => f.variant === kind && f.kinds));
      $("stage").querySelector('button.kind[aria-pressed="true"]')?.focus();
    },
  });
  say(null);
  const first = $("stage").querySelector("td[tabindex]");
  first?.setAttribute("tabindex", "0");
  if (held && !focus && document.activeElement === document.body) first?.focus({ preventScroll: true });
}

function chip(token, i, frame) {
  const step = i + 1;
  const target = list.findIndex((f) => f.chapter === frame.chapter && f.step === step && f.variant === frame.variant);
  const state = step === frame.step ? ".now" : step > frame.step ? ".later" : "";
  if (target < 0 || frame.all) return el(`span.chip${frame.all ? "" : state}`, {}, token);
  return el(`button.chip${state}`, { type: "button", onclick: () => go(target) }, token);
}

function say(cell) {
  $("why-say").textContent = cell?.dataset.say ?? t("why.point");
  if (!cell) return;
  $("stage").querySelector(".pointed")?.classList.remove("pointed");
  cell.classList.add("pointed");
}

function toggle() {
  if (timer) stop();
  else {
    timer = setInterval(() => go(at + 1), PLAY_EVERY);
    $("why-play").setAttribute("aria-pressed", "true");
    $("why-play").lastElementChild.textContent = t("why.pause");
  }
}

function stop() {
  clearInterval(timer);
  timer = 0;
  $("why-play").setAttribute("aria-pressed", "false");
  $("why-play").lastElementChild.textContent = t("why.play");
}

// Arrows step wherever the reader is while the story is on the screen; inside
// a matrix they walk its cells, and Escape leaves it.
function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  const target = event.target;
  if (target.closest?.("input, select, textarea, [role=listbox], #layers")) return;
  const cell = target.closest?.("#stage td");
  if (cell && walk(event, cell)) return;
  const box = $("why").getBoundingClientRect();
  if (box.bottom < 80 || box.top > innerHeight - 80) return;
  const inside = target.closest?.("#why");
  const pressed = target.closest?.("button, a, summary");
  if (event.key === "ArrowRight") go(at + 1);
  else if (event.key === "ArrowLeft") go(at - 1);
  else if (event.key === " " && inside && !pressed) toggle();
  else if (event.key === "Home" && inside) go(0);
  else return;
  event.preventDefault();
}

function walk(event, cell) {
  const move = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (event.key === "Escape") $("why").focus();
  else if (move) {
    const lines = [...cell.closest("tbody").rows];
    const line = lines.indexOf(cell.parentNode);
    const column = [...cell.parentNode.querySelectorAll("td")].indexOf(cell);
    const next = lines[line + move[0]]?.querySelectorAll("td")[column + move[1]];
    if (next?.hasAttribute("tabindex")) {
      cell.setAttribute("tabindex", "-1");
      next.setAttribute("tabindex", "0");
      next.focus();
    }
  } else return false;
  event.preventDefault();
  return true;
}

