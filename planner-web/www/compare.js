// Two to four models or engines side by side, for the same question.

import { $, el, filled, t } from "./dom.js";
import { count, exact, size } from "./numbers.js";
import { bring, planner } from "./planner.js";
import { get, put } from "./state.js";

const MOST = 4;
const FIRST_ENGINES = ["architecture", "vllm", "sglang", "llama.cpp"];

let engines = [];
let question = null;
let near = false;
let present = () => null;

export function startCompare(data, asks, last) {
  engines = data.engines;
  question = asks;
  present = last;
  // the engines are fetched when the reader comes near
  new IntersectionObserver((seen, observer) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    near = true;
    observer.disconnect();
    showCompare();
  }, { rootMargin: "400px" }).observe($("compare"));
  document.body.append(el("datalist", { id: "model-names" }, ...data.models.map((model) => el("option", { value: model.id }, model.name))));
}

/** Columns as [model or "" for the one asked, engine]. */
function columns() {
  const given = get("c").split(",").filter(Boolean).map((text) => text.split("~"));
  if (given.length >= 2) return given.slice(0, MOST).map(([model, engine]) => [model, engines.includes(engine) ? engine : engines[0]]);
  return FIRST_ENGINES.filter((engine) => engines.includes(engine)).map((engine) => ["", engine]);
}

function keep(list) {
  put({ c: list.map((column) => column.join("~")).join(",") });
  showCompare();
}

export function showCompare() {
  const asked = present();
  const list = columns();
  const plans = list.map(([model, engine]) => JSON.parse(planner.plan(JSON.stringify(question({ model: model || undefined, engine })))));
  const parts = new Set(plans.map((plan) => plan.part).filter(Boolean));
  if (parts.size > 0) {
    const wait = (text) => { if (!$("columns").querySelector("table")) $("columns").replaceChildren(el("p.small", {}, text)); };
    wait(t("page.loading"));
    if (near) Promise.all([...parts].map(bring)).then(showCompare, (why) => wait(t("page.part_failed", { why: why.message })));
    return;
  }
  const change = (i, at, value) => keep(list.map((column, j) => (j === i ? column.map((x, k) => (k === at ? value : x)) : column)));
  const most = Math.max(1, ...plans.map((plan) => (plan.error ? 0 : Number(plan.engine.total_bytes))));
  const head = list.map(([model, engine], i) =>
    el("th", { scope: "col" },
      el("span.sr", {}, t("compare.column", { n: i + 1 })),
      el("span.model", {}, el("input", { type: "text", list: "model-names", value: model, placeholder: asked?.model?.name ?? "", "aria-label": `${t("compare.column", { n: i + 1 })}: ${t("ask.model")}`, onchange: (event) => change(i, 0, event.target.value.trim()) }),
        list.length > 2 ? el("button.link", { type: "button", title: t("compare.remove", { n: i + 1 }), "aria-label": t("compare.remove", { n: i + 1 }), onclick: () => keep(list.filter((_, j) => j !== i)) }, "×") : null),
      select(engine, i, (value) => change(i, 1, value))));
  const row = (name, cell, strong) =>
    el(`tr${strong ? ".strong" : ""}`, {}, el("th", { scope: "row" }, name), ...plans.map((plan) => (plan.error ? null : el("td", {}, cell(plan)))));
  const bytes = (pick) => (plan) => [el("b", {}, size(pick(plan))), el("span.exact", {}, exact(pick(plan)))];
  const cells = (pick) => (plan) => el("div", {}, ...bytes(pick)(plan));
  const fits = (plan) => (plan.verdict.fits === null ? t("compare.unknown") : plan.verdict.fits ? `✓ ${t("compare.yes")}` : `✗ ${t("compare.no")}`);
  const body = [
    row(t("word.token"), cells((plan) => plan.kv.bytes_per_token)),
    row(t("word.session"), cells((plan) => plan.engine.session_bytes)),
    row(t("compare.engine_total"), (plan) => el("div", {}, ...bytes((p) => p.engine.total_bytes)(plan),
      el("span.track", { "aria-hidden": "true" }, filled(plan.engine.total_bytes, most))), true),
    row(t("word.weights"), cells((plan) => plan.model.weight_bytes)),
    row(t("compare.most_users"), (plan) => count(plan.verdict.max_users)),
    row(t("compare.fits"), fits),
  ];
  for (const [i, plan] of plans.entries()) {
    if (!plan.error) continue; // its reason stands in the whole column
    const { message, hint } = plan.error;
    const why = hint ? t("result.error_hint", { message, hint }) : message;
    body[0].insertBefore(el("td", { rowspan: body.length }, el("p.error", {}, t("compare.refused", { why }))), body[0].children[i + 1] ?? null);
  }
  const focus = document.activeElement?.closest?.("#columns") ? document.activeElement.getAttribute("aria-label") : null;
  $("columns").replaceChildren(
    el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("compare.title") },
      el("table.data.compare", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span.sr", {}, t("compare.what"))), ...head)), el("tbody", {}, ...body))),
    list.length < MOST ? el("button.plain", { type: "button", onclick: () => keep([...list, ["", engines[0]]]) }, t("compare.add")) : "");
  if (focus) $("columns").querySelector(`[aria-label="${CSS.escape(focus)}"]`)?.focus();
}

function select(engine, i, chosen) {
  return el("select", { "aria-label": `${t("compare.column", { n: i + 1 })}: ${t("ask.engine")}`, onchange: (event) => chosen(event.target.value) },
    ...engines.map((id) => el("option", { value: id, selected: id === engine }, t(`engine.${id}`))));
}
