// The picture of one frame: matrices whose cells are the computed values.

import { $, el, filled, svg, t } from "./dom.js";
import { count, exact, size } from "./numbers.js";
import { KINDS } from "./story.js";
import { shape } from "./layers.js";

const twoDecimals = (x) => {
  const text = Math.abs(x) < 0.005 ? "0" : x.toFixed(2).replace(/^(-?)0\./, "$1.");
  return text.replace("-", "−");
};
const fourDecimals = (x) => x.toFixed(4).replace("-", "−");

/** One matrix as a table. `cell(i, c)` answers { state, value } for a cell. */
function matrix({ id, title, tokens, columns, group, largest, cell, name }) {
  const body = tokens.map((token, i) => {
    const cells = [];
    for (let c = 0; c < columns; c += 1) {
      const { state, value } = cell(i, c);
      const shown = value !== undefined && state !== "gone" && state !== "ghost" && state !== "masked";
      const strength = shown ? Math.min(1, Math.abs(value) / largest) : 0;
      const first = c > 0 && group > 0 && c % group === 0 ? ".edge" : "";
      cells.push(
        el(`td.${state}${shown && value < 0 ? ".minus" : ""}${first}`, {
          style: { "--a": `${Math.round(strength * 55)}%` },
          "data-say": name(i, c, state, value),
          tabindex: shown || state === "masked" ? "-1" : undefined,
          "aria-hidden": shown ? undefined : "true",
        }, shown ? twoDecimals(value) : ""),
      );
    }
    return el("tr", {}, el("th.sr", { scope: "row" }, token), ...cells);
  });
  return el(`table.matrix.${id}`, { "data-columns": columns }, el("caption", {}, title), el("tbody", {}, ...body));
}

function labels(tokens, step) {
  const rows = tokens.map((token, i) =>
    el("tr", {}, el(`td.token${i === step - 1 ? ".now" : i >= step ? ".later" : ""}`, {}, token)),
  );
  return el("table.labels", { "aria-hidden": "true" }, el("caption", {}, "\u00a0"), el("tbody", {}, ...rows));
}

const largestOf = (rows) => Math.max(0.001, ...rows.flat().map(Math.abs));

/** The rows of a frame: token, Q, K, V, weights, output. */
function rows(run, frame, head) {
  const { tokens, shape } = run;
  const { step, stage, cached } = frame;
  const newest = step - 1;
  const recurrent = run.variant === "recurrent";
  const latent = run.variant === "mla";
  const now = run.steps[newest];
  const sayCell = (title, group) => (i, c, state, value) => {
    if (state === "ghost") return undefined;
    if (state === "gone") return t("why.cell_gone", { matrix: title, token: tokens[i] });
    const values = { matrix: title, token: tokens[i], column: group ? (c % group) + 1 : c + 1, value: fourDecimals(value) };
    return group ? t("why.cell_head", { ...values, head: Math.floor(c / group) + 1 }) : t("why.cell", values);
  };
  const plain = (id, title, data, group, state) =>
    matrix({
      id, title, tokens, columns: data[0].length, group, largest: largestOf(data),
      cell: (i, c) => ({ state: state(i), value: data[i][c] }),
      name: sayCell(title, group),
    });

  const live = (i, from) => (i === newest || (!cached && i < newest)) && stage >= from;
  const passing = (from) => (i) => {
    if (i > newest) return "ghost";
    if (live(i, from)) return "new";
    return i === newest ? "ghost" : frame.dead && from === 1 ? "dead" : "gone";
  };
  const keeping = (i) => {
    if (i > newest || stage < 1) return "ghost";
    if (!cached) return "new";
    if (recurrent) return i === newest ? "new" : "gone";
    if (i < now.first) return "gone";
    const read = stage >= 2 && stage < 4 ? "read" : "kept";
    return i === newest ? (stage === 1 ? "new" : `new.${read}`) : read;
  };

  const left = [labels(tokens, step)];
  if (frame.all || stage <= 1) {
    const state = frame.all ? () => "new" : (i) => (i === newest ? "kept" : i > newest ? "ghost" : "gone");
    left.push(plain("x", t("why.x"), run.x, 0, state));
  }
  if (!frame.all) {
    left.push(plain("q", t("why.q"), run.query, shape.head_dim, passing(1)));
    const pair = [
      plain("k", t(latent ? "why.latent" : "why.k"), run.key, latent ? 0 : shape.head_dim, keeping),
      plain("v", t(latent ? "why.rope_key" : "why.v"), run.value, latent ? 0 : shape.head_dim, keeping),
    ];
    const keeps = cached && (stage >= 4 || step > 1) && !recurrent;
    const held = stage >= 4 ? now : run.steps[newest - 1]; // a step keeps its row at its end
    const caption = !cached
      ? t("why.kept_none")
      : keeps
        ? t("why.kept", { rows: held.kept, row: run.row_bytes, bytes: count(held.kept_bytes) })
        : "\u00a0";
    left.push(
      recurrent
        ? el("div.pair", {}, ...pair)
        : el(`div.pair${keeps ? ".cache" : ""}`, {}, ...pair, el("p.held", {}, caption)),
    );
  }
  const bands = [el("div.band", {}, ...left)];
  if (!frame.all && stage >= 2) {
    const weighs = recurrent ? [stateBox(run, now)] : [el("div.band", {}, labels(tokens, step), weights(run, frame, head))];
    bands.push(el("div.second", {}, ...weighs, stage >= 3 ? output(run, frame) : null));
  }
  return el("div.rows", {}, ...bands);
}

function weights(run, frame, head) {
  const { tokens } = run;
  const newest = frame.step - 1;
  const value = (i, j) => {
    const s = run.steps[i];
    return j >= s.first && j <= i ? s.weights[head][j - s.first] : undefined;
  };
  return matrix({
    id: "w", title: `${t("word.weights")}, ${t("why.head")} ${head + 1}`, tokens, columns: tokens.length, group: 0, largest: 1,
    cell: (i, j) => {
      if (i > newest || j > newest) return { state: "ghost" };
      if (j > i || value(i, j) === undefined) return { state: "masked", value: 0 };
      return { state: i === newest || !frame.cached ? "new" : "gone", value: value(i, j) };
    },
    name: (i, j, state, x) => {
      if (state === "ghost") return undefined;
      if (state === "gone") return t("why.cell_gone", { matrix: t("word.weights"), token: tokens[i] });
      if (state === "masked") return t("why.cell_masked", { query: tokens[i], token: tokens[j] });
      const s = run.steps[i];
      const score = fourDecimals(s.scores[head][j - s.first]);
      return t("why.cell_weight", { query: tokens[i], token: tokens[j], head: head + 1, value: fourDecimals(x), score });
    },
  });
}

function stateBox(run, now) {
  const { heads, head_dim: dim } = run.shape;
  const largest = largestOf([now.state]);
  const tables = [];
  for (let h = 0; h < heads; h += 1) {
    tables.push(matrix({
      id: "s", title: `${t("why.head")} ${h + 1}`, tokens: Array.from({ length: dim }, (_, i) => `${i + 1}`),
      columns: dim, group: 0, largest,
      cell: (i, c) => ({ state: "new", value: now.state[(h * dim + i) * dim + c] }),
      name: (i, c, _, x) =>
        t("why.cell_head", { matrix: t("why.state"), token: `${i + 1}`, head: h + 1, column: c + 1, value: fourDecimals(x) }),
    }));
  }
  return el("div.pair.cache.states", {}, ...tables, el("p.held", {}, t("why.kept_state", { bytes: run.state_bytes })));
}

function output(run, frame) {
  const now = run.steps[frame.step - 1];
  const token = run.tokens[frame.step - 1];
  const one = (title, data) =>
    matrix({
      id: "o", title, tokens: [token], columns: data.length, group: 0, largest: largestOf([data]),
      cell: (_, c) => ({ state: "new", value: data[c] }),
      name: (_, c, __, x) => t("why.cell", { matrix: title, token, column: c + 1, value: fourDecimals(x) }),
    });
  if (frame.both) {
    return el("div.outputs.both", {},
      one(`${t("why.output")}, ${t("why.output_cached")}`, now.output_cached),
      el("span.equals", { "aria-hidden": "true" }, now.same ? "=" : "≠"),
      one(`${t("why.output")}, ${t("why.output_uncached")}`, now.output_uncached));
  }
  return el("div.outputs", {}, one(`${t("why.output")}: ${token}`, frame.cached ? now.output_cached : now.output_uncached));
}

/** The counters of work, and their curves up to this token. */
function work(run, step) {
  const now = run.steps[step - 1];
  const last = run.steps[run.steps.length - 1];
  const line = (title, key) => {
    const most = last.uncached[key];
    const bar = (kind, value) =>
      el(`div.bar.${kind}`, {},
        el("span.name", {}, t(kind === "with" ? "why.with" : "why.without")),
        el("span.track", {}, filled(value, most)),
        el("output", {}, count(value)));
    return el("div.counter", {}, el("h4", {}, title), bar("with", now.cached[key]), bar("without", now.uncached[key]));
  };
  return el("div.work", {},
    line(t("why.rows_computed"), "total_rows"),
    line(t("why.multiply_adds"), "total_multiply_adds"),
    el("div.counter", {}, el("h4", {}, t("why.curve")), curve(run, step)));
}

function curve(run, step) {
  const n = run.steps.length;
  const [w, h] = [220, 84];
  const most = run.steps[n - 1].uncached.total_rows;
  const points = (kind) => [[0, 0], ...run.steps.slice(0, step).map((s, i) => [i + 1, s[kind].total_rows])];
  const at = ([x, y]) => `${(8 + (x * (w - 16)) / n).toFixed(1)},${(h - 8 - (y * (h - 20)) / most).toFixed(1)}`;
  const line = (kind) => {
    const list = points(kind);
    const [x, y] = at(list[list.length - 1]).split(",");
    return [
      svg("polyline", { class: kind, points: list.map(at).join(" ") }),
      svg("circle", { class: kind, cx: x, cy: y, r: 3.5 }),
    ];
  };
  const list = (kind) => run.steps.slice(0, step).map((s) => s[kind].total_rows).join(", ");
  const label = t("why.work_label", { cached: list("cached"), uncached: list("uncached") });
  return svg("svg", { class: "curve", viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": label },
    svg("path", { class: "axis", d: `M8 8V${h - 8}H${w - 8}` }), ...line("uncached"), ...line("cached"));
}

const SAME_NAME = { sliding: "kind.sliding", recurrent: "kind.state" }; // as the layers below have it
const kindName = (kind) => t(SAME_NAME[kind] ?? `kinds.${kind}`);

/** What each variant keeps, the one shown marked. */
function kinds(runs, variant, choose) {
  const n = runs.mha.tokens.length;
  const most = Math.max(...KINDS.map((k) => runs[k].steps[n - 1].kept_bytes));
  const head = ["story.kinds.what", "story.kinds.token", "story.kinds.before", "story.kinds.after"].map((key) =>
    el("th", { scope: "col" }, t(key, { n })),
  );
  const lines = KINDS.map((kind) => {
    const run = runs[kind];
    const after = run.steps[n - 1].kept_bytes;
    return el("tr", { class: kind === variant ? "chosen" : undefined },
      el("th", { scope: "row" },
        el("button.kind", { type: "button", "aria-pressed": String(kind === variant), onclick: () => choose(kind) }, kindName(kind))),
      el("td", {}, `${run.row_bytes} B`),
      el("td", {}, `${run.state_bytes} B`),
      el("td", {}, el("div", {},
        el("span.track", { "aria-hidden": "true" }, filled(after, most)),
        el("span", {}, `${count(after)} B`))));
  });
  return el("table.kinds", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...lines));
}

function poolPicture(pool, at) {
  const frame = at < 0 ? null : pool.frames[at];
  const blocks = Array.from({ length: pool.blocks }, (_, i) => {
    const block = frame?.blocks[i] ?? null;
    const label = block
      ? t("pool.block", { i: i + 1, user: t("pool.user", { name: block.user }), rows: block.rows, most: pool.block_rows })
      : `${i + 1}: ${t("pool.free")}`;
    const slots = Array.from({ length: pool.block_rows }, (_, r) => el(`i${block && r < block.rows ? ".on" : ""}`));
    return el(`div.block${block ? `.u${block.user}` : ""}`, { role: "img", "aria-label": label },
      el("b", { "aria-hidden": "true" }, block ? block.user : ""), ...slots);
  });
  const users = (frame ?? pool.frames[0]).users.map((user) => {
    const state = frame ? user.state : "coming";
    return el(`li.u${user.name}.${state}`, {},
      el("b", {}, user.name),
      el("span", {}, t(`pool.${state}`, { rows: user.rows, bytes: count(user.bytes) })));
  });
  return el("div.pool", {}, el("div.blocks", {}, ...blocks), el("ul.users", {}, ...users));
}

/** The toy's sum, and the chosen model's beside it: same shape, other numbers. */
function bridge(run, answer, part) {
  const { heads, head_dim: dim } = run.shape;
  const line = (what, sum, figure, strong) =>
    el(`tr${strong ? ".strong" : ""}`, {}, el("th", { scope: "row" }, what), el("td", {}, sum), el("td.figure", {}, figure));
  const lines = [line(t("model.toy"), t("model.toy_sum", { heads, dim }), `${run.row_bytes} B`)];
  if (!answer) return el("table.bridge", {}, el("tbody", {}, ...lines));
  const { plan, figures } = answer;
  for (const group of figures.growing) {
    const values = { n: count(group.count), kind: t(`kind.${group.kind}`), each: size(group.bytes_per_token) };
    lines.push(line(t("model.layers", values), shape(group), `${count(group.count)} × ${exact(group.bytes_per_token)}`));
  }
  lines.push(line(t("word.token"), "", exact(plan.kv.bytes_per_token), true));
  if (part > 1) {
    const { seq, users } = plan.request;
    if (Number(plan.kv.state_bytes_per_session) > 0) {
      lines.push(line(t("model.state"), "", exact(plan.kv.state_bytes_per_session)));
    }
    lines.push(line(t("model.session", { seq: count(seq) }), size(plan.kv.session_bytes), exact(plan.kv.session_bytes)));
    lines.push(line(t("model.total", { users: count(users) }), size(plan.kv.total_bytes), exact(plan.kv.total_bytes), true));
  }
  return el("table.bridge", {}, el("tbody", {}, ...lines));
}

/** Draws a frame into #stage. */
export function draw({ runs, pool, answer, frame, head, chooseKind }) {
  const stage = $("stage");
  const parts = [];
  if (frame.pool !== undefined) parts.push(poolPicture(pool, frame.pool));
  else if (frame.model) parts.push(bridge(runs.mha, answer, frame.model));
  else {
    const run = runs[frame.variant];
    parts.push(rows(run, frame, head));
    if (frame.work) parts.push(work(run, frame.step));
    if (frame.kinds) parts.push(kinds(runs, frame.variant, chooseKind));
  }
  stage.replaceChildren(...parts);
  let first = 0;
  for (const table of stage.querySelectorAll(".rows > .band:first-child .matrix:not(.s)")) first += Number(table.dataset.columns);
  stage.style.setProperty("--first", first || 1);
}
