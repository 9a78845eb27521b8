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
  const text = part("data", "data.json").then((response) => response.text());
  const started = start(planner, small ? "planner.wasm" : "planner-engines.wasm");
  data = await text;
  const read = JSON.parse(data);
  await started;
  planner.load(data);
  known = JSON.parse(planner.engines());
  return read;
}

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
