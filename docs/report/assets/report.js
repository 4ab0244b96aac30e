// Draws the figures of a report page in the colours of the page, for its width and for paper, and
// lets the code be hidden.
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const NARROW = 560;  // pixels; panels of narrower figures are stacked
const PAPER = 680;  // pixels that fit on A4 and on Letter, with margins of 15 mm
const OPTIONS = { responsive: false, displaylogo: false, showSendToCloud: false };
const NEUTRAL = { "#7A7A7A": "--soft", "rgba(128,128,128,0.3)": "--grid" };  // as in figures/style.py
let paper = false;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The figure's JSON with the page's colours in place of the neutral ones.
function content(div) {
  const colours = Object.entries(NEUTRAL).map(([from, to]) => [JSON.stringify(from), JSON.stringify(colour(to))]);
  return JSON.parse(colours.reduce((text, [from, to]) => text.replaceAll(from, to), div.source));
}

const keys = (layout, letter) => Object.keys(layout).filter((key) => RegExp(`^${letter}axis\\d*$`).test(key));

// The page's colours win over the figure's own.
function themed(layout) {
  const clear = "rgba(0,0,0,0)", grid = colour("--grid"), text = colour("--text");
  Object.assign(layout, { paper_bgcolor: clear, plot_bgcolor: clear, autosize: false });
  layout.font = { ...layout.font, color: text };
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: colour("--panel"), font: { color: text } };
  layout.modebar = { ...layout.modebar, bgcolor: clear, color: colour("--soft"), activecolor: text };
  for (const key of [...keys(layout, "x"), ...keys(layout, "y")]) {
    Object.assign(layout[key], { gridcolor: grid, linecolor: grid, zerolinecolor: grid });
  }
  return layout;
}

// The panels of a figure from the top, row by row: each an x axis with its y axis.
function panels(layout) {
  const found = keys(layout, "x").map((x) => ({ x, y: (layout[x].anchor || "y").replace(/^y/, "yaxis") }));
  const parts = found.filter(({ x, y }) => layout[x].domain && layout[y]?.domain);
  const top = ({ x, y }) => -100 * layout[y].domain[1] + layout[x].domain[0];
  return parts.sort((a, b) => top(a) - top(b));
}

// Panels that stand side by side one above the other, with their titles.
function stacked(layout, height) {
  const parts = panels(layout), rows = new Set(parts.map(({ y }) => layout[y].domain[0])).size;
  if (parts.length <= rows) return height;
  const { t = 60, b = 60 } = layout.margin || {};
  const plot = Math.max(180, (height - t - b) / rows), gap = 90;
  const whole = parts.length * (plot + gap) - gap;
  const titles = (layout.annotations || []).filter((each) => each.xref === "paper" && each.yref === "paper");
  parts.forEach(({ x, y }, number) => {
    const [left, right] = layout[x].domain, [low, high] = layout[y].domain;
    const end = 1 - (number * (plot + gap)) / whole;
    const mine = titles.filter((each) => !each.moved && Math.abs(each.x - (left + right) / 2) < 0.01 && Math.abs(each.y - high) < 0.01);
    mine.forEach((each) => Object.assign(each, { x: 0.5, y: end, moved: true }));
    const first = parts.find((other) => layout[other.y].domain[0] === low);
    layout[x].domain = [0, 1];
    layout[y].stacked = [Math.max(0, end - plot / whole), end];
    layout[y].showticklabels = layout[x].showticklabels = true;
    layout[y].title ||= layout[first.y].title;
    layout[y].automargin = true;
  });
  for (const { y } of parts) {
    layout[y].domain = layout[y].stacked;
    delete layout[y].stacked;
  }
  for (const each of titles) delete each.moved;
  return whole + t + b;
}

// Titles of panels in lines that their panels have room for.
function wrapped(layout, room) {
  const { l = 80, r = 80 } = layout.margin || {};
  for (const { x, y } of panels(layout)) {
    const [left, right] = layout[x].domain, high = layout[y].domain[1];
    const most = Math.max(12, ((room - l - r) * (right - left)) / 8);  // letters of 8 pixels
    for (const each of layout.annotations || []) {
      const mine = each.yref === "paper" && Math.abs(each.x - (left + right) / 2) < 0.01 && Math.abs(each.y - high) < 0.01;
      if (!mine) continue;
      each.text = folded(each.text, most);
      if (high > 0.99) layout.margin = { ...layout.margin, t: Math.max(layout.margin?.t ?? 0, 12 + 20 * each.text.split("<br>").length) };
    }
  }
}

// The text in lines of at most so many letters; one with other tags than line breaks as it is.
function folded(text, most) {
  const parts = text.split("<br>");
  return parts.some((part) => part.includes("<")) ? text : parts.flatMap((part) => lines(part, most)).join("<br>");
}

const longest = (texts) => Math.max(...texts.map((text) => String(text).length));

// In a narrow figure: names of rows, and titles, in lines that leave space for the plot; percentages
// in bars upright; a square plot without space above and below. Returns the figure's height.
function narrowed(data, layout, room, height) {
  let labels = 0, taller = 0;
  for (const key of keys(layout, "y")) {
    const axis = `y${key.slice(5)}`, traces = data.filter((t) => (t.yaxis || "y") === axis);
    const columns = traces.flatMap((t) => (Array.isArray(t.y) ? (Array.isArray(t.y[0]) ? t.y : [t.y]) : []));
    if (columns.length > traces.length) labels = 2 * longest(columns.flat());  // names in two levels
    const names = [...new Set(columns.flat().filter((y) => typeof y === "string"))];
    if (!names.length || columns.length > traces.length || traces.some((t) => t.type === "heatmap")) continue;
    const texts = names.map((name) => folded(name, Math.floor(room / 16)));
    const most = Math.max(...texts.map((text) => text.split("<br>").length));
    Object.assign(layout[key], { tickmode: "array", tickvals: names, ticktext: texts, automargin: true });
    labels = Math.max(labels, longest(texts.flatMap((text) => text.split("<br>"))));
    taller = Math.max(taller, names.length * Math.max(0, 16 * most - 20));
  }
  for (const t of data) if (t.type === "bar" && t.textposition === "inside") t.textangle = -90;
  for (const key of keys(layout, "x")) {
    const title = layout[key].title, most = Math.max(12, Math.floor((room - 6.5 * labels) / 7.5));
    if (title?.text) title.text = folded(title.text, most);
  }
  if (layout.title?.text) layout.title.text = folded(layout.title.text, Math.floor(room / 10));
  if (keys(layout, "y").some((key) => layout[key].scaleanchor)) height = Math.min(height, room);
  return height + taller;
}

function lines(text, most) {
  const found = [""];
  for (const word of text.split(" ")) {
    const last = found.at(-1);
    if (last && last.length + 1 + word.length > most) found.push(word);
    else found[found.length - 1] = last ? `${last} ${word}` : word;
  }
  return found;
}

// Rows that a horizontal legend takes, by the length of its names.
function legendRows(data, room) {
  const names = new Set(data.filter((t) => t.name && t.showlegend !== false).map((t) => t.name));
  let rows = 1, used = 0;
  for (const name of names) {
    const wide = 50 + 7 * name.length;
    if (used && used + wide > room) [rows, used] = [rows + 1, 0];
    used += wide;
  }
  return rows;
}

// The legend under the figure, with as much space as it needs.
function below(data, layout, room) {
  const titles = keys(layout, "x").map((key) => (layout[key].title?.text || "").split("<br>").length);
  const space = 44 + 18 * Math.max(...titles) + 22 * legendRows(data, room);
  const named = data.some((t) => t.name && t.showlegend !== false);
  layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: 0, yref: "container", yanchor: "bottom" };
  layout.margin = { ...layout.margin, b: Math.max(layout.margin?.b ?? 0, space), r: named ? 10 : layout.margin?.r ?? 10 };
}

function draw(div) {
  div.plot ||= prepared(div);
  const { data, layout } = content(div);
  const room = paper ? PAPER : div.clientWidth;
  const pictures = data.some((trace) => trace.type === "image");
  let height = layout.height || 450;
  themed(layout);
  if (!pictures && room < NARROW) {
    height = narrowed(data, layout, room, height);
    below(data, layout, room);
    height = stacked(layout, height);
  }
  wrapped(layout, room);
  if (!pictures) layout.width = room;  // the page decides; pictures keep their size
  layout.height = height;
  div.style.height = "auto";
  div.style.zoom = paper ? Math.min(1, PAPER / layout.width) : "";
  return Plotly.react(div.plot, data, layout, OPTIONS);
}

// The figure's JSON is kept, and an empty element drawn into.
function prepared(div) {
  div.source = div.querySelector("script").textContent;
  div.replaceChildren(document.createElement("div"));
  return div.firstElementChild;
}

function drawAll() {
  for (const div of document.querySelectorAll(".tin-figure")) {
    try {
      draw(div);
    } catch (error) {  // the others are drawn all the same
      div.textContent = `This figure cannot be drawn: ${error.message}`;
    }
  }
}

// Print in light colours and in a width that fits the paper.
function forPaper(wanted) {
  if (paper === wanted) return;
  paper = wanted;
  document.documentElement.classList.toggle("paper", paper);
  drawAll();
}

let width = window.innerWidth;
function resized() {
  if (paper || window.innerWidth === width) return;
  width = window.innerWidth;
  drawAll();
}

function addCodeSwitch() {
  const nav = document.querySelector("nav");
  if (!nav || !document.querySelector(".input")) return;
  const button = document.createElement("button");
  const name = () => (document.body.classList.contains("hide-code") ? "Show code" : "Hide code");
  button.textContent = name();
  button.onclick = () => {
    document.body.classList.toggle("hide-code");
    button.textContent = name();
  };
  nav.append(button);
}

addCodeSwitch();
drawAll();
dark.addEventListener("change", drawAll);
window.addEventListener("resize", resized);
window.addEventListener("beforeprint", () => forPaper(true));
window.addEventListener("afterprint", () => forPaper(false));
