// Starts the planner and holds the page together.

import { $, t, useMessages } from "./dom.js";
import { get, put, read, through } from "./state.js";
import { comparedWith, sentence, startWhy } from "./why.js";
import { ask, speakAnswer, startAnswer } from "./answer.js";

const SECTIONS = ["answer", "why", "layers", "compare", "assumptions"];

const language = () => {
  const asked = get("l");
  if (asked === "zh" || asked === "en") return asked;
  return navigator.language?.toLowerCase().startsWith("zh") ? "zh" : "en";
};

/** Puts every fixed sentence of the page into the reader's language. */
function speak() {
  const tongue = language();
  useMessages(JSON.parse(planner.messages(tongue)));
  document.documentElement.lang = tongue === "zh" ? "zh-Hans" : "en";
  document.title = t("page.title");
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", t(node.dataset.label));
  for (const node of document.querySelectorAll("[data-title]")) {
    node.title = t(node.dataset.title);
    node.setAttribute("aria-label", t(node.dataset.title));
  }
  $("language").lang = tongue === "zh" ? "en" : "zh";
}

function theme() {
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

async function wasm() {
  const packed = $("wasm");
  if (!packed) return fetch("planner_web_bg.wasm");
  const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
  return through(new Blob([bytes]), new DecompressionStream("gzip"));
}

function all() {
  speak();
  theme();
  speakAnswer();
  ask();
  sentence();
}

async function start() {
  const section = read();
  theme();
  try {
    await planner.start({ module_or_path: await wasm() });
  } catch (why) {
    $("failed-why").textContent = why.message;
    $("failed").hidden = false;
    $("result").hidden = true;
    return;
  }
  speak();
  startWhy(planner);
  startAnswer(planner, comparedWith);
  all();
  performance.mark("answered");
  $("language").addEventListener("click", () => {
    put({ l: language() === "zh" ? "en" : "zh" });
    all();
  });
  $("theme").addEventListener("change", (event) => {
    put({ th: event.target.value });
    theme();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    const name = link?.getAttribute("href").slice(1);
    if (!SECTIONS.includes(name)) return;
    event.preventDefault(); // the address holds the question
    visit(name);
  });
  addEventListener("hashchange", () => {
    const named = read();
    all();
    if (SECTIONS.includes(named)) visit(named);
  });
  if (SECTIONS.includes(section)) visit(section);
  document.documentElement.dataset.ready = "";
}

start();
