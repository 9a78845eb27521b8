// The strip of layers, marked by what each keeps, with the same as a table.

import { $, el, t } from "./dom.js";
import { count, exact, size } from "./numbers.js";

/** Runs of layers; a model that alternates has as many runs as layers. */
export function showLayers({ figures }) {
  const strip = el("div.strip", {}, ...figures.runs.map((run) => {
    const values = {
      i: run.first, a: run.first, b: run.last, kind: t(`kind.${run.kind}`),
      token: size(run.bytes_per_token), session: size(run.session_bytes),
    };
    const label = t(run.count === 1 ? "layers.one" : "layers.range", values);
    const boxes = Array.from({ length: Math.min(run.count, 400) }, () => el(`i.box.${run.kind}`, { "aria-hidden": "true" }));
    return el("button", {
      type: "button", "aria-label": label, title: label,
      onmouseenter: () => tell(label), onfocus: () => tell(label), onclick: () => tell(label),
    }, ...boxes);
  }));
  oneStop(strip);
  const note = el("p.small", { id: "layer-note" }, "\u00a0");
  const tell = (text) => { note.textContent = text; };
  $("strip").replaceChildren(strip, note, table(figures.kinds));
}

/** One tab stop: the arrow keys, Home and End move along the strip. */
function oneStop(strip) {
  const all = [...strip.children];
  all.forEach((button, i) => { button.tabIndex = i === 0 ? 0 : -1; });
  strip.addEventListener("keydown", (event) => {
    const at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || all[to] === undefined) return;
    event.preventDefault();
    all[at].tabIndex = -1;
    all[to].tabIndex = 0;
    all[to].focus();
  });
}

function table(kinds) {
  const head = [["layers.kind"], ["layers.keeps"], ["layers.count", ".num"], ["layers.which"], ["word.token", ".num"], ["word.session", ".num"]];
  const lines = kinds.map((row) =>
    el("tr", {}, el("th", { scope: "row" }, el(`i.box.${row.kind}`, { "aria-hidden": "true" }), t(`kind.${row.kind}`)),
      el("td", {}, shape(row)), el("td.num", {}, count(row.count)), el("td.which", {}, which(row.runs.map(span))),
      el("td.num", {}, exact(row.bytes_per_token)), el("td.num", {}, exact(row.session_bytes))));
  return el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("layers.title") },
    el("table.data", {},
      el("thead", {}, el("tr", {}, ...head.map(([key, kind = ""]) => el(`th${kind}`, { scope: "col" }, t(key))))), el("tbody", {}, ...lines)));
}

const span = ({ first, last }) => (first === last ? `${first}` : `${first}–${last}`);
const which = (list) => (list.length > 6 ? `${list.slice(0, 3).join(", ")} … ${list[list.length - 1]}` : list.join(", "));

/** What a layer keeps, in the widths of its stores. */
export function shape(group) {
  return (group.stores ?? []).map((store) => {
    const window = store.window ?? store.chunk;
    const within = window ? t("layers.within", { n: count(window) }) : "";
    if (store.what === "latent") return `${store.rank} + ${store.rope}${within}`;
    if (store.what === "index_key") return `${t("kind.index")} ${store.heads} × ${store.dim}`;
    if (store.what === "state") return `${store.mixer}: ${count(store.elements)}`;
    return (store.k_dim === store.v_dim ? `2 × ${store.heads} × ${store.k_dim}` : `${store.heads} × (${store.k_dim} + ${store.v_dim})`) + within;
  }).join("; ");
}
