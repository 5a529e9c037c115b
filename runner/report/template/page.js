"use strict";
/* Sorts and filters the tables, and fills the charts with the runs that are shown. Bokeh draws. */
const data = JSON.parse(document.getElementById("data").textContent);
const items = JSON.parse(document.getElementById("items").textContent);
const element = (id) => document.getElementById(id);
const every = (selector, inside = document) => [...inside.querySelectorAll(selector)];
document.documentElement.classList.add("scripted");

const state = { shown: data.runs.map((_, place) => place), marked: new Set() };

/* --- numbers and words --- */
const brief = (number) => String(Number(number.toPrecision(4)));
const text = (value) =>
  typeof value === "number" ? String(Number(value.toPrecision(6))) : typeof value === "string" ? value : JSON.stringify(value);
const quantile = (sorted, share) => {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  return sorted[low] + (place - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
};
const finals = (places, metric) =>
  places.filter((place) => !data.runs[place].failed).map((place) => data.runs[place].last[metric]).filter((y) => y !== null);

/* --- the tables --- */
function sort(button) {
  const head = button.closest("th");
  const column = [...head.parentNode.children].indexOf(head);
  const direction = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of head.parentNode.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", direction);
  const body = button.closest("table").tBodies[0];
  const keyed = [...body.rows].map((row) => {
    const cell = row.cells[column];
    const words = cell.dataset.value ?? cell.textContent.trim();
    const number = words.replace("inf", "Infinity");
    return { row, words, number: number === "" ? NaN : Number(number) };
  });
  const sign = direction === "ascending" ? 1 : -1;
  keyed.sort((a, b) => {
    const [left, right] = [Number.isNaN(a.number), Number.isNaN(b.number)];
    if (left && right) return (a.words === "") - (b.words === "") || sign * a.words.localeCompare(b.words);
    return left - right || (a.number === b.number ? 0 : sign * (a.number < b.number ? -1 : 1));
  });
  body.append(...keyed.map(({ row }) => row));
}

const searched = data.runs.map((run) =>
  [run.name, run.status, ...data.keys.map((key, k) => `${key}=${text(run.values[k])}`)].join(" ").toLowerCase());

function filter() {
  const words = element("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const status = element("status").value;
  state.shown = data.runs
    .map((_, place) => place)
    .filter((place) => (!status || data.runs[place].status === status) && words.every((word) => searched[place].includes(word)));
  const shown = new Set(state.shown);
  for (const row of every("tr[data-runs]"))
    row.hidden = !row.dataset.runs.split(" ").some((place) => shown.has(Number(place)));
  element("shown").textContent = `${shown.size} of ${data.runs.length} runs`;
  draw();
}

function mark(button) {
  const place = Number(button.closest("tr").dataset.runs);
  if (!state.marked.delete(place)) state.marked.add(place);
  button.setAttribute("aria-pressed", String(state.marked.has(place)));
  curves();
}

/* --- the charts --- */
const model = (name) => {
  for (const page of Bokeh.documents) {
    const found = page.get_model_by_name(name);
    if (found) return found;
  }
  return null;
};
const colour = (share) => data.palette[Math.round(share * (data.palette.length - 1))];

function limits(range, low, high, log) {
  if (!(high > low)) [low, high] = log ? [low / 2, low * 2] : [low - 0.5, high + 0.5];
  const margin = 0.04 * (log ? Math.log(high / low) : high - low);
  [low, high] = log ? [low / Math.exp(margin), high * Math.exp(margin)] : [low - margin, high + margin];
  range.setv({ start: low, end: high, reset_start: low, reset_end: high });
}

/* Of sorted values those that an axis must show: a few that are far from all others would flatten the rest. */
function fair(sorted, log) {
  if (!sorted.length) return sorted;
  const [low, high] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const reach = log ? 1e4 * high : 20 * (high - low) || Infinity;
  return sorted.filter((y) => y <= high + reach && (log || y >= low - reach));
}

function curves() {
  const metric = Number(element("curves-metric").value);
  const columns = { xs: [], ys: [], name: [], status: [], last: [], colour: [], dash: [], width: [], alpha: [] };
  const drawn = [];
  let positive = true;
  let last = 1;
  /* The worst first, so that the best lie on top; what is marked above all. */
  const order = [...state.shown].sort((a, b) => state.marked.has(a) - state.marked.has(b) || b - a);
  for (const place of order) {
    const run = data.runs[place];
    if (!run.curves[metric]) continue;
    const steps = data.grids[run.grid];
    const marked = state.marked.has(place);
    columns.xs.push(steps);
    columns.ys.push(run.curves[metric].map((y) => y ?? NaN));
    columns.name.push(run.name);
    columns.status.push(run.status);
    columns.last.push(run.last[metric] === null ? "not finite" : brief(run.last[metric]));
    columns.colour.push(marked ? data.marked : run.failed ? data.failed : colour(place / Math.max(data.runs.length - 1, 1)));
    columns.dash.push(run.failed ? "dashed" : "solid");
    columns.width.push(marked ? 4 : 1.3);
    columns.alpha.push(marked ? 1 : state.marked.size ? 0.25 : 0.75);
    const finite = run.curves[metric].filter((y) => y !== null);
    if (finite.some((y) => y <= 0)) positive = false;
    drawn.push({ failed: run.failed, finite });
    if (steps.length) last = Math.max(last, steps[steps.length - 1]);
  }
  const axis = positive ? element("curves-axis").value : "linear";
  element("curves-axis").disabled = !positive;
  /* What diverges leaves the picture at the top; the others set its height. */
  const whole = drawn.some((one) => !one.failed) ? drawn.filter((one) => !one.failed) : drawn;
  const values = fair(whole.flatMap((one) => one.finite).sort((a, b) => a - b), axis === "log");
  model("curves-source").data = columns;
  for (const scale of ["log", "linear"]) {
    const page = model(`curves-${scale}`);
    page.visible = scale === axis;
    model(`${page.name}-y`).axis_label = data.metrics[metric];
    if (scale === axis && values.length) limits(page.y_range, values[0], values[values.length - 1], axis === "log");
    limits(page.x_range, 0, last, false);
  }
  const shown = model("curves-log").y_range;
  model("curves-log-y").ticker.ticks = decades(shown.start, shown.end);
}

/* 1, 2 and 5 of each decade in between; of many decades only their beginnings. */
function decades(low, high) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const step = Math.max(1, Math.ceil((last - first) / 10));
  const within = last - first > 4 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = first; power <= last; power += step) for (const digit of within) ticks.push(Number(`${digit}e${power}`));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

const PHASES = -1;
const MOST_LEVELS = 16;
const BINS = 12;

/* The values of a key in their order, and the level of each run; many different numbers share intervals. */
function levels(k) {
  const values = data.runs.map((run) => run.values[k]);
  const numbers = values.every((value) => typeof value === "number");
  const distinct = [...new Set(values.map(text))];
  if (!numbers || distinct.length <= MOST_LEVELS) {
    if (numbers) distinct.sort((a, b) => Number(a) - Number(b));
    return { names: distinct, of: values.map(text) };
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const log = low > 0 && high / low > 100;
  const [forth, back] = log ? [Math.log, Math.exp] : [(x) => x, (x) => x];
  const edge = (i) => back(forth(low) + (i / BINS) * (forth(high) - forth(low)));
  const short = (x) => String(Number(x.toPrecision(2)));
  const names = Array.from({ length: BINS }, (_, i) => `${short(edge(i))} to ${short(edge(i + 1))}`);
  const bin = (x) => Math.min(BINS - 1, Math.floor((BINS * (forth(x) - forth(low))) / (forth(high) - forth(low))));
  return { names, of: values.map((x) => names[bin(x)]) };
}

function heat() {
  const [x, y, metric] = ["heat-x", "heat-y", "heat-metric"].map((id) => Number(element(id).value));
  const across = levels(x);
  const up = y < 0 ? { names: ["all"], of: data.runs.map(() => "all") } : levels(y);
  const cells = new Map();
  for (const place of state.shown) {
    const name = JSON.stringify([across.of[place], up.of[place]]);
    if (!cells.has(name)) cells.set(name, []);
    cells.get(name).push(place);
  }
  const columns = { x: [], y: [], text: [], colour: [], ink: [], runs: [], median: [], quartiles: [], failed: [], outcomes: [] };
  const medians = [];
  const ends = [];
  for (const [name, places] of cells) {
    const values = metric === PHASES ? [] : finals(places, metric).sort((a, b) => a - b);
    const counts = Object.keys(data.outcomes)
      .map((outcome) => [outcome, places.filter((place) => data.runs[place].outcome === outcome).length])
      .filter(([, count]) => count);
    counts.sort((a, b) => b[1] - a[1]);
    ends.push([...counts[0], places.length]);
    columns.outcomes.push(counts.map(([outcome, count]) => `${outcome} ${count}`).join(", "));
    medians.push(values.length ? quantile(values, 0.5) : null);
    const [column, row] = JSON.parse(name);
    columns.x.push(column);
    columns.y.push(row);
    columns.runs.push(String(places.length));
    columns.failed.push(String(places.filter((place) => data.runs[place].failed).length));
    columns.quartiles.push(values.length ? `${brief(quantile(values, 0.25))} .. ${brief(quantile(values, 0.75))}` : "none");
  }
  /* By rank: one cell that is far from all others would take their colours away. */
  const known = [...new Set(medians.filter((value) => value !== null))].sort((a, b) => data.better[metric] * (b - a));
  for (const [outcome, count, of] of metric === PHASES ? ends : []) {
    columns.text.push(of === 1 ? "" : `${count} of ${of}`);
    columns.median.push("");
    columns.colour.push(data.outcomes[outcome][0]);
    columns.ink.push(data.outcomes[outcome][1]);
  }
  for (const value of metric === PHASES ? [] : medians) {
    columns.text.push(value === null ? "failed" : Number(value.toPrecision(3)).toString());
    columns.median.push(value === null ? "all diverged or failed" : brief(value));
    const share = known.indexOf(value) / Math.max(known.length - 1, 1);
    columns.colour.push(value === null ? "#eeeeee" : colour(share));
    columns.ink.push(value === null ? data.failed : share < 0.55 ? "#ffffff" : "#1a1a1a");
  }
  const page = model("heat-figure");
  page.x_range.factors = across.names;
  page.y_range.factors = up.names;
  model(`${page.name}-x`).axis_label = data.keys[x];
  model(`${page.name}-y`).axis_label = y < 0 ? "" : data.keys[y];
  page.height = Math.min(700, 130 + 34 * up.names.length);
  model("heat-source").data = columns;
  element("heat-text").textContent =
    `${cells.size} cells of ${state.shown.length} runs; ` +
    (metric === PHASES
      ? "the colour says how most of a cell's runs ended, the number how many of them did."
      : "dark is better. Runs that diverged or failed have no part in a median.");
  element("heat-legend").hidden = metric !== PHASES;
}

const MOST_BOXES = 40;

function boxes() {
  const [group, metric] = [Number(element("boxes-group").value), Number(element("boxes-metric").value)];
  const own = group < 0 ? null : levels(group);
  const setting = (run) =>
    data.keys.map((key, k) => (data.repeats.includes(key) ? "" : `${key.split(".").pop()}=${text(run.values[k])}`)).filter(Boolean).join(" ") || "all";
  const groups = new Map();
  for (const place of state.shown) {
    const name = own ? own.of[place] : setting(data.runs[place]);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(place);
  }
  const found = [...groups].map(([name, places]) => ({ name, places, values: finals(places, metric).sort((a, b) => a - b) }));
  const middle = (one) => (one.values.length ? quantile(one.values, 0.5) : -Infinity * data.better[metric]);
  found.sort((a, b) => (own ? own.names.indexOf(a.name) - own.names.indexOf(b.name) : data.better[metric] * (middle(b) - middle(a)) || 0));
  const kept = found.slice(0, MOST_BOXES);
  const columns = { y: [], low: [], middle: [], high: [], least: [], greatest: [], runs: [], failed: [] };
  const points = { x: [], y: [], name: [] };
  for (const { name, places, values } of kept) {
    if (!values.length) continue;
    columns.y.push(name);
    columns.low.push(quantile(values, 0.25));
    columns.middle.push(quantile(values, 0.5));
    columns.high.push(quantile(values, 0.75));
    columns.least.push(values[0]);
    columns.greatest.push(values[values.length - 1]);
    columns.runs.push(String(places.length));
    columns.failed.push(String(places.filter((place) => data.runs[place].failed).length));
    for (const place of places) {
      const value = data.runs[place].last[metric];
      if (value === null || data.runs[place].failed) continue;
      points.x.push(value);
      points.y.push(name);
      points.name.push(data.runs[place].name);
    }
  }
  const page = model("boxes-figure");
  page.y_range.factors = kept.map(({ name }) => name).reverse();
  model(`${page.name}-x`).axis_label = data.metrics[metric];
  page.height = Math.min(1000, 90 + 24 * Math.max(kept.length, 2));
  model("boxes-source").data = columns;
  model("points-source").data = points;
  const near = fair([...points.x].sort((a, b) => a - b), false);
  if (near.length) limits(page.x_range, near[0], near[near.length - 1], false);
  const [more, far] = [found.length - kept.length, points.x.length - near.length];
  element("boxes-text").textContent =
    "Box: quartiles; thick line: median; points: runs; thin line: from the least to the greatest." +
    (more > 0 ? ` ${more} more groups are left out.` : "") + (far > 0 ? ` ${far} runs are far outside of the picture.` : "");
}

function draw() {
  if (!state.ready) return;
  curves();
  if (data.keys.length) {
    heat();
    boxes();
  }
}

function choices(select, names, chosen) {
  select.replaceChildren(...names.map(([value, name]) => new Option(name, value, value === chosen, value === chosen)));
}

async function main() {
  const keys = data.keys.map((key, k) => [k, key]);
  for (const select of every("select.metric")) choices(select, data.metrics.map((name, m) => [m, name]), 0);
  if (keys.length) {
    const [free, repeats] = [false, true].map((is) => keys.filter(([, key]) => data.repeats.includes(key) === is));
    const [first, second] = [...free, ...repeats].map(([k]) => k);
    element("heat-metric").prepend(new Option("how the runs ended", PHASES));
    element("heat-legend").replaceChildren(...Object.entries(data.outcomes)
      .filter(([outcome]) => data.runs.some((run) => run.outcome === outcome))
      .map(([outcome, [colour, ink]]) => {
        const item = document.createElement("li");
        item.textContent = outcome;
        item.style.cssText = `background: ${colour}; color: ${ink}`;
        return item;
      }));
    choices(element("heat-x"), keys, first);
    choices(element("heat-y"), [...keys, [-1, "none"]], second ?? -1);
    const settings = repeats.length && free.length ? [[-1, "setting, over its seeds and folds"]] : [];
    choices(element("boxes-group"), [...settings, ...keys], settings.length ? -1 : first);
  }
  for (const button of every("button.sort")) button.addEventListener("click", () => sort(button));
  for (const button of every("button.mark")) button.addEventListener("click", () => mark(button));
  let waiting;
  element("filter").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 120);
  });
  element("status").addEventListener("change", filter);
  element("everything").addEventListener("click", () => {
    element("filter").value = element("status").value = "";
    filter();
  });
  for (const [ids, action] of [["curves", curves], ["heat", heat], ["boxes", boxes]])
    for (const select of every(`#${ids}-section select`)) select.addEventListener("change", action);
  for (const command of every("td details")) command.addEventListener("toggle", () => {
    if (command.open) command.scrollIntoView({ block: "nearest", inline: "end" });
  });
  element("copy")?.addEventListener("click", async () => {
    const command = element("best-command");
    getSelection().selectAllChildren(command);
    const done = await navigator.clipboard?.writeText(command.textContent).then(() => true, () => false);
    element("copy").textContent = done || document.execCommand("copy") ? "Copied" : "Selected: press Ctrl+C";
  });
  element("phases-show")?.addEventListener("click", () => {
    element("heat-metric").value = String(PHASES);
    heat();
    element("heat-section").scrollIntoView();
    element("heat-metric").focus();
  });
  const there = Object.keys(items).filter((name) => element(name));
  await Promise.all(there.map((name) => Bokeh.embed.embed_item(items[name], name)));
  state.ready = true;
  filter();
  document.documentElement.dataset.ready = "true";
}

main();
