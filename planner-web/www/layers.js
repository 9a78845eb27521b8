// The strip of layers, marked by what each keeps, with the same as a table.

import { $, count, el, exact, size, t } from "./dom.js";

/** Runs of layers; a model that alternates has as many runs as layers. */
export function showLayers({ layers }) {
  const strip = el("div.strip", {}, ...layers.map((group) => {
    const each = (bytes) => Number(bytes) / Number(group.count);
    const values = {
      i: group.first, a: group.first, b: group.first + group.count - 1, kind: t(`kind.${group.kind}`),
      token: size(each(group.bytes_per_token)), session: size(each(group.session_bytes)),
    };
    const label = t(group.count === 1 ? "layers.one" : "layers.range", values);
    const boxes = Array.from({ length: Math.min(group.count, 400) }, () => el(`i.box.${group.kind}`, { "aria-hidden": "true" }));
    return el("button", {
      type: "button", "aria-label": label, title: label,
      onmouseenter: () => tell(label), onfocus: () => tell(label), onclick: () => tell(label),
    }, ...boxes);
  }));
  const note = el("p.small", { id: "layer-note" }, "\u00a0");
  const tell = (text) => { note.textContent = text; };
  $("strip").replaceChildren(strip, note, table(layers));
}

function table(layers) {
  const kinds = new Map();
  for (const group of layers) {
    const key = `${group.kind} ${shape(group)}`;
    const row = kinds.get(key) ?? { kind: group.kind, shape: shape(group), count: 0, which: [], token: 0n, session: 0n };
    row.count += group.count;
    row.which.push(group.count === 1 ? `${group.first}` : `${group.first}–${group.first + group.count - 1}`);
    row.token += BigInt(group.bytes_per_token);
    row.session += BigInt(group.session_bytes);
    kinds.set(key, row);
  }
  const head = [["layers.kind"], ["layers.keeps"], ["layers.count", ".num"], ["layers.which"], ["word.token", ".num"], ["word.session", ".num"]];
  const lines = [...kinds.values()].map((row) =>
    el("tr", {}, el("th", { scope: "row" }, el(`i.box.${row.kind}`, { "aria-hidden": "true" }), t(`kind.${row.kind}`)),
      el("td", {}, row.shape), el("td.num", {}, count(row.count)), el("td.which", {}, which(row.which)),
      el("td.num", {}, exact(row.token)), el("td.num", {}, exact(row.session))));
  return el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("layers.title") },
    el("table.data", {},
      el("thead", {}, el("tr", {}, ...head.map(([key, kind = ""]) => el(`th${kind}`, { scope: "col" }, t(key))))), el("tbody", {}, ...lines)));
}

const which = (list) => (list.length > 6 ? `${list.slice(0, 3).join(", ")} … ${list[list.length - 1]}` : list.join(", "));

/** What a layer keeps, in the widths of its stores. */
export function shape(group) {
  return (group.stores ?? []).map((store) => {
    const window = store.window ?? store.chunk;
    const within = window ? t("layers.within", { n: count(window) }) : "";
    if (store.what === "latent") return `${store.rank} + ${store.rope}${within}`;
    if (store.what === "index_key") return `${t("kind.index")} ${store.heads} × ${store.dim}`;
    if (store.what === "state") return `${store.mixer}: ${count(BigInt(store.conv_elements) + BigInt(store.recurrent_elements))}`;
    return (store.k_dim === store.v_dim ? `2 × ${store.heads} × ${store.k_dim}` : `${store.heads} × (${store.k_dim} + ${store.v_dim})`) + within;
  }).join("; ");
}
