// shots.mjs [HASH …]: pictures of the page at three widths, in both languages
// and themes, into shots/. For looking at.
import { mkdirSync } from "node:fs";
import { browse, here, open, serve } from "./browser.mjs";

const hashes = process.argv.slice(2);
const server = await serve();
const { context, close } = await browse();
mkdirSync(`${here}/shots`, { recursive: true });
const views = process.env.VIEWS
  ? JSON.parse(process.env.VIEWS)
  : [[360, "zh", "dark"], [360, "en", "light"], [1280, "en", "light"], [1280, "zh", "dark"], [3840, "zh", "light"], [3840, "en", "dark"]];
let i = 0;
for (const hash of hashes.length ? hashes : [""]) {
  for (const [width, l, th] of views) {
    const { page, problems } = await open(context, server.address, `/#l=${l}&th=${th}&${hash}`, { width, height: width > 2000 ? 2160 : 900 });
    await page.waitForTimeout(150);
    const part = process.env.PART;
    const path = `${here}/shots/${i}-${width}-${l}-${th}.png`;
    if (part) { await page.addStyleTag({ content: ".top { position: static !important } .controls { position: static !important }" }); await page.locator(part).first().screenshot({ path }); }
    else await page.screenshot({ path, fullPage: true });
    if (problems.length) console.log(path, problems);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (wide > 0) console.log(path, `scrolls sideways by ${wide} px`);
    await page.close();
  }
  i += 1;
}
await close();
server.close();
