// crop.mjs HASH WIDTH SELECTOR OUT … : one part each
import { browse, open, serve } from "./browser.mjs";
const jobs = JSON.parse(process.argv[2]);
const server = await serve(); const { context, close } = await browse();
for (const [hash, width, selector, out, height] of jobs) {
  const { page, problems } = await open(context, server.address, `/#${hash}`, { width, height: height ?? (width > 2000 ? 2160 : 900) });
  await page.addStyleTag({ content: ".top { position: static !important } .controls, .tell { position: static !important }" });
  if (selector === "#compare") { await page.locator("#compare").scrollIntoViewIfNeeded(); await page.waitForSelector("table.compare", { timeout: 20000 }).catch(() => {}); }
  await page.waitForTimeout(300);
  await page.locator(selector).first().screenshot({ path: `/tmp/size/${out}.png` });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (problems.length || wide > 0) console.log(out, problems, wide);
  await page.close();
}
await close(); server.close();
