// Sentences and elements.

let table = {};

export function useMessages(messages) {
  table = messages;
}

/** The sentence of a key, with `{name}` filled in. */
export function t(key, values = {}) {
  const text = table[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (hole, name) => (name in values ? String(values[name]) : hole));
}

/** el("p.note", { id, onclick, aria-… }, child, …): children are nodes or text. */
export function el(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag || "div");
  if (classes.length) node.className = classes.join(" ");
  set(node, attributes);
  node.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  set(node, attributes);
  node.append(...children.flat().filter((c) => c !== null && c !== undefined));
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) node.style.setProperty(k, v);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

export const $ = (id) => document.getElementById(id);

/** Marks parts of the page that something newer is about to replace. */
export function busy(ids, yes) {
  for (const id of ids) $(id).setAttribute("aria-busy", String(yes));
}

/** The filled part of a bar: a value against the largest. */
export const filled = (value, most) => el("span.fill", { style: { width: `${(100 * Number(value)) / Number(most)}%` } });
