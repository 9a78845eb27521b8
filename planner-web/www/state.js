// The question lives in the address: #m=llama3-70b&s=1000&u=20 …
// Keys this page does not know are kept as they are.

import { FLAGS } from "./flags.js";

/** The model, the flags, a pasted configuration; columns compared, language, theme; the story's sentence, frame and head. */
const DEFAULTS = {
  m: "llama3-70b", ...Object.fromEntries(FLAGS.map(({ key, start = "" }) => [key, start])), cfg: "",
  c: "", l: "", th: "", x: "", f: "", hd: "",
};

let now = { ...DEFAULTS };
let unknown = new Map();
let section = "";

/** Reads the address; answers the part of the page it names, if any. */
export function read() {
  clearTimeout(timer); // what was typed belongs to the address that is left
  now = { ...DEFAULTS };
  unknown = new Map();
  section = "";
  for (const pair of location.hash.replace(/^#/, "").split("&")) {
    const at = pair.indexOf("=");
    if (at < 0) {
      if (pair !== "") section = pair;
      continue;
    }
    const key = decode(pair.slice(0, at));
    const value = decode(pair.slice(at + 1));
    if (key in DEFAULTS) now[key] = value;
    else unknown.set(key, value);
  }
  return section;
}

function decode(text) {
  try {
    return decodeURIComponent(text.replace(/\+/g, " "));
  } catch {
    return text;
  }
}

export const get = (key) => now[key];

/** Changes the state, and the address with it. */
export function put(changes) {
  Object.assign(now, changes);
  write();
}

/** Changes the state as a step that Back takes back. */
export function step(changes) {
  clearTimeout(timer);
  history.replaceState(null, "", address());
  Object.assign(now, changes);
  history.pushState(null, "", address());
}

let timer = 0;
function write() {
  clearTimeout(timer); // browsers limit how often an address may change
  timer = setTimeout(() => history.replaceState(null, "", address()), 120);
}

/** The address of the present state, defaults left out. */
export function address() {
  const parts = [];
  for (const [key, value] of Object.entries(now)) {
    if (value !== DEFAULTS[key] && value !== undefined) parts.push(`${key}=${escape(value)}`);
  }
  for (const [key, value] of unknown) parts.push(`${escape(key)}=${escape(value)}`);
  return `${location.pathname}${location.search}#${parts.join("&")}`;
}

const escape = (text) => encodeURIComponent(text).replace(/%20/g, "+").replace(/%2C/g, ",").replace(/%3A/g, ":");

// A config.json in the address: deflated, base64url.
export async function pack(text) {
  if (typeof CompressionStream === "undefined") return "";
  const bytes = await through(new Blob([text]), new CompressionStream("deflate-raw"));
  let binary = "";
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

export async function unpack(packed) {
  const binary = atob(packed.replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  const plain = await through(new Blob([bytes]), new DecompressionStream("deflate-raw"));
  return new TextDecoder().decode(plain);
}

export async function through(blob, stream) {
  return new Uint8Array(await new Response(blob.stream().pipeThrough(stream)).arrayBuffer());
}
