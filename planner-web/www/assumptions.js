// The basis of the figures: notes, where each was read, the command, the JSON.

import { $, el, t } from "./dom.js";
import { count, exact } from "./numbers.js";

let gpus = [];
let models = [];
export function startAssumptions(data) {
  ({ gpus, models } = data);
}

export function showAssumptions({ plan, command }) {
  const { notes, model, engine, request } = plan;
  const start = engine?.command; // what starts the engine with these settings
  const gpu = gpus.find((g) => g.id === request.gpu);
  const known = models.find((m) => m.id === model.id);
  const part = (title, ...body) => el(["assume.command", "assume.start"].includes(title) ? "div.basis.wide" : "div.basis", {}, el("h3", {}, t(title)), ...body);
  const words = (value) => (Number.isInteger(value) ? count(value) : typeof value === "number" ? value.toFixed(2) : typeof value === "string" ? value : JSON.stringify(value));
  const origin = (model.origin ?? []).map((o) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, o.field)), el("td", {}, words(o.value)), el("td", {}, el("code", {}, o.from))));
  const own = Object.entries(engine ?? {}).filter(([, value]) => value !== null && typeof value !== "object");
  $("basis").replaceChildren(...[
    part("assume.command",
      el("pre", { tabindex: "0" }, el("code", { id: "command" }, command)),
      el("p.buttons", {}, copier("copy.command", "command", () => command), copier("copy.link", "command", () => location.href), copier("copy.json", "command", () => JSON.stringify(plan, null, 2)))),
    start ? part("assume.start",
      el("pre", { tabindex: "0" }, el("code", { id: "start" }, start.shell)),
      el("p.buttons", {}, copier("copy.engine", "start", () => start.shell)),
      ...start.notes.map((note) => el("p.small", {}, note.text))) : null,
    part("assume.notes",
      notes.length ? el("ul.notes", {}, ...notes.map((note) => el("li", {}, note.text))) : el("p.small", {}, t("assume.no_notes")),
      known?.source ? el("p.small", {}, `${model.name}: ${known.source}`) : null),
    gpu ? part("assume.gpu", el("p", {}, `${gpu.name}: ${exact(gpu.memory_bytes)}`), el("p.small", {}, gpu.source ?? "")) : null,
    part("assume.origin", el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("assume.origin") },
      el("table.data", {}, el("thead", {}, el("tr", {}, ...["assume.field", "assume.value", "assume.from"].map((key) => el("th", { scope: "col" }, t(key))))), el("tbody", {}, ...origin)))),
    part("assume.engine", el("dl.pairs", {}, ...own.map(([key, value]) => el("div", {}, el("dt", {}, el("code", {}, key)), el("dd", {}, words(value)))))),
    el("details.basis", { ontoggle: (event) => { if (event.target.open) event.target.querySelector("pre").textContent = JSON.stringify(plan, null, 2); } },
      el("summary", {}, t("assume.json")), el("pre", { tabindex: "0" })),
  ].filter(Boolean));
}

/** A button that copies a text, or marks the element of an id for the reader to copy. */
function copier(key, shown, text) {
  const button = el("button.plain", { type: "button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = t("copy.done");
    } catch {
      const range = document.createRange();
      range.selectNodeContents($(shown));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = t("copy.failed");
    }
    setTimeout(() => { button.textContent = t(key); }, 1600);
  } }, t(key));
  return button;
}
