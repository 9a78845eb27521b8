// The planner: a small wasm that answers first, and one with every engine that
// takes its place when an engine asks for it.

import { $ } from "./dom.js";
import { through } from "./state.js";

export const planner = makePlanner();

let data = "";
let known = [];
let whole = null;

/** A file of the page: beside it, or inside it where it is one file. */
async function part(id, name) {
  const packed = $(id);
  if (!packed) return fetch(name);
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  return new Response(await through(new Blob([bytes]), new DecompressionStream("gzip")));
}

async function start(which, file) {
  const wasm = await part("wasm", file);
  const streams = wasm.headers.get("content-type") === "application/wasm";
  await which.start({ module_or_path: streams ? wasm : await wasm.arrayBuffer() });
}

/** Starts the planner that the question needs; answers the page's data. */
export async function startPlanner(small) {
  const lists = part("page", "page.json").then((response) => response.json());
  const text = part("planner", "planner.json").then((response) => response.text());
  const started = start(planner, small ? "planner.wasm" : "planner-engines.wasm");
  data = await text;
  await started;
  planner.load(data);
  known = JSON.parse(planner.engines());
  return lists;
}

/** Whether the planner at hand is the one that can do everything. */
export const isWhole = () => whole === true || known.length > 1;

/** Whether the planner at hand has the rule of an engine (or of a name nobody has). */
export const knows = (engine) => known.includes(engine) || whole === true;

/** Brings the planner with every engine. */
export function everyEngine() {
  whole ??= (async () => {
    const other = makePlanner();
    await start(other, "planner-engines.wasm");
    other.load(data);
    Object.assign(planner, other);
    known = JSON.parse(planner.engines());
    whole = true;
  })();
  return whole;
}
