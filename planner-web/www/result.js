// The answer: figures, verdict, the bar of one GPU's memory, and the curve.

import { $, el, svg, t } from "./dom.js";
import { count, exact, size } from "./numbers.js";
import { planner } from "./planner.js";

let timer = 0;
/** Says one sentence to a screen reader, once the typing pauses. */
export function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => { $("live").textContent = text; }, 400);
}

const one = (n) => String(n) === "1";

export function showResult({ plan, figures }, request, apply) {
  const { kv, verdict, memory } = plan;
  const seq = count(plan.request.seq);
  const users = count(plan.request.users);
  const lead = one(plan.request.users) ? t("result.total_one", { seq }) : t("result.total", { users, seq });
  const head = el("div.headline", {},
    el("p.lead", {}, lead),
    el("p.big", {}, size(kv.total_bytes)),
    el("p.lead", {}, `${t("result.of_cache")} · `, el("span.exact", {}, exact(kv.total_bytes))),
    product(figures.product));
  const bar = memory ? memoryBar(memory.gpus, figures.fullest_gpu) : null;
  const chart = memory ? usersChart(plan, JSON.parse(planner.curve(request)).points) : null;
  $("result").classList.remove("old");
  $("result").replaceChildren(
    el("div.first", {}, head, verdictBox(plan, apply)),
    sizes(plan, figures),
    ...(bar ? [bar] : []), ...(chart ? [chart] : []));
  say(`${lead} ${size(kv.total_bytes)} ${t("result.of_cache")}. ${verdict?.fits === true ? t("result.fits") : verdict?.fits === false ? t("result.not_fits") : ""}`);
}

/** Per token × tokens × users where that is the product, else per session × users. */
const product = ([bytes, ...times]) => el("p.sum", {}, [exact(bytes), ...times.map(count)].join(" × "));

function sizes(plan, figures) {
  const { kv, engine, request } = plan;
  const line = (name, bytes) => el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, size(bytes)), el("span.exact", {}, exact(bytes))));
  const lines = [line(t("word.token"), kv.bytes_per_token), line(t("word.session"), kv.session_bytes)];
  if (Number(kv.state_bytes_per_session) > 0) lines.push(line(t("result.state"), kv.state_bytes_per_session));
  lines.push(line(t("result.all"), kv.total_bytes));
  if (engine && engine.id !== "architecture") lines.push(line(t("result.engine", { engine: t(`engine.${engine.id}`) }), engine.total_bytes));
  const ratio = figures.all_heads_ratio;
  const heads = ratio === null
    ? t("result.all_heads_none")
    : t("result.all_heads", { ratio: ratio >= 100 ? count(Math.round(ratio)) : ratio, size: size(kv.all_heads.total_bytes) });
  return el("div.figures", {}, el("dl", {}, ...lines),
    el("p.small", {}, heads, Number(request.kv_heads) ? ` (--kv-heads ${request.kv_heads})` : ""));
}

function verdictBox(plan, apply) {
  const { verdict, request } = plan;
  const seq = count(request.seq);
  const users = count(request.users);
  if (!verdict || verdict.fits === null) return el("div.verdict.open", {}, el("p", {}, t("result.no_gpu")));
  const where = `${request.gpus} × ${$("field-gpu").selectedOptions[0]?.textContent ?? request.gpu ?? ""}`;
  const limit = verdict.limited_by ? el("p.small", {}, t("result.limited_by", { what: t(`limit.${verdict.limited_by}`) })) : null;
  if (verdict.fits) {
    return el("div.verdict.fits", { tabindex: "-1" },
      el("p.mark", {}, el("span", { "aria-hidden": "true" }, "✓"), t("result.fits")), el("p.where", {}, where),
      el("p", {}, t(one(verdict.max_users) ? "result.room_one" : "result.room", { n: count(verdict.max_users), seq })),
      verdict.max_seq === null ? null : el("p", {}, t(one(request.users) ? "result.longest_one" : "result.longest", { users, n: count(verdict.max_seq) })), limit);
  }
  const change = ({ flag, value }) => t(`change.${flag.slice(2)}`, { value: /^\d+$/.test(value) ? count(value) : value });
  const changes = (verdict.alternatives ?? []).map((offer) =>
    el("li", {}, el("button.plain", { type: "button", onclick: () => apply(offer.changes) }, offer.changes.map(change).join(", "))));
  return el("div.verdict.not", { tabindex: "-1" },
    el("p.mark", {}, el("span", { "aria-hidden": "true" }, "✗"), t("result.not_fits")), el("p.where", {}, where),
    verdict.min_gpus ? el("p", {}, t("result.least", { n: count(verdict.min_gpus) })) : null, limit,
    changes.length ? el("p", {}, t("result.try")) : null, changes.length ? el("ul.changes", {}, ...changes) : null);
}

/** The memory of one GPU: the one whose room for the cache is used most. */
function memoryBar(gpus, { index, kv_bytes_free: free, parts }) {
  const gpu = gpus[index];
  const range = gpu.kv_bytes_available_estimate;
  const label = t("bar.label", {
    weights: size(gpu.weight_bytes), reserve: size(gpu.reserve_bytes), used: size(gpu.kv_bytes_used), free: size(free),
    total: size(gpu.total_bytes ?? gpu.kv_bytes_available),
  });
  return el("figure.memory", {},
    el("figcaption", {}, el("h3", {}, t("bar.title")), el("span.small", {}, gpu.total_bytes === null ? "" : `${size(gpu.total_bytes)} · ${exact(gpu.total_bytes)}`)),
    el("div.stack", { role: "img", "aria-label": label }, ...parts.map(({ part, bytes }) => el(`i.${part}`, { style: { "flex-grow": bytes } }))),
    el("ul.legend", {}, ...parts.map(({ part, bytes }) => el(`li.${part}`, {}, el("span", {}, t(part === "weights" ? "word.weights" : `bar.${part}`)), el("b", {}, size(bytes))))),
    range === null ? null : el("p.small", {}, t("bar.estimate", { low: size(range.low), high: size(range.high) })));
}

/** Users against length, both on logarithmic scales. */
function usersChart(plan, points) {
  const known = points.filter((p) => p.max_users !== null);
  if (known.length < 2) return null;
  const { seq, users } = plan.request;
  // as wide as the answer, in units of the text's size, so that the lettering keeps its own
  const text = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
  const w = Math.max(320, $("result").clientWidth / text);
  const [h, left, bottom, top, right] = [w < 500 ? 250 : 330, w < 500 ? 46 : 62, 40, 18, 14];
  const floor = 0.7;
  const xs = known.map((p) => Number(p.seq));
  const x0 = Math.log(Math.min(...xs, Number(seq)));
  const x1 = Math.log(Math.max(...xs));
  const y0 = Math.log(floor);
  const y1 = Math.log(Math.max(10, ...known.map((p) => Number(p.max_users)), Number(users)) * 1.25);
  const x = (v) => left + ((Math.log(v) - x0) / (x1 - x0)) * (w - left - right);
  const y = (v) => h - bottom - ((Math.log(Math.max(v, floor)) - y0) / (y1 - y0)) * (h - bottom - top);
  const line = known.map((p) => `${x(Number(p.seq)).toFixed(1)},${y(Number(p.max_users)).toFixed(1)}`);
  const xTicks = [];
  const step = (x1 - x0) / Math.log(4) > w / 90 ? 16 : 4;
  for (let v = 256; v <= Math.exp(x1) * 1.01; v *= step) if (Math.log(v) >= x0) xTicks.push(v);
  const yTicks = [];
  for (let v = 1; Math.log(v) <= y1; v *= 10) yTicks.push(v);
  const short = (v) => (v >= 1 << 20 ? `${v >> 20}M` : v >= 1024 && v % 1024 === 0 ? `${v / 1024}K` : count(v));
  const most = known.find((p) => String(p.seq) === String(seq))?.max_users ?? plan.verdict.max_users;
  const [px, py] = [x(Number(seq)), y(Number(users))];
  const fits = plan.verdict.fits;
  const values = { seq: count(seq), most: count(most), users: count(users) };
  const mine = `${t("chart.you")}: ${count(users)} × ${count(seq)} ${fits ? "✓" : "✗"}`;
  const place = besideThePoint([px, py], mine, known.map((p) => [x(Number(p.seq)), y(Number(p.max_users))]), fits, { left, right: w - right, top, bottom: h - bottom });
  const picture = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": t("chart.label", values) },
    svg("path", { class: "room", d: `M${line[0].split(",")[0]},${h - bottom}L${line.join("L")}L${line[line.length - 1].split(",")[0]},${h - bottom}Z` }),
    ...xTicks.map((v) => svg("g", {}, svg("path", { class: "grid", d: `M${x(v)} ${top}V${h - bottom}` }), svg("text", { x: x(v), y: h - bottom + 18, "text-anchor": "middle" }, short(v)))),
    ...yTicks.map((v) => svg("g", {}, svg("path", { class: "grid", d: `M${left} ${y(v)}H${w - right}` }), svg("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, count(v)))),
    svg("polyline", { class: "limit", points: line.join(" ") }),
    svg("text", { class: "name edge", x: w - right - 8, y: Math.min(y(Number(known[known.length - 1].max_users)) + 20, h - bottom - 8), "text-anchor": "end" }, t("chart.limit")),
    svg("path", { class: "guide", d: `M${left} ${py}H${px}V${h - bottom}` }),
    svg("circle", { class: fits ? "you" : "you not", cx: px, cy: py, r: 6.5 }),
    svg("text", { class: "mine", ...place }, mine),
    svg("text", { class: "name", x: w - right, y: h - 6, "text-anchor": "end" }, t("chart.x")),
    svg("text", { class: "name", x: left, y: top - 4, "text-anchor": "start" }, t("chart.y")));
  const rows = known.map((p) => el("tr", {}, el("th", { scope: "row" }, count(p.seq)), el("td", {}, count(p.max_users))));
  return el("figure.chart", {},
    el("figcaption", {}, el("h3", {}, t("chart.title")), el("span.small", {}, t("chart.label", values))),
    picture,
    el("details", {}, el("summary", {}, t("chart.table")),
      el("div.scroll", { tabindex: "0", role: "region", "aria-label": t("chart.title") }, el("table.data", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("chart.x")), el("th", { scope: "col" }, t("chart.y")))), el("tbody", {}, ...rows)))));
}

/** Where the reader's own point is named: the side of it on which the limit does not run. The limit falls
 * from left to right, so that is below on the left where the point fits, and above on the right where not. */
function besideThePoint([px, py], words, limit, fits, plot) {
  const wide = [...words].reduce((sum, c) => sum + (c > "\u2e7f" ? 15 : 8.2), 0);
  const sides = fits ? [[-1, 1], [1, 1], [-1, -1], [1, -1]] : [[1, -1], [-1, -1], [1, 1], [-1, 1]];
  const boxes = sides.map(([across, down]) => {
    const near = px + across * 12;
    const line = down < 0 ? py - 9 : py + 20;
    return { across, line, from: across < 0 ? near - wide : near, to: across < 0 ? near : near + wide };
  });
  const within = ({ line, from, to }) => from >= plot.left && to <= plot.right && line - 13 >= plot.top && line + 4 <= plot.bottom;
  const runs = ({ line, from, to }) => limit.slice(1).some(([bx, by], i) => {
    const [ax, ay] = limit[i];
    const at = (x) => ay + ((by - ay) * (x - ax)) / (bx - ax || 1);
    const [a, b] = [Math.max(ax, from - 4), Math.min(bx, to + 4)];
    return a <= b && Math.max(at(a), at(b)) >= line - 16 && Math.min(at(a), at(b)) <= line + 6;
  });
  const box = boxes.find((one) => within(one) && !runs(one)) ?? boxes.find(within) ?? boxes[0];
  return { x: px + box.across * 12, y: box.line, "text-anchor": box.across < 0 ? "end" : "start" };
}
