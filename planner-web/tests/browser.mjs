// A static server for dist/ and a headless Chromium that may reach nothing else.
import { createServer } from "node:http";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const here = dirname(fileURLToPath(import.meta.url));
export const dist = join(here, "..", "dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/** PAGE_DELAY=300 serves everything that many milliseconds late, to find what only works while a server is fast. */
const DELAY = Number(process.env.PAGE_DELAY ?? 0);

export async function serve() {
  const server = createServer(async (request, response) => {
    await sleep(DELAY);
    const path = normalize(decodeURIComponent(new URL(request.url, "http://x").pathname));
    const file = join(dist, path === "/" ? "index.html" : path);
    if (!file.startsWith(dist) || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream" });
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

export async function browse() {
  const profile = mkdtempSync(join(tmpdir(), "page-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  return { context, close: async () => { await context.close(); rmSync(profile, { recursive: true, force: true }); } };
}

/** Waits until nothing on the page is about to be replaced. */
export const settled = (page) => page.waitForFunction(() => document.querySelector("[aria-busy='true']") === null);

/** A page that records what it logs and whom it asks. */
export async function open(context, address, path = "/", options = {}) {
  const page = await context.newPage();
  const problems = [];
  page.on("console", (m) => { if (["error", "warning"].includes(m.type())) problems.push(`console: ${m.text()}`); });
  page.on("pageerror", (e) => problems.push(`thrown: ${e.message}`));
  page.on("request", (r) => {
    const url = r.url();
    if (!url.startsWith(`${address}/`) && !url.startsWith("data:") && !url.startsWith("blob:") && !url.startsWith("file:")) problems.push(`foreign request: ${url}`);
  });
  if (options.width) await page.setViewportSize({ width: options.width, height: options.height ?? 900 });
  await page.emulateMedia({ colorScheme: options.scheme ?? "light", reducedMotion: options.motion ?? "reduce" });
  await page.goto(path.startsWith("file:") ? path : address + path);
  await page.waitForSelector("html[data-ready]");
  await settled(page);
  return { page, problems };
}
