// The page's script draws figures; it computes none (planner-web/src/figures.rs does).
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const www = fileURLToPath(new URL("../www", import.meta.url));

/** Code alone: no comments, no texts; what stands in `${…}` stays. */
const code = (source) =>
  source
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/\/\/.*/g, "")
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""')
    .replace(/`(?:[^`\\]|\\.)*`/g, (text) => [...text.matchAll(/\$\{([^{}]*)\}/g)].map((hole) => `(${hole[1]});`).join(" ") || '""');

const bytes = /[\w.]*(?:bytes|elements)\w*/.source;
const arithmetic = new RegExp(`${bytes}\\)*\\s*(?:[-+*/%]|<<|>>)|(?:[-+*/%]|<<|>>)=?\\s*(?:\\w+\\()*${bytes}`);

test("arithmetic with bytes is found where it is", () => {
  for (const line of ["sum + BigInt(layer.bytes_per_token)", "Number(kv.total_bytes) / 2", "row.token += BigInt(group.bytes_per_token)", "t`${run.row_bytes * rows} B`"]) {
    assert.match(code(line), arithmetic, line);
  }
  for (const line of ["size(kv.total_bytes)", 'line("a + bytes", x.total_bytes)', "`${size(a.total_bytes)} · ${exact(a.total_bytes)}`"]) {
    assert.doesNotMatch(code(line), arithmetic, line);
  }
});

for (const name of readdirSync(www).filter((name) => name.endsWith(".js"))) {
  test(`${name} computes no bytes`, () => {
    const lines = code(readFileSync(join(www, name), "utf8")).split("\n");
    assert.deepEqual(lines.filter((line) => arithmetic.test(line)), []);
    if (name !== "numbers.js") assert.ok(!lines.some((line) => line.includes("BigInt")), "exact integers are the planner's");
  });
}
