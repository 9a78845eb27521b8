// bundle.mjs WORK DIST: the page's modules into one script, and everything
// into one file. Each module becomes a function that answers its exports.
import { readFileSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const [work, dist] = process.argv.slice(2);
const www = join(dirname(fileURLToPath(import.meta.url)), "www");
const files = JSON.parse(readFileSync(join(work, "parts.json"), "utf8")); // of each part of the planner
const read = (name) =>
  name === "parts.js" ? `export const PARTS = ${JSON.stringify(files)};` : readFileSync(join(www, name), "utf8");

const joined = [];
const seen = new Set();
function take(name) {
  if (seen.has(name)) return;
  seen.add(name);
  let text = name === "planner_web.js" ? readFileSync(join(work, name), "utf8") : read(name);
  if (name === "planner_web.js") {
    // the glue: keep its functions, give its start a name of its own
    text = text
      .replace(/^export \{.*\};?$/gm, "")
      .replace(/^export function /gm, "function ")
      .replace(/module_or_path = new URL\([^)]*\);/, "throw new Error('no wasm given');");
    text = `const makePlanner = () => {\n${text}\nreturn { start: __wbg_init, ${[...exported(work)].join(", ")} };\n};`;
  } else {
    text = text.replace(/^import (\{.*?\}) from "\.\/(.*?)";$/gms, (_, names, other) => {
      take(other);
      return `const ${names.replaceAll(" as ", ": ")} = ${variable(other)};`;
    });
    const names = [...text.matchAll(/^export (?:async )?(?:const|function\*?) ([\w$]+)/gm)].map((m) => m[1]);
    text = text.replace(/^export /gm, "");
    if (/^(import|export)\b/m.test(text)) throw new Error(`${name}: an import or export the bundle cannot join`);
    text = `const ${variable(name)} = (() => {\n${text}\nreturn { ${names.join(", ")} };\n})();`;
  }
  joined.push(text);
}
function variable(name) {
  return `module_${name.replace(/\W/g, "_")}`;
}
function exported(folder) {
  const glue = readFileSync(join(folder, "planner_web.js"), "utf8");
  return [...glue.matchAll(/^export function (\w+)/gm)].map((m) => m[1]).filter((n) => n !== "initSync");
}
take("planner_web.js");
take("app.js");

// leading spaces and whole-line comments are for readers of the source
const squeeze = (text) =>
  text
    .split("\n")
    .map((line) => line.replace(/^[ \t]+/, ""))
    .filter((line) => line !== "" && !line.startsWith("//"))
    .join("\n");
const script = squeeze(joined.join("\n").replace(/^[ \t]*\/\*\*[\s\S]*?\*\//gm, ""));
const style = squeeze(read("main.css").replace(/\/\*[\s\S]*?\*\//g, ""));
const page = read("index.html");
const names = ["planner", ...new Set(Object.values(files).flat())];
const wasm = names.map((name) => [`${name}.wasm`, readFileSync(join(work, "parts", `${name}.wasm`))]);
const copy = (language) => JSON.parse(read(`copy/${language}.json`)); // every sentence of the page
const lists = JSON.parse(readFileSync(join(work, "page.json"), "utf8"));
const data = [
  ["page.json", Buffer.from(JSON.stringify({ ...lists, messages: { en: copy("en"), zh: copy("zh") } }))],
  ["planner.txt", readFileSync(join(work, "planner.txt"))],
];

writeFileSync(join(dist, "app.js"), script);
writeFileSync(join(dist, "main.css"), style);
for (const [name, bytes] of [...wasm, ...data]) writeFileSync(join(dist, name), bytes);
writeFileSync(join(dist, "index.html"), page);

const fill = (text, from, to) => {
  if (!text.includes(from)) throw new Error(`index.html lacks ${from}`);
  return text.replace(from, () => to);
};
const packed = (id, bytes) =>
  `<script type="application/octet-stream" id="${id}">${gzipSync(bytes, { level: 9 }).toString("base64")}</script>\n`;
let one = fill(page, '<link rel="stylesheet" href="main.css">', `<style>${style}</style>`);
one = fill(one, '<link rel="preload" href="planner.wasm" as="fetch" type="application/wasm" crossorigin>', "");
one = fill(one, '<link rel="preload" href="page.json" as="fetch" type="application/json" crossorigin>', "");
one = fill(one, '<link rel="preload" href="planner.txt" as="fetch" type="text/plain" crossorigin>', "");
one = fill(one, "script-src 'self' 'wasm-unsafe-eval'", "script-src 'unsafe-inline' 'wasm-unsafe-eval'");
one = fill(one, "connect-src 'self'", "connect-src 'none'");
one = fill(
  one,
  '<script type="module" src="app.js"></script>',
  [...wasm, ...data].map(([name, bytes]) => packed(name, bytes)).join("") +
    `<script type="module">${script.replaceAll("</script", "<\\/script")}</script>`,
);
writeFileSync(join(dist, "kvplan.html"), one);

const kb = (n) => `${(n / 1000).toFixed(1)} kB`;
const zip = (data) => execFileSync("gzip", ["-9c"], { input: data, maxBuffer: 1 << 26 }).length;
const sizes = [...wasm, ...data].map(([name, bytes]) => [name, bytes.length, zip(bytes)]);
for (const [name, plain, packed] of sizes) console.log(`${name} ${kb(plain)}, gzipped ${kb(packed)}`);
console.log(`script and style gzipped ${kb(zip(script) + zip(style))} (at most 40)`);
console.log(`one file ${kb(one.length)}`);
const large = sizes.filter(([name, , packed]) => name.endsWith(".wasm") && packed > 150_000);
if (large.length > 0 || zip(script) + zip(style) > 40_000) {
  console.error("over budget");
  process.exitCode = 1;
}
