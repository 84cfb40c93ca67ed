---The page of `momo --inspect`: plain HTML, a style and a script, with nothing from elsewhere.

local M = {}

M.html = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Momo</title>
<link rel="stylesheet" href="style.css">
<script src="script.js" defer></script>
</head>
<body>
<header><h1>Momo</h1><span id="process"></span><span id="problem"></span></header>
<section id="plots"></section>
<section>
<h2>CPU</h2>
<label>thread <select id="thread"></select></label>
<label>seconds <input id="seconds" type="number" min="1" max="60" value="5"></label>
<button id="profile">Profile</button> <span id="profiling"></span>
<div id="graph"></div>
</section>
<section>
<h2>Tasks</h2>
<label>search <input id="search" type="search" placeholder="a name, an operation, a line"></label>
<label><input id="pause" type="checkbox"> pause</label>
<div id="tasks"></div>
</section>
<section>
<h2>Stalls and failed tasks</h2>
<ol id="incidents"></ol>
</section>
</body>
</html>
]]

M.style = [[
body { font: 14px/1.4 system-ui, sans-serif; margin: 0 auto; max-width: 76em; padding: 0 1em 2em; color: #222; }
header { display: flex; align-items: baseline; gap: 1em; }
h1 { font-size: 20px; margin: .6em 0; } h2 { font-size: 15px; margin: 1.4em 0 .4em; }
#problem { color: #b00020; }
#plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(15em, 1fr)); gap: .8em; }
figure { margin: 0; padding: .4em .6em; border: 1px solid #ddd; border-radius: 4px; }
figcaption { display: flex; justify-content: space-between; }
figcaption b { font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; height: 48px; }
polyline { fill: none; stroke: #2962a8; stroke-width: 1.5; vector-effect: non-scaling-stroke; }
label { margin-right: 1em; } #search { width: 24em; } #seconds { width: 4em; }
#tasks, #incidents { font: 12px/1.5 ui-monospace, monospace; }
#tasks details { padding-left: 1.2em; } #tasks > details { padding-left: 0; }
#tasks div { padding-left: 2.2em; } .silent > summary { color: #b00020; }
#incidents li { white-space: pre-wrap; } .stall { color: #8a5a00; } .failed { color: #b00020; }
#graph img { max-width: 100%; border: 1px solid #ddd; }
]]

M.script = [==[
"use strict";
const at = id => document.getElementById(id);
const make = (tag, text) => { const e = document.createElement(tag); e.textContent = text || ""; return e; };
const POINTS = 120;
let before = null, since = 0, closed = new Set(), last = null;

// name, how it is shown, what it is of the counts now and a second ago
const rate = name => (now, was, s) => (now[name] - was[name]) / s;
const value = name => now => now[name];
const mean = name => (now, was) => {
  const n = now[name + "_count"] - was[name + "_count"];
  return n > 0 ? (now[name + "_sum"] - was[name + "_sum"]) / n : 0;
};
const total = name => now => Object.keys(now).filter(k => k.startsWith(name + "{")).reduce((n, k) => n + now[k], 0);
const scaled = (n, unit) => {
  for (const [size, sign] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]])
    if (n >= size) return (n / size).toFixed(1) + " " + sign + unit;
  return (n % 1 ? n.toFixed(1) : n) + " " + unit;
};
const seconds = n => n >= 1 ? n.toFixed(2) + " s"
  : n >= 1e-3 ? (n * 1e3).toFixed(2) + " ms" : (n * 1e6).toFixed(0) + " µs";
const count = n => scaled(n, ""), each = n => scaled(n, "/s"), bytes = n => scaled(n, "B");
const plots = [
  ["tasks", count, value("momo_tasks")], ["ready tasks", count, value("momo_tasks_ready")],
  ["wait for a turn", seconds, mean("momo_ready_seconds")], ["turn", seconds, mean("momo_turn_seconds")],
  ["resumes", each, rate("momo_resumes_total")], ["tasks spawned", each, rate("momo_tasks_spawned_total")],
  ["open handles", count, total("momo_handles")], ["timers", count, value("momo_timers")],
  ["received", n => scaled(n, "B/s"), rate("momo_received_bytes_total")],
  ["sent", n => scaled(n, "B/s"), rate("momo_sent_bytes_total")],
  ["accepts", each, rate("momo_accepts_total")], ["HTTP requests", each, rate("momo_http_requests_total")],
  ["messages in channels", count, value("momo_channel_messages")],
  ["Lua's memory", bytes, value("momo_lua_memory_bytes")],
].map(([name, show, of]) => {
  const figure = make("figure"), caption = make("figcaption"), number = make("b");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  svg.setAttribute("viewBox", `0 0 ${POINTS} 48`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.append(line);
  caption.append(make("span", name), number);
  figure.append(caption, svg);
  at("plots").append(figure);
  return { show, of, number, line, points: [] };
});

function parse(text) {
  const counts = {};
  for (const line of text.split("\n")) {
    const space = line.lastIndexOf(" ");
    if (line[0] !== "#" && space > 0) counts[line.slice(0, space)] = Number(line.slice(space + 1));
  }
  return counts;
}

function plot(state) {
  const now = parse(state.metrics);
  if (before) for (const p of plots) {
    const n = p.of(now, before.counts, state.time - before.time) || 0;
    p.points = p.points.concat(n).slice(-POINTS);
    p.number.textContent = p.show(n);
    const top = Math.max(...p.points) || 1;
    const from = POINTS - p.points.length;
    p.line.setAttribute("points", p.points.map((y, x) => `${from + x},${46 - 44 * y / top}`).join(" "));
  }
  before = { counts: now, time: state.time };
}

// The lines of a thread as a tree, by how far they are indented.
function tree(text) {
  const root = { text: "", depth: -1, beneath: [] }, path = [root];
  for (const line of text.split("\n").slice(1)) {
    const node = { text: line.trim(), depth: line.search(/\S/), beneath: [] };
    if (!node.text) continue;
    while (path[path.length - 1].depth >= node.depth) path.pop();
    path[path.length - 1].beneath.push(node);
    path.push(node);
  }
  return root.beneath;
}

const found = (node, word) => node.text.toLowerCase().includes(word) ? node
  : (beneath => beneath.length ? { ...node, beneath } : null)(node.beneath.map(n => found(n, word)).filter(n => n));

// What a line is known by from one second to the next.
const key_of = text => text.replace(/, for .*?, at/, "").replace(/ran .*/, "");

function draw(into, nodes, path) {
  for (const node of nodes) {
    if (!node.beneath.length) { into.append(make("div", node.text)); continue; }
    const key = path + "/" + key_of(node.text), details = document.createElement("details");
    details.open = !closed.has(key);
    details.addEventListener("toggle", () => details.open ? closed.delete(key) : closed.add(key));
    details.append(make("summary", node.text));
    draw(details, node.beneath, key);
    into.append(details);
  }
}

function tasks(state) {
  const word = at("search").value.trim().toLowerCase(), out = document.createDocumentFragment();
  const roots = state.threads.map(t => ({
    text: `thread ${t.name}: ` + (t.tasks.match(/has (\d+ tasks?)/) || ["", ""])[1]
      + (t.silent ? `, does not come round since ${new Date(t.at * 1000).toLocaleTimeString()}` : ""),
    beneath: tree(t.tasks), silent: t.silent,
  }));
  for (const root of roots) {
    const shown = word ? found(root, word) : root;
    if (!shown) continue;
    draw(out, [shown], "");
    if (root.silent) out.lastChild.className = "silent";
  }
  at("tasks").replaceChildren(out);
}

function incidents(state) {
  for (const i of state.incidents) {
    const item = make("li", new Date(i.time * 1000).toLocaleTimeString() + "  " + i.text.trim());
    item.className = i.kind;
    at("incidents").prepend(item);
    since = i.n;
  }
}

function threads(state) {
  const select = at("thread"), keys = state.threads.map(t => t.key + t.name).join();
  if (select.dataset.keys === keys) return;
  select.dataset.keys = keys;
  select.replaceChildren(...state.threads.map(t => Object.assign(make("option", t.name), { value: t.key })));
}

async function look() {
  try {
    const answer = await fetch("state?since=" + since);
    if (!answer.ok) throw new Error(await answer.text());
    last = await answer.json();
    last.threads.sort((a, b) => (b.name === "main") - (a.name === "main") || (a.name < b.name ? -1 : 1));
    at("process").textContent = "process " + last.pid;
    at("problem").textContent = last.silent ? `${last.silent} threads do not come round` : "";
    plot(last);
    incidents(last);
    threads(last);
    if (!at("pause").checked) tasks(last);
  } catch (problem) {
    at("problem").textContent = "the process does not answer: " + problem.message;
  }
  setTimeout(look, 1000);
}

at("search").addEventListener("input", () => last && tasks(last));
at("profile").addEventListener("click", async () => {
  const button = at("profile"), length = at("seconds").value;
  button.disabled = true;
  at("profiling").textContent = `for ${length} s...`;
  try {
    const answer = await fetch(`profile?thread=${at("thread").value}&seconds=${length}`, { method: "POST" });
    if (!answer.ok) throw new Error(await answer.text());
    const url = URL.createObjectURL(await answer.blob()), image = make("img"), link = make("a", "alone, and larger");
    image.src = link.href = url;
    link.target = "_blank";
    at("graph").replaceChildren(image, make("br"), link);
    at("profiling").textContent = "";
  } catch (problem) {
    at("profiling").textContent = problem.message;
  }
  button.disabled = false;
});
look();
]==]

return M
