// Starts the planner and holds the page together.

import { $, busy, t, useMessages } from "./dom.js";
import { bring, planner, startPlanner } from "./planner.js";
import { get, put, read } from "./state.js";
import { compareWith, computeStory, startWhy } from "./why.js";
import { ask, startAnswer } from "./answer.js";
import { labelFields, readAddress } from "./fields.js";
import { startAssumptions } from "./assumptions.js";

let data = null;

const SECTIONS = ["answer", "why", "layers", "compare", "assumptions"];

const language = () => {
  const asked = get("l");
  if (asked === "zh" || asked === "en") return asked;
  return navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
};

/** Puts every fixed sentence of the page into the reader's language. */
function translate() {
  const lang = language();
  useMessages(data.messages[lang]);
  document.documentElement.lang = lang === "zh" ? "zh-Hans" : "en";
  document.title = t("page.title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-title]")) {
    node.title = t(node.dataset.title);
    node.setAttribute("aria-label", t(node.dataset.title));
  }
  $("language").lang = lang === "zh" ? "en" : "zh";
}

function showTheme() {
  const asked = get("th");
  if (asked) document.documentElement.dataset.theme = asked;
  else delete document.documentElement.dataset.theme;
  $("theme").value = asked === "dark" || asked === "light" ? asked : "";
}

function visit(name) {
  const section = $(name);
  section.scrollIntoView();
  section.focus({ preventScroll: true });
}

/** The answer first; what stands below it once that is on the screen. */
async function showAll(how) {
  busy(["why"], true);
  translate();
  showTheme();
  labelFields(how);
  ask();
  performance.mark("answered");
  await new Promise((painted) => { requestAnimationFrame(() => setTimeout(painted)); });
  await bring("story").then(computeStory, (why) => { $("why-text").textContent = t("page.part_failed", { why: why.message }); });
  busy(["why"], false);
}

async function start() {
  performance.mark("script");
  const section = read();
  showTheme();
  try {
    data = await startPlanner(language() === "zh" ? ["chinese"] : []);
  } catch (why) {
    $("failed-why").textContent = why.message;
    $("failed").hidden = false;
    $("result").hidden = true;
    return;
  }
  translate();
  startWhy();
  startAssumptions(data);
  startAnswer(data, compareWith);
  performance.mark("fields");
  await readAddress();
  const drawn = showAll();
  window.kvplan = { ...planner, bring }; // for whoever scripts the page
  $("language").addEventListener("click", () => {
    put({ l: language() === "zh" ? "en" : "zh" });
    showAll();
  });
  $("theme").addEventListener("change", (event) => {
    put({ th: event.target.value });
    showTheme();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    const name = link?.getAttribute("href").slice(1);
    if (!SECTIONS.includes(name)) return;
    event.preventDefault(); // the address holds the question
    visit(name);
  });
  addEventListener("hashchange", async () => {
    const named = read();
    await readAddress();
    await showAll({ isMoved: true });
    if (SECTIONS.includes(named)) visit(named);
  });
  await drawn;
  if (SECTIONS.includes(section)) visit(section);
  document.documentElement.dataset.ready = "";
}

start();
