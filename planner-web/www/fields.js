// The fields of the question: labels, options, the search over models, and a
// configuration of the reader's own.

import { $, el, t } from "./dom.js";
import { FLAGS } from "./flags.js";
import { size } from "./numbers.js";
import { answerOf, planner } from "./planner.js";
import { get, pack, put, step, unpack } from "./state.js";

const LONGEST_FILE = 8 << 20;
const GGUF_START = 1 << 20; // read of each file at first; its header may take more
const GGUF_MOST = 1 << 28;
const LONGEST_LINK = 6000;
const SHOWN = 60;

let data = null;
let onChange = () => {};
let pasted = ""; // the configuration pasted, if any
let ggufName = ""; // of the GGUF file read, if any
let offered = []; // models in the open list
let active = -1; // the one of them that the keys have reached

export const config = () => pasted;
export const gguf = () => ggufName;

export function fieldError(field, text) {
  const node = $(`error-${field}`);
  node.textContent = text;
  const input = $(`field-${field}`);
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  if (text) node.closest("details")?.setAttribute("open", "");
}

const field = (name, label, input, size = "") =>
  el(`div.field${size}`, {}, el("label.label", { for: `field-${name}`, "data-t": label }), input, el("p.error", { id: `error-${name}` }));

const keyOf = (name) => FLAGS.find(({ flag }) => flag === name).key;

function entry(name, label, more = {}) {
  const key = keyOf(name);
  const input = el("input", {
    id: `field-${name}`, type: "text", "data-key": key, "aria-describedby": `error-${name}`, spellcheck: "false",
    autocapitalize: "off", oninput: () => { put({ [key]: input.value }); onChange(); }, ...more,
  });
  return field(name, label, input);
}

function choice(name, label, options) {
  const key = keyOf(name);
  const input = el("select", {
    id: `field-${name}`, "data-key": key, "aria-describedby": `error-${name}`,
    onchange: () => { put({ [key]: input.value }); onChange(); },
  }, ...options);
  return field(name, label, input);
}

const option = (value, text, label) => el("option", { value, "data-t": label }, text);

export function startFields(lists, listener) {
  data = lists;
  onChange = listener;
  const vendors = [...new Set(data.gpus.map((gpu) => gpu.vendor))];
  const gpus = vendors.map((vendor) =>
    el("optgroup", { label: vendor }, ...data.gpus.filter((gpu) => gpu.vendor === vendor).map((gpu) => option(gpu.id, gpu.name.replace(`${vendor} `, "")))));
  const dtypes = data.dtypes.map((name) => option(name, name));
  const number = { inputmode: "numeric" };
  $("ask").replaceChildren(
    el("div.main", {},
      modelSearch(),
      entry("seq", "ask.seq", number),
      entry("users", "ask.users", number),
      choice("gpu", "ask.gpu", [option("", "", "ask.gpu_none"), ...gpus]),
      entry("gpus", "ask.gpus", number)),
    el("div.main.minor", {},
      choice("engine", "ask.engine", data.engines.map((id) => option(id, id, `engine.${id}`))),
      choice("kv-dtype", "ask.kv_dtype", [option("auto", "", "ask.auto"), ...dtypes]),
      choice("weight-dtype", "ask.weight_dtype", [option("auto", "", "ask.auto"), ...dtypes.map((o) => o.cloneNode(true))]),
      entry("tp", "ask.tp", { ...number, "data-placeholder": "ask.tp_auto" })),
    el("details.more", {}, el("summary", { "data-t": "ask.more" }),
      el("div.main.minor", {},
        entry("pp", "ask.pp", { ...number, placeholder: "1" }),
        entry("dp", "ask.dp", { ...number, placeholder: "1" }),
        entry("ep", "ask.ep", { placeholder: "off" }),
        entry("memory-utilization", "ask.utilization", { "data-placeholder": "ask.engine_default" }),
        entry("reserve", "ask.reserve", { placeholder: "2GiB" }),
        entry("kv-heads", "ask.kv_heads", { ...number, "data-placeholder": "ask.auto" }),
        entry("block-size", "ask.block", { ...number, "data-placeholder": "ask.engine_default" }),
        entry("max-num-batched-tokens", "ask.batched", { ...number, "data-placeholder": "ask.engine_default" }))));
  $("ask").addEventListener("submit", (event) => event.preventDefault());
  // wherever a file is dropped: beside the form a browser would leave the page for it
  document.addEventListener("dragover", (event) => { event.preventDefault(); $("ask").classList.add("over"); });
  document.addEventListener("dragleave", () => $("ask").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    $("ask").classList.remove("over");
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0 && !$("ask").contains(event.target)) return;
    event.preventDefault();
    if (files.length > 0) readFiles(files);
    else takeConfig(event.dataTransfer?.getData("text") ?? "");
  });
}

/** Labels, options and values, in the present language and state; after Back also of the field that is typed in. */
export function labelFields({ isMoved = false } = {}) {
  for (const node of $("ask").querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of $("ask").querySelectorAll("[data-placeholder]")) node.placeholder = t(node.dataset.placeholder);
  for (const input of $("ask").querySelectorAll("[data-key]")) {
    const value = get(input.dataset.key);
    if (!isMoved && input === document.activeElement && input.tagName === "INPUT") continue;
    if (input.tagName === "SELECT" && ![...input.options].some((o) => o.value === value)) input.append(option(value, value));
    input.value = value;
  }
  if (isMoved || $("field-model") !== document.activeElement) showModel();
}

function showModel() {
  const known = data.models.find((model) => model.id === get("m"));
  $("field-model").value = ggufName || (pasted ? t("ask.config_name") : (known?.name ?? get("m")));
  const mine = Boolean(pasted || ggufName);
  $("own").hidden = !mine && $("config-box").hidden;
  $("config-open").hidden = mine;
}

// The search over models, as the ARIA pattern of a combobox with a list.
function modelSearch() {
  const input = el("input", {
    id: "field-model", type: "text", role: "combobox", "aria-expanded": "false", "aria-controls": "models", "aria-autocomplete": "list",
    "aria-describedby": "error-model", spellcheck: "false", "data-placeholder": "ask.model_hint",
    onfocus: () => { input.select(); }, onclick: () => offerModels(input.selectionEnd - input.selectionStart === input.value.length ? "" : input.value),
    oninput: () => offerModels(input.value), onkeydown: onKey, onblur: () => setTimeout(chooseTyped, 120),
    onpaste: (event) => {
      const text = event.clipboardData?.getData("text") ?? "";
      if (/^\s*[{[<]/.test(text)) { event.preventDefault(); takeConfig(text); }
    },
  });
  const box = el("div.combo", {}, input, el("ul", { id: "models", role: "listbox", hidden: true, "data-label": "ask.model" }));
  const area = el("textarea", { id: "field-config", rows: "6", spellcheck: "false", "aria-describedby": "error-config", oninput: () => takeConfig(area.value) });
  const file = el("input", { id: "config-file", type: "file", accept: ".json,application/json,.gguf", multiple: true,
    onchange: () => { readFiles([...file.files]); file.value = ""; } });
  return el("div.field.model", {},
    el("label.label", { for: "field-model", "data-t": "ask.model" }), box, el("p.error", { id: "error-model" }),
    el("button.link", { type: "button", id: "config-open", "data-t": "ask.config", onclick: () => { $("config-box").hidden = false; $("config-open").hidden = true; showModel(); area.focus(); } }),
    el("div", { id: "own", hidden: true },
      el("div", { id: "config-box", hidden: true },
        el("label.label", { for: "field-config", "data-t": "ask.config_label" }), area,
        el("label.label", { for: "config-file" }, el("span", { "data-t": "ask.config_file" }), " ", file)),
      el("p.error", { id: "error-config" }), el("p.small", { id: "config-note" }),
      el("button.link", { type: "button", "data-t": "ask.config_close", onclick: () => { forgetConfig(); onChange(); $("field-model").focus(); } })));
}

function offerModels(text) {
  const words = text.toLowerCase().split(/[\s/_-]+/).filter(Boolean);
  const rank = (model) => {
    const names = [model.id, model.name, ...model.hub].join(" ").toLowerCase();
    if (!words.every((word) => names.includes(word))) return 0;
    if (model.id === text) return 4;
    return model.id.startsWith(words[0] ?? "") ? 3 : model.name.toLowerCase().includes(text.toLowerCase()) ? 2 : 1;
  };
  const found = data.models.map((model) => [rank(model), model]).filter(([r]) => r > 0);
  found.sort(([a], [b]) => b - a);
  offered = found.slice(0, SHOWN).map(([, model]) => model);
  active = -1;
  $("models").replaceChildren(...offered.map((model, i) =>
    el("li", { role: "option", id: `model-${i}`, "aria-selected": "false", onpointerdown: (event) => { event.preventDefault(); chooseModel(model); } },
      el("b", {}, model.name), el("span", {}, model.id), el("small", {}, `${size(model.bytes_per_token)}/token`))));
  openList(offered.length > 0);
}

function openList(yes) {
  $("models").hidden = !yes;
  $("field-model").setAttribute("aria-expanded", String(yes));
  if (!yes) $("field-model").removeAttribute("aria-activedescendant");
}

function onKey(event) {
  const shown = !$("models").hidden;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (!shown) { offerModels(""); return; }
    const step = event.key === "ArrowDown" ? 1 : -1;
    $(`model-${active}`)?.setAttribute("aria-selected", "false");
    active = (active + step + offered.length) % offered.length;
    const line = $(`model-${active}`);
    line.setAttribute("aria-selected", "true");
    line.scrollIntoView({ block: "nearest" });
    $("field-model").setAttribute("aria-activedescendant", line.id);
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (shown && (active >= 0 || offered.length === 1)) chooseModel(offered[Math.max(active, 0)]);
    else chooseTyped();
  } else if (event.key === "Escape" && shown) {
    event.preventDefault();
    openList(false);
  }
}

function chooseModel(model) {
  step({ m: model.id, cfg: "" });
  forgetConfig();
  openList(false);
  $("field-model").value = model.name;
  if ($("field-model") === document.activeElement) $("field-model").select();
  onChange();
}

/** A model page's link says owner/name; it is looked up in the catalogue, never asked for. */
const hubId = (text) => /^https?:\/\/(?:www\.)?(?:huggingface\.co|hf-mirror\.com|modelscope\.cn\/models)\/([^/?#]+\/[^/?#]+)/i.exec(text)?.[1] ?? text;

/** What was typed and not picked: a name the core knows, or it says why not. */
function chooseTyped() {
  openList(false);
  const text = $("field-model").value.trim();
  const asked = hubId(text).toLowerCase();
  const known = data.models.find((model) => [model.id, model.name, ...model.hub].some((name) => name.toLowerCase() === asked));
  if ((pasted && text === t("ask.config_name")) || (ggufName && text === ggufName)) return;
  if (text === "") { showModel(); return; }
  const id = known?.id ?? hubId(text);
  if (id === get("m") && !pasted && !ggufName) { showModel(); return; }
  step({ m: id, cfg: "" }); // before the field is written anew from the state
  forgetConfig();
  onChange();
}

// A configuration of the reader's own
function forgetConfig() {
  pasted = "";
  ggufName = "";
  $("field-config").value = "";
  $("config-note").textContent = "";
  $("config-box").hidden = true;
  fieldError("config", "");
  put({ cfg: "" });
  showModel();
}

/** A GGUF file says all in its header, and only that is read, piece by piece. */
async function readGguf(dropped) {
  const language = document.documentElement.lang.slice(0, 2);
  let answer = {};
  for (const [i, part] of dropped.entries()) {
    let length = GGUF_START;
    do {
      const start = new Uint8Array(await part.slice(0, length).arrayBuffer());
      answer = await answerOf(() => planner.gguf(part.name, start, part.size, i, dropped.length, language));
      length *= 4;
    } while (answer.more && length <= GGUF_MOST);
    if (answer.error || answer.more) break;
  }
  const wrong = answer.more ? t("ask.gguf_long", { size: size(GGUF_MOST) }) : answer.error?.message ?? "";
  fieldError("config", wrong);
  if (wrong) return;
  pasted = "";
  ggufName = answer.name;
  $("field-config").value = "";
  put({ cfg: "" });
  $("config-note").textContent = t("ask.config_long");
  showModel();
  onChange();
}

async function isGguf(file) {
  return (await file.slice(0, 4).text()) === "GGUF";
}

async function readFiles(files) {
  if (files.length === 0) return;
  showConfigBox();
  const gguf = await Promise.all(files.map(isGguf));
  if (gguf.every(Boolean)) {
    await readGguf(files);
    return;
  }
  if (files.length > 1) {
    fieldError("config", t("ask.config_several"));
    return;
  }
  await readFile(files[0]);
}

async function readFile(file) {
  if (file.size > LONGEST_FILE) {
    fieldError("config", t("ask.config_size", { size: size(file.size) }));
    return;
  }
  const text = await file.text();
  $("field-config").value = text.length > 200_000 ? "" : text;
  takeConfig(text);
}

function showConfigBox() {
  $("own").hidden = false;
  $("config-box").hidden = false;
  $("config-open").hidden = true;
}

/** Reads a configuration; one that cannot be read says why beside its field. */
function takeConfig(text) {
  showConfigBox();
  if ($("field-config") !== document.activeElement && text.length <= 200_000) $("field-config").value = text;
  const wrong = misread(text);
  fieldError("config", wrong);
  if (wrong || text.trim() === "") return;
  pasted = text;
  ggufName = "";
  $("field-model").value = t("ask.config_name");
  onChange();
  pack(text).then((packed) => {
    if (pasted !== text) return; // typed on meanwhile
    const fits = packed !== "" && packed.length <= LONGEST_LINK;
    put({ cfg: fits ? packed : "" });
    $("config-note").textContent = fits ? "" : t("ask.config_long");
  });
}

function misread(text) {
  const start = text.trimStart();
  if (start === "") return "";
  if (text.length > LONGEST_FILE) return t("ask.config_size", { size: size(text.length) });
  return start.startsWith("<") ? t("ask.config_html") : "";
}

/** The configuration that the address carries, if it does. */
export async function readAddress() {
  const packed = get("cfg");
  pasted = "";
  ggufName = ""; // no address carries a GGUF file
  $("field-config").value = "";
  $("config-note").textContent = "";
  if (!packed) { $("config-box").hidden = true; return; }
  try {
    pasted = await unpack(packed);
    $("field-config").value = pasted;
    $("own").hidden = false;
  } catch {
    put({ cfg: "" });
  }
}

