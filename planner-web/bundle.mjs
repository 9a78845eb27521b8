// bundle.mjs WORK DIST: the page from its sources in www/ and what the build left in WORK (the wasm
// files, their JavaScript, the lists), as a folder and as one file.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const [work, dist] = process.argv.slice(2).map((path) => resolve(path));
const www = join(dirname(fileURLToPath(import.meta.url)), "www");
const source = (name) => readFileSync(join(www, name), "utf8");
const made = (name) => readFileSync(join(work, name));

const { outputFiles } = await build({
  entryPoints: [join(www, "app.js"), join(www, "main.css")],
  alias: {
    planner_web: join(work, "planner_web.js"),
    "parts.json": join(work, "parts.json"),
    "flags.json": join(work, "flags.json"),
  },
  bundle: true,
  charset: "utf8",
  format: "esm",
  legalComments: "none",
  minify: true,
  outdir: dist,
  target: "es2022",
  write: false,
});
const bundled = (ending) => outputFiles.find((file) => file.path.endsWith(ending)).text;
const script = bundled(".js");
const style = bundled(".css");
const page = source("index.html");

const copy = (language) => JSON.parse(source(`copy/${language}.json`)); // every sentence of the page
const lists = { ...JSON.parse(made("page.json")), messages: { en: copy("en"), zh: copy("zh") } };
const parts = ["planner", ...new Set(Object.values(JSON.parse(made("parts.json"))).flat())];
const fetched = [
  ...parts.map((part) => [`${part}.wasm`, made(`parts/${part}.wasm`)]),
  ["page.json", Buffer.from(JSON.stringify(lists))],
  ["planner.txt", made("planner.txt")],
];
const folder = [["index.html", page], ["app.js", script], ["main.css", style], ...fetched];
for (const [name, bytes] of folder) writeFileSync(join(dist, name), bytes);

// The one file: what index.html fetches stands in it.
const replaced = (text, from, to) => {
  if (!text.includes(from)) throw new Error(`index.html lacks ${from}`);
  return text.replace(from, () => to);
};
const packed = ([id, bytes]) =>
  `<script type="application/octet-stream" id="${id}">${gzipSync(bytes, { level: 9 }).toString("base64")}</script>\n`;
const one = [
  ['<link rel="stylesheet" href="main.css">', `<style>${style}</style>`],
  ['<link rel="preload" href="planner.wasm" as="fetch" type="application/wasm" crossorigin>\n', ""],
  ['<link rel="preload" href="page.json" as="fetch" type="application/json" crossorigin>\n', ""],
  ['<link rel="preload" href="planner.txt" as="fetch" type="text/plain" crossorigin>\n', ""],
  ["script-src 'self' 'wasm-unsafe-eval'", "script-src 'unsafe-inline' 'wasm-unsafe-eval'"],
  ["connect-src 'self'", "connect-src 'none'"],
  // esbuild writes no `</script` into a script
  ['<script type="module" src="app.js"></script>', `${fetched.map(packed).join("")}<script type="module">${script}</script>`],
].reduce((text, [from, to]) => replaced(text, from, to), page);
writeFileSync(join(dist, "kvplan.html"), one);

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const zipped = (bytes) => execFileSync("gzip", ["-9c"], { input: bytes, maxBuffer: 1 << 26 }).length;
const sizes = fetched.map(([name, bytes]) => ({ name, plain: bytes.length, gzip: zipped(bytes) }));
const own = zipped(script) + zipped(style);
for (const { name, plain, gzip } of sizes) console.log(`${name} ${kb(plain)}, gzipped ${kb(gzip)}`);
console.log(`script and style gzipped ${kb(own)} (at most 40)`);
console.log(`one file ${kb(one.length)}`);
if (own > 40_000 || sizes.some(({ name, gzip }) => name.endsWith(".wasm") && gzip > 150_000)) {
  console.error("over budget");
  process.exitCode = 1;
}
