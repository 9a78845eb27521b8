// The planner: a small wasm that answers first, and its parts (engines, GGUF
// files, the story), each fetched when an answer says that it is missing.

import startWasm, * as planner from "planner_web"; // wasm-bindgen writes it
import PARTS from "parts.json"; // the files of each part
import { $ } from "./dom.js";
import { through } from "./state.js";

export { planner };

let haveExports;
const exportsOfFirst = new Promise((resolve) => { haveExports = resolve; }); // what the parts call in the first wasm
const files = new Map(); // by name, each a promise
const parts = new Map();

/** A file of the page: beside it, or inside it where it is one file. */
async function fetched(name) {
  const packed = $(name);
  if (!packed) {
    const response = await fetch(name);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return response;
  }
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  const type = name.endsWith(".wasm") ? "application/wasm" : "application/json";
  const plain = await through(new Blob([bytes]), new DecompressionStream("gzip"));
  return new Response(plain, { headers: { "content-type": type } });
}

/** What a wasm is made from: its stream where the server names its type. */
async function wasmSource(name) {
  const wasm = await fetched(name);
  return wasm.headers.get("content-type") === "application/wasm" ? wasm : wasm.arrayBuffer();
}

/** Starts the planner, and meanwhile brings parts that are wanted at once; answers the page's data. */
export async function startPlanner(wanted) {
  for (const part of wanted) bring(part).catch(() => {}); // an answer asks for it again
  const lists = fetched("page.json").then((response) => response.json());
  const text = fetched("planner.txt").then((response) => response.text());
  const wasm = wasmSource("planner.wasm");
  haveExports(await startWasm({ module_or_path: await wasm }));
  planner.load(await text);
  return lists;
}

async function instantiate(name) {
  const wasm = await wasmSource(`${name}.wasm`);
  const imports = { __wasm_split: await exportsOfFirst };
  await (wasm instanceof Response ? WebAssembly.instantiateStreaming(wasm, imports) : WebAssembly.instantiate(wasm, imports));
}

/** Does a thing once, and anew where it failed. */
function once(done, name, work) {
  if (!done.has(name)) {
    const doing = work();
    done.set(name, doing);
    doing.catch(() => done.delete(name));
  }
  return done.get(name);
}

/** Brings a part of the planner. */
export const bring = (part) => once(parts, part, async () => {
  await Promise.all(PARTS[part].map((name) => once(files, name, () => instantiate(name))));
  planner.install(part);
});

/** Asks, and brings the parts that the answer lacks. */
export async function answerOf(question) {
  for (;;) {
    const answer = JSON.parse(question());
    if (!answer.part) return answer;
    await bring(answer.part);
  }
}
