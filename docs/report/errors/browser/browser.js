(() => {
// Elements and pictures that all browsers use.
const SIDE = 64; // pixels of an image's side
const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down", Home: -1e9, End: 1e9 };
let made = 0; // elements that needed an id

function element(parent, tag, properties = {}, attributes = {}) {
  const added = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) added.setAttribute(name, value);
  parent?.append(added);
  return added;
}

// An id that no other browser of the page has.
const unique = (name) => `tin-${name}-${(made += 1)}-${Math.random().toString(36).slice(2, 8)}`;

// Pixels of planes, bytes (channels, height, width) from an offset; one plane is shown as gray.
function pixels(bytes, channels = 3, offset = 0, width = SIDE, height = width) {
  const [shown, area] = [new ImageData(width, height), width * height];
  for (let at = 0; at < area; at += 1) {
    for (let k = 0; k < 3; k += 1)
      shown.data[4 * at + k] = bytes[offset + (channels === 1 ? 0 : k * area) + at];
    shown.data[4 * at + 3] = 255;
  }
  return shown;
}

// A picture with a caption: `image` is ImageData; `box` outlines inclusive pixels x0, y0, x1, y1.
function tile(parent, caption, image, { box = null, size = 128, title = caption } = {}) {
  const figure = element(parent, "figure", { className: "tin-tile" });
  figure.style.width = `min(${size}px, calc(50% - 4px))`;
  if (caption) element(figure, "figcaption", { textContent: caption });
  const frame = element(figure, "div", { className: "tin-frame" });
  const canvas = element(frame, "canvas", { width: image.width, height: image.height },
    { role: "img", "aria-label": title, "data-tile": caption });
  canvas.getContext("2d").putImageData(image, 0, 0);
  if (box && box[0] >= 0) {
    const outline = element(frame, "div", { className: "tin-outline" });
    const [x0, y0, x1, y1] = box.map((value, k) => ((value + (k > 1)) / image.width) * 100);
    Object.assign(outline.style,
      { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
  }
  return figure;
}

// A line of text, a share of 1, and its bar.
function barLine(list, share, text, marked) {
  const item = element(list, "li", { className: marked ? "tin-marked" : "", textContent: text });
  element(item, "div", { className: "tin-bar" }).style.width = `${100 * Math.min(1, share)}%`;
}

// The parts of a browser: controls, and what is shown beside them or, in a narrow window, below.
function scaffold(root, label) {
  const browser = element(root, "div", { className: "tin-browser" });
  // JupyterLab has shortcuts of one key for whatever has the focus: arrow keys would leave a list. It gets
  // Escape, Shift+Enter, and keys with Ctrl or Alt, except Z: undoing in a field must not change a cell.
  browser.addEventListener("keydown", (event) => {
    const isCombined = event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");
    const isForLab = event.key === "Escape" || (isCombined && !/^z$/i.test(event.key));
    if (!isForLab) event.stopPropagation();
  });
  const grid = element(browser, "div", { className: "tin-grid" });
  const controls = element(grid, "form", { className: "tin-controls" });
  controls.addEventListener("submit", (event) => event.preventDefault());
  const shown = element(grid, "section", { className: "tin-shown" }, { "aria-label": label });
  return { controls, shown };
}

// A line that is hidden while it is empty; screen readers announce what it says.
function line(parent, className, role) {
  const made = element(parent, "p", { className, hidden: true }, { role });
  return (text) => {
    made.textContent = text;
    made.hidden = !text;
  };
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;
const later = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

// Controls with names: search fields, lists, ticks, and the strip of tiles.

// A label that contained a list would have the texts of its options in its name: hence aria-label.
function labelled(parent, text, tag, attributes = {}, properties = {}) {
  const label = element(parent, "label", { className: "tin-field" });
  element(label, "span", { textContent: text });
  return element(label, tag, properties, { "aria-label": text, ...attributes });
}

// A list of [value, text], of which one is chosen.
function choice(parent, text, options, change, attributes = {}) {
  const list = labelled(parent, text, "select", attributes);
  const fill = (given) => list.replaceChildren(...given.map(([value, shown]) => new Option(shown, value)));
  fill(options);
  list.addEventListener("change", () => change(list.value));
  return { put: (value) => { list.value = value; }, fill, list };
}

function tick(parent, text, value, change) {
  const label = element(parent, "label", { className: "tin-tick" });
  const box = element(label, "input", { type: "checkbox", value });
  label.append(text);
  box.addEventListener("change", () => change(box.checked));
  return box;
}

function slider(parent, text, [low, high, step], change) {
  const range = labelled(parent, text, "input", { type: "range", min: low, max: high, step });
  range.addEventListener("input", () => change(Number(range.value)));
  return range;
}

function button(parent, text, press, title = text) {
  const made = element(parent, "button", { type: "button", textContent: text, title });
  made.addEventListener("click", press);
  return made;
}

// The class whose name or id is the text, else begins with it, else contains it; or -1.
function classOf(classes, text) {
  const wanted = text.trim().toLowerCase();
  const tests = [
    ({ id, name }) => name.toLowerCase() === wanted || id.toLowerCase() === wanted,
    ({ name }) => name.toLowerCase().startsWith(wanted),
    ({ name }) => name.toLowerCase().includes(wanted),
  ];
  return tests.map((test) => classes.findIndex(test)).find((found) => found >= 0) ?? -1;
}

// A field that finds classes, [{id, name}]. What names no class stays in the field, with an answer.
function search(parent, text, classes, change, empty = "any") {
  const field = labelled(parent, text, "input", { placeholder: `${empty}: type to search`, autocomplete: "off" });
  const names = element(parent, "datalist", { id: unique("classes") });
  for (const { name } of classes) element(names, "option", { value: name });
  const answer = element(parent, "p", { className: "tin-answer", hidden: true }, { role: "alert" });
  field.setAttribute("list", names.id);
  const say = (problem) => {
    answer.textContent = problem;
    answer.hidden = !problem;
    field.setAttribute("aria-invalid", Boolean(problem));
  };
  let known = ""; // the class that is shown
  field.addEventListener("change", () => {
    const found = field.value.trim() ? classOf(classes, field.value) : null;
    if (found === -1) return say(`No class has a name or id with "${field.value.trim()}".`);
    say("");
    known = null; // the text is completed even if the class is the same
    return change(found === null ? "" : classes[found].id);
  });
  function put(id) {
    if (id === known) return; // what names no class stays, with its answer, when something else changes
    known = id;
    field.value = classes.find((each) => each.id === id)?.name ?? "";
    say("");
  }
  return { put };
}

// Tiles to choose one from, a page at a time. `names(index)` describes one; `choose(index)` is called
// by clicks and arrow keys.
function strip(parent, text, { page = 24, names, choose }) {
  const list = element(parent, "div", { className: "tin-strip", tabIndex: 0 },
    { role: "listbox", "aria-label": `${text}: arrow keys or a click choose one` });
  const turns = element(parent, "div", { className: "tin-turns" }, { "data-unsaved": "" });
  const back = button(turns, "‹", () => choose(Math.max(0, first - page)), `earlier ${text}`);
  const where = element(turns, "span", { className: "tin-soft" });
  const on = button(turns, "›", () => choose(Math.min(total - 1, first + page)), `later ${text}`);
  for (const each of [back, on]) each.setAttribute("aria-label", each.title); // their texts are signs
  let [first, total, chosen] = [0, 0, -1];
  const columns = () => getComputedStyle(list).gridTemplateColumns.split(" ").length;
  list.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const by = { up: -columns(), down: columns() }[move] ?? move;
    choose(Math.min(Math.max(chosen + by, 0), total - 1));
  });
  function mark(at) {
    chosen = at;
    for (const option of list.children)
      option.setAttribute("aria-selected", Number(option.dataset.index) === at);
    const option = list.querySelector("[aria-selected=true]");
    list.setAttribute("aria-activedescendant", option ? option.id : "");
  }
  // Shows the page of tile `at` among `count`; returns the canvases that must be drawn anew.
  function fill(at, count, anew) {
    const start = Math.max(0, Math.floor(at / page) * page);
    const drawn = anew || start !== first || count !== total || !list.children.length;
    [first, total] = [start, count];
    where.textContent = count ? `${start + 1} to ${Math.min(start + page, count)} of ${count}` : "";
    [back.disabled, on.disabled] = [start === 0, start + page >= count];
    turns.hidden = count <= page;
    const canvases = [];
    if (drawn) {
      list.replaceChildren();
      for (let index = start; index < Math.min(start + page, count); index += 1) {
        const option = element(list, "div", { id: unique("tile"), title: names(index) },
          { role: "option", "aria-label": names(index), "data-index": index });
        option.addEventListener("click", () => choose(index));
        canvases.push(element(option, "canvas", { width: SIDE, height: SIDE }));
      }
    }
    mark(count ? at : -1);
    return canvases;
  }
  return { fill, first: () => first };
}

// Draws tiles of 64 pixels, which an answer has in one sheet, on canvases.
async function drawTiles(canvases, { sheet, buffers, columns, places }) {
  const source = sheet ?? (await createImageBitmap(new Blob([buffers[0]])));
  canvases.forEach((canvas, at) => {
    const index = places ? places[at] : at;
    const [x, y] = [index % columns, Math.floor(index / columns)];
    canvas.getContext("2d").drawImage(source, x * SIDE, y * SIDE, SIDE, SIDE, 0, 0, SIDE, SIDE);
  });
}

// What a part of the page shows, as a PNG file: text stays sharp, and pixels of tiles stay squares.

const MARGIN = 16; // pixels around what is saved
const unseen = (colour) => colour === "transparent" || /^rgba\(.*, 0\)$/.test(colour);

function background(node) {
  for (let each = node; each; each = each.parentElement) {
    const colour = getComputedStyle(each).backgroundColor;
    if (colour && !unseen(colour)) return colour;
  }
  return "white";
}

function paintText(context, text) {
  const style = getComputedStyle(text.parentElement);
  context.font = `${style.fontStyle} ${style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  context.fillStyle = style.color;
  const range = document.createRange();
  const up = context.measureText("x").fontBoundingBoxAscent;
  let line = null; // the words of one line, and where it begins
  const flush = () => line && context.fillText(line.words, line.left, line.top + up);
  for (const { index, 0: word } of text.data.matchAll(/\S+\s*/g)) {
    range.setStart(text, index);
    range.setEnd(text, index + word.trimEnd().length);
    const place = range.getClientRects()[0];
    if (!place) continue;
    if (line && Math.abs(place.top - line.top) < 2) line.words += word.replace(/\s+/g, " ");
    else {
      flush();
      line = { words: word.replace(/\s+/g, " "), left: place.left, top: place.top };
    }
  }
  flush();
}

function paintBox(context, node, style) {
  const place = node.getBoundingClientRect();
  if (!unseen(style.backgroundColor)) {
    context.fillStyle = style.backgroundColor;
    context.fillRect(place.left, place.top, place.width, place.height);
  }
  const width = parseFloat(style.borderTopWidth);
  if (!width || style.borderTopStyle === "none") return;
  context.strokeStyle = style.borderTopColor;
  context.lineWidth = width;
  context.strokeRect(place.left + width / 2, place.top + width / 2, place.width - width, place.height - width);
}

function paint(context, node) {
  for (const child of node.childNodes) {
    if (child.nodeType === Node.TEXT_NODE) paintText(context, child);
    if (child.nodeType !== Node.ELEMENT_NODE || "unsaved" in child.dataset) continue;
    const style = getComputedStyle(child);
    if (style.display === "none" || style.visibility === "hidden") continue;
    paintBox(context, child, style);
    if (child.tagName !== "CANVAS") paint(context, child);
    else {
      const place = child.getBoundingClientRect();
      context.drawImage(child, place.left, place.top, place.width, place.height);
    }
  }
}

// A canvas of the element at `scale` times its size on the page; parts with data-unsaved are left out.
function pictured(node, scale = 2) {
  const place = node.getBoundingClientRect();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [place.width, place.height].map((side) => Math.ceil((side + 2 * MARGIN) * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = background(node);
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(scale, scale);
  context.translate(MARGIN - place.left, MARGIN - place.top);
  context.imageSmoothingEnabled = false;
  context.textBaseline = "alphabetic";
  paint(context, node);
  return canvas;
}

function download(node, name) {
  pictured(node).toBlob((file) => {
    const link = element(null, "a", { href: URL.createObjectURL(file), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }, "image/png");
}

// A name that says what a file shows, of letters that every file system takes.
const fileName = (...parts) =>
  `${parts.flat().filter(Boolean).join("_").replace(/\.JPEG/gi, "").replace(/[^\w.-]+/g, "-").slice(0, 150)}.png`;

// Where a browser lives. A home has `data` (what it knows from the start), `ask(request)` (a promise
// of the answer), `read()`, `write(state, isNew)` and `watch(call)` for the state, `hear(call)` for
// events (those of Python, and {notice: a line to show}), `link(state)`, the text of "Copy link", and
// `alone`, whether the page shows nothing else.

const PATIENCE = 20_000; // milliseconds until a missing answer is explained
const NO_ANSWER = "Python has not answered yet. If its kernel was restarted, run the cell again.";

// In JupyterLab: Python answers, and the state is the widget's.
function notebookHome(model) {
  const [waiting, prefix, watched, heard] = [new Map(), Math.random().toString(36).slice(2), [], []];
  let [count, written] = [0, ""];
  const tell = (notice) => heard.forEach((call) => call({ notice }));
  const received = ({ id, ...reply }, buffers) => {
    if (id === undefined) return heard.forEach((call) => call(reply));
    const asked = waiting.get(id);
    if (!asked) return undefined; // another view of this widget has asked
    waiting.delete(id);
    clearTimeout(asked.timer);
    if (asked.late) tell("");
    if (reply.error) return asked.reject(new Error(reply.error));
    const bytes = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
    return asked.resolve({ ...reply, buffers: bytes });
  };
  const changed = () => {
    const state = JSON.stringify(model.get("state"));
    if (state === written) return;
    written = state; // else the view written before it could not be shown again
    watched.forEach((call) => call());
  };
  model.on("msg:custom", received);
  model.on("change:state", changed);
  const home = {
    data: model.get("description"),
    read: () => model.get("state"),
    write(state) {
      written = JSON.stringify(state);
      model.set("state", state);
      model.save_changes();
    },
    watch: (call) => watched.push(call),
    hear: (call) => heard.push(call),
    ask: (request) => new Promise((resolve, reject) => {
      const id = `${prefix}${(count += 1)}`;
      const timer = setTimeout(() => {
        waiting.get(id).late = true;
        tell(NO_ANSWER);
      }, PATIENCE);
      waiting.set(id, { resolve, reject, timer });
      model.send({ ...request, id });
    }),
    link: async (state) => (await home.ask({ kind: "link", state })).link,
    close() {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      model.off("msg:custom", received);
      model.off("change:state", changed);
    },
  };
  return home;
}

// On a page of its own: the state is in the address, after #, so that reload, back and bookmarks work.
function addressed(home) {
  const watched = [];
  const query = (state) => {
    const given = Object.entries(state).map(([name, value]) => [name, [value].flat().join(",")]);
    return `#${new URLSearchParams(given.filter(([, value]) => value !== ""))}`;
  };
  const moved = () => watched.forEach((call) => call());
  window.addEventListener("popstate", moved);
  return {
    ...home,
    alone: true,
    read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1) || location.search)),
    write(state, isNew = true) {
      const address = query(state);
      if (address === location.hash) return;
      try {
        history[isNew ? "pushState" : "replaceState"](null, "", address);
      } catch {
        // Web browsers refuse too many in a few seconds, as of a key held down; the page goes on.
      }
    },
    watch: (call) => watched.push(call),
    link: async (state) => location.origin === "null" || location.protocol === "file:"
      ? location.href.split("#")[0] + query(state)
      : location.origin + location.pathname + query(state),
    close() {
      window.removeEventListener("popstate", moved);
      home.close?.();
    },
  };
}

// On a page of its own, arrow keys that no control takes go one step; returns how to stop that.
function arrowKeys(home, go) {
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey; // Alt with an arrow key: back
    if (step && isPlain && event.target === document.body && home.alone) go(step);
  };
  document.addEventListener("keydown", keys);
  return () => document.removeEventListener("keydown", keys);
}

// anywidget calls this for each view of a widget.
function render({ model, el }) {
  const home = model.get("page") ? addressed(notebookHome(model)) : notebookHome(model);
  const leave = browse(el, home);
  return () => {
    leave?.();
    home.close();
  };
}

// "Copy link" and "Save PNG"; `state()` and `name()` are asked when pressed, `node()` is what is saved.
function sharing(parent, home, { state, name, node }) {
  const row = element(parent, "div", { className: "tin-buttons" }, { "data-unsaved": "" });
  const said = element(null, "span", { className: "tin-soft" }, { role: "status" });
  button(row, "Copy link", async () => {
    const link = await home.link(state());
    try {
      await navigator.clipboard.writeText(link);
      said.textContent = "Copied.";
    } catch {
      said.textContent = link; // where the page may not use the clipboard
    }
  }, "copy what opens this view again");
  button(row, "Save PNG", () => download(node(), name()), "save what is shown, at twice its size");
  return { row, said };
}

// The confusion browser: the matrix of a network, and the images of a cell.
const STEPS = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1e9], End: [0, 1e9],
};
const [NAME, NUMBER, MARK] = [12, 22, 8]; // pixels: a name's line, the least cell with a number, the least mark
const TILE = 104; // pixels of an image's side on the page
const REST = 40; // milliseconds after which the images of a cell are asked for: not while a key is held down

const between = (value, low, high) => Math.min(Math.max(value, low), high);
const mixed = (from, to, weight) => from.map((value, k) => value + (to[k] - value) * weight);
const css = (colour) => `rgb(${colour.map(Math.round).join()})`;

// Black or white, whichever has more contrast on a colour.
function readable(colour) {
  const linear = colour.map((value) => (value / 255 <= 0.04 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > 0.179 ? "#000" : "#fff";
}

// The text, cut so that it is at most `room` pixels wide.
function fitted(context, text, room) {
  let cut = text;
  while (cut && context.measureText(cut === text ? cut : `${cut}…`).width > room) cut = cut.slice(0, -1);
  return cut === text ? text : `${cut}…`;
}

// Counts by place, label · C + prediction, from those that are not 0.
function unpacked(counts, size) {
  const all = new Uint32Array(size * size);
  for (let at = 0; at < counts.length; at += 2) all[counts[at]] = counts[at + 1];
  return all;
}

// The matrix on a canvas. `look()` returns what is drawn: {counts, at: [label, predicted], zoom};
// `choose(label, predicted)` is called by clicks and arrow keys, `hover(label, predicted)` names a cell.
function matrix(parent, classes, { look, choose, hover }) {
  const frame = element(parent, "div", { className: "tin-matrix", tabIndex: 0 },
    { role: "application", "aria-label": "confusion matrix: arrow keys or a click choose a cell" });
  const canvas = element(frame, "canvas");
  const probe = element(frame, "span"); // colours are read from it; it is empty
  const tip = element(frame, "div", { className: "tin-tip", hidden: true }, { "data-unsaved": "", "aria-hidden": "true" });
  let [first, size, zoom, left, side] = [[0, 0], classes.length, null, 0, 0]; // what is visible, and where

  const colour = (name) => {
    probe.style.color = `var(--tin-${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  };

  // The visible part moves only if the cell is outside of it.
  function reveal(at) {
    const isNew = look().zoom !== zoom;
    zoom = look().zoom;
    size = zoom || classes.length;
    first = first.map((start, axis) => {
      const outside = isNew || at[axis] < start || at[axis] >= start + size;
      return between(outside ? at[axis] - Math.floor(size / 2) : start, 0, classes.length - size);
    });
  }

  function draw() {
    const { counts, at } = look();
    reveal(at);
    const [width, scale] = [frame.clientWidth, Math.max(2, devicePixelRatio)]; // sharp in a saved picture, too
    if (!width) return;
    const context = canvas.getContext("2d");
    context.font = `bold ${NAME}px ${fontOf()}`;
    const longest = Math.max(...classes.map(({ name }) => context.measureText(name).width), 72);
    left = Math.round(Math.min(longest + 10, 140, width * 0.28));
    side = width - left - 4;
    [canvas.width, canvas.height] = [width * scale, (side + left) * scale];
    Object.assign(canvas.dataset, { first: first.join(), size, left, side });
    context.scale(scale, scale);
    const cell = side / size;
    const edge = (place) => Math.round(place * cell * scale) / scale;
    const gap = cell >= 8 ? 1 : 0;
    drawCells(context, counts, { cell, edge, gap });
    drawNames(context, at, cell);
    const [y, x] = at.map((place, axis) => place - first[axis]);
    const mark = Math.max(cell, MARK);
    const corner = [left + (x + 0.5) * cell - mark / 2, (y + 0.5) * cell - mark / 2, mark, mark];
    for (const [name, line] of [["page", 5], ["text", 2]]) {
      [context.strokeStyle, context.lineWidth] = [css(colour(name)), line];
      context.strokeRect(...corner);
    }
  }

  function drawCells(context, counts, { cell, edge, gap }) {
    const [page, correct, wrong] = ["page", "right", "error"].map(colour);
    const most = counts.reduce((a, b) => Math.max(a, b), 1);
    context.fillStyle = css(page);
    context.fillRect(0, 0, left + side + 4, side + left);
    const shade = (base, count) => mixed(page, base, 0.15 + 0.85 * Math.sqrt(count / most));
    [context.font, context.textAlign, context.textBaseline] = [`${NAME}px ${fontOf()}`, "center", "middle"];
    for (let row = 0; row < size; row += 1)
      for (let column = 0; column < size; column += 1) {
        const [label, predicted] = [first[0] + row, first[1] + column];
        const count = counts[label * classes.length + predicted];
        if (!count) continue;
        const filled = shade(label === predicted ? correct : wrong, count);
        const [x, y] = [left + edge(column), edge(row)];
        context.fillStyle = css(filled);
        context.fillRect(x, y, left + edge(column + 1) - x - gap, edge(row + 1) - y - gap);
        if (cell < NUMBER) continue;
        context.fillStyle = readable(filled);
        context.fillText(count, x + cell / 2, y + cell / 2);
      }
    [context.strokeStyle, context.lineWidth] = [css(colour("line")), 1];
    context.strokeRect(left - 0.5, 0.5, side + 1, side);
  }

  const fontOf = () => getComputedStyle(frame).fontFamily;

  // The names on both axes: all where they fit, else those of the chosen cell.
  function drawNames(context, at, cell) {
    [context.textAlign, context.textBaseline, context.fillStyle] = ["right", "middle", css(colour("text"))];
    [0, 1].forEach((axis) => {
      for (let place = 0; place < size; place += 1) {
        const isChosen = first[axis] + place === at[axis];
        if (!isChosen && cell < NAME) continue;
        context.font = `${isChosen ? "bold " : ""}${NAME}px ${fontOf()}`;
        const text = fitted(context, classes[first[axis] + place].name, left - 10);
        const centre = between((place + 0.5) * cell, NAME / 2, side - NAME / 2);
        context.save();
        if (axis === 0) context.translate(left - 6, centre);
        else context.translate(left + centre, side + 6);
        if (axis === 1) context.rotate(-Math.PI / 2);
        context.fillText(text, 0, 0);
        context.restore();
      }
    });
    [context.font, context.fillStyle, context.textBaseline] = [`${NAME}px ${fontOf()}`, css(colour("soft")), "top"];
    context.fillText("label ↑", left - 6, side + 6);
    context.fillText(fitted(context, "predicted →", left - 6), left - 6, side + 8 + NAME);
  }

  function cellAt(event) {
    const place = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left - left, event.clientY - place.top].map((v) => Math.floor((v * size) / side));
    return x >= 0 && y >= 0 && x < size && y < size ? [first[0] + y, first[1] + x] : null;
  }

  canvas.addEventListener("pointermove", (event) => {
    const found = cellAt(event);
    tip.hidden = !found;
    if (!found) return;
    tip.textContent = hover(...found);
    const [place, { width, height }] = [frame.getBoundingClientRect(), tip.getBoundingClientRect()];
    tip.style.left = `${between(event.clientX - place.left + 12, 0, Math.max(0, place.width - width))}px`;
    const below = event.clientY - place.top + 18;
    tip.style.top = `${below + height < place.height ? below : below - height - 30}px`;
  });
  canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
  canvas.addEventListener("click", (event) => {
    const found = cellAt(event);
    if (found) choose(...found);
  });
  frame.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    choose(...look().at.map((value, axis) => between(value + step[axis], 0, classes.length - 1)), false);
  });
  // A change of the system's theme changes the colour of the text, and ends as a transition (browser.css);
  // JupyterLab's theme changes attributes of the page.
  frame.addEventListener("transitionend", draw);
  const themed = new MutationObserver(() => requestAnimationFrame(draw));
  themed.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  const resized = new ResizeObserver(draw);
  resized.observe(frame);
  const close = () => [resized, themed].forEach((each) => each.disconnect());
  return { draw, close };
}

function browse(root, home) {
  const { data } = home;
  const { classes } = data;
  const networks = Object.keys(data.networks);
  const placeOf = new Map(classes.map(({ id }, at) => [id, at]));
  const counts = Object.fromEntries(networks.map((name) => [name, unpacked(data.networks[name].counts, classes.length)]));
  let view = {};
  let listed = ""; // the network whose errors are listed
  let turn = 0; // number of the last choice: images that arrive for an earlier one are dropped

  // The page
  const { controls, shown } = scaffold(root, "the confusion matrix and the images of a cell");
  const network = choice(controls, "network", networks.map((name) => [name, data.networks[name].title]),
    (name) => show({ network: name }));
  const label = search(controls, "true class", classes, (id) => (id ? show({ label: id }) : put()), "class");
  const predicted = search(controls, "predicted as", classes, (id) => (id ? show({ predicted: id }) : put()), "class");
  const zoom = choice(controls, "zoom", [[0, "all classes"], ...data.zooms.map((size) => [size, `${size} around the cell`])],
    (size) => show({ zoom: Number(size) }));
  const frequent = choice(controls, "most frequent errors", [], (pair) => {
    const [row, column] = pair.split(" ").map(Number);
    show({ label: classes[row].id, predicted: classes[column].id });
  }, { size: 14 });
  const bar = sharing(shown, home, { state: asked, node: () => pair,
    name: () => fileName("confusion", view.network, nameOf(view.label), "as", nameOf(view.predicted)) });
  bar.row.append(bar.said);
  const say = line(shown, "tin-answer", "alert");
  const pair = element(shown, "div", { className: "tin-pair" });
  const title = element(pair, "h3", {}, { role: "status" });
  const drawn = matrix(pair, classes, {
    look: () => ({ counts: counts[view.network], at: [view.label, view.predicted].map((id) => placeOf.get(id)), zoom: view.zoom }),
    choose: (row, column, isNew) => show({ label: classes[row].id, predicted: classes[column].id }, isNew),
    hover: (row, column) => sentence(classes[row].id, classes[column].id),
  });
  const groups = element(pair, "div", { className: "tin-groups" });
  const explained = "Rows are labels, columns are predictions; similar classes are neighbours. Correct predictions are "
    + "blue, errors orange: the stronger the colour, the more images. Beside a file is the probability of its "
    + "prediction, for the majority vote the share of votes.";
  element(shown, "p", { className: "tin-soft", textContent: [explained, data.note].filter(Boolean).join(" ") });

  // Names and counts
  function worst(name) {
    const [row, column] = data.networks[name].errors[0] ?? [0, 0];
    return { network: name, label: classes[row].id, predicted: classes[column].id };
  }
  const nameOf = (id) => classes[placeOf.get(id)].name;
  const countOf = (row, column) => counts[view.network][placeOf.get(row) * classes.length + placeOf.get(column)];
  const imagesOf = (row) => {
    const start = placeOf.get(row) * classes.length;
    return counts[view.network].subarray(start, start + classes.length).reduce((a, b) => a + b, 0);
  };
  const titleOf = (row, column) => (row === column ? `${nameOf(row)}, correctly predicted`
    : `${nameOf(row)} predicted as ${nameOf(column)}`);
  const sentence = (row, column) => `${titleOf(row, column)}: ${countOf(row, column)} of ${imagesOf(row)} images`;
  const titled = () => `${titleOf(view.label, view.predicted)} by ${data.networks[view.network].title}`;

  // Choices
  // Shows a changed view, and writes it down; `isNew`: as a step that "back" of the web browser undoes.
  function show(changed, isNew = true) {
    view = { ...view, ...changed };
    home.write(asked(), isNew);
    open();
  }

  function open() {
    say("");
    put();
    drawn.draw();
    const [count, all] = [countOf(view.label, view.predicted), imagesOf(view.label)];
    title.textContent = `${titled()}: ${count} of ${all} images, ${Math.round((100 * count) / Math.max(all, 1))} %`;
    fill();
  }

  function put() {
    network.put(view.network);
    label.put(view.label);
    predicted.put(view.predicted);
    zoom.put(view.zoom);
    list();
    frequent.put([view.label, view.predicted].map((id) => placeOf.get(id)).join(" "));
  }

  // Fills the list of errors anew only if the network is another one: the list would lose its place.
  function list() {
    if (listed === view.network) return;
    listed = view.network;
    frequent.fill(data.networks[view.network].errors.map(([row, column]) => {
      const [a, b] = [classes[row].id, classes[column].id];
      return [`${row} ${column}`, `${countOf(a, b)} of ${imagesOf(a)}: ${nameOf(a)} → ${nameOf(b)}`];
    }));
    for (const option of frequent.list.options) option.title = option.text; // it may be longer than the list is wide
    frequent.list.size = between(data.networks[view.network].errors.length, 2, 14);
  }

  function asked() {
    return Object.fromEntries(Object.entries(view).filter(([, value]) => value));
  }

  // Reads the view that is asked for; what is unknown in it is said, and the rest is shown.
  function reopen() {
    const [given, unknown] = [home.read(), []];
    const known = (name, what, isKnown) => {
      if (!given[name]) return {};
      if (isKnown(given[name])) return { [name]: given[name] };
      unknown.push(`${what} "${given[name]}"`);
      return {};
    };
    const first = known("network", "network", (name) => networks.includes(name)).network ?? networks[0];
    const sizes = data.zooms.map(String);
    view = { ...worst(first), ...known("label", "class", (id) => placeOf.has(id)),
      ...known("predicted", "class", (id) => placeOf.has(id)),
      zoom: Number(known("zoom", "zoom", (size) => sizes.includes(String(size))).zoom ?? 0) };
    open();
    if (unknown.length) say(`Not known here: ${unknown.join(", ")}. The rest of the link is shown.`);
  }

  // Images
  async function fill() {
    const mine = (turn += 1);
    groups.setAttribute("aria-busy", "true");
    await later(REST);
    if (mine !== turn) return;
    const made = [];
    try {
      const { groups: found, buffers: [bytes] } = await home.ask({ kind: "cell", network: view.network, label: view.label, predicted: view.predicted });
      let offset = 0;
      for (const each of mine === turn ? found : []) {
        made.push(group(each, bytes, offset));
        offset += each.files.length * 3 * SIDE * SIDE;
      }
    } catch (error) {
      made.push(element(null, "p", { className: "tin-answer", textContent: error.message }));
    }
    if (mine !== turn) return;
    groups.replaceChildren(...made);
    groups.setAttribute("aria-busy", "false");
  }

  function group({ label: row, predicted: column, files, probabilities, held }, bytes, offset) {
    const [count, isCell] = [countOf(row, column), row === view.label && column === view.predicted];
    const part = element(null, "section", {}, { "data-group": `${row} ${column}` });
    element(part, "h4", { textContent: isCell ? "Images of this cell" : `For comparison: ${titleOf(row, column)}` });
    const [images, available] = [count === 1 ? "image" : "images", held ?? count];
    const notes = [count ? "" : "no image",
      available < count ? `${available} of ${count} ${images} ${available === 1 ? "is" : "are"} in this copy` : "",
      files.length < available ? `the ${files.length} most confident are shown` : ""];
    const note = notes.filter(Boolean).join("; ");
    if (note) element(part, "p", { className: "tin-soft", textContent: `${note[0].toUpperCase()}${note.slice(1)}.` });
    const tiles = element(part, "div", { className: "tin-tiles" });
    files.forEach((file, at) => tile(tiles, `${file} ${Math.round(100 * probabilities[at])}\u00a0%`,
      pixels(bytes, 3, offset + at * 3 * SIDE * SIDE), { size: TILE }));
    return part;
  }

  home.watch(reopen);
  home.hear(({ notice }) => say(notice));
  reopen();
  return drawn.close;
}

// In the report: sheets of tiles, which are loaded when needed, instead of Python's bytes.
// Every sheet is a script that calls `receive`: a page from the file system may not read pictures.
const sheets = {}; // name -> promise of {gains, canvas, context}
const waiting = {}; // name -> resolves the promise

window.receive = (name, gains, address) => waiting[name](decoded(gains, address));

async function decoded(gains, address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return { gains, canvas, context };
}

function sheetOf(name, file) {
  sheets[name] ??= new Promise((resolve, reject) => {
    waiting[name] = resolve;
    const script = element(document.head, "script", { src: file });
    script.onerror = () => reject(new Error(`${file} is missing beside this page`));
    script.onload = () => reject(new Error(`${file} is damaged`)); // unless it has called receive
  });
  return sheets[name];
}

// Bytes (3, 64, 64) of one tile.
function planes({ context }, index) {
  const [column, row] = [index % DATA.columns, Math.floor(index / DATA.columns)];
  const { data } = context.getImageData(column * SIDE, row * SIDE, SIDE, SIDE);
  const [bytes, area] = [new Uint8ClampedArray(3 * SIDE * SIDE), SIDE * SIDE];
  for (let at = 0; at < area; at += 1)
    for (let k = 0; k < 3; k += 1) bytes[k * area + at] = data[4 * at + k];
  return bytes;
}

// In the report: the same answers as Python's, with those images that the copy has.
function groupOf(network, label, predicted, most) {
  const given = DATA.networks[network];
  const at = (id) => DATA.classes.findIndex((each) => each.id === id);
  const held = DATA.labels.map((_, image) => image)
    .filter((image) => DATA.labels[image] === at(label) && given.predicted[image] === at(predicted))
    .sort((a, b) => given.probability[b] - given.probability[a]);
  const images = held.slice(0, most);
  const [files, probabilities] = [images.map((i) => DATA.files[i]), images.map((i) => given.probability[i])];
  return { label, predicted, files, probabilities, images, held: held.length };
}

const answers = {
  async cell({ network, label, predicted }) {
    const others = [...new Set([label, predicted])].filter((id) => label !== predicted);
    const groups = [groupOf(network, label, predicted, DATA.most[0]),
      ...others.map((id) => groupOf(network, id, id, DATA.most[1]))];
    const sheet = await sheetOf("images", "images.js");
    const images = groups.flatMap((group) => group.images);
    const bytes = new Uint8ClampedArray(3 * SIDE * SIDE * images.length);
    images.forEach((image, at) => bytes.set(planes(sheet, image), 3 * SIDE * SIDE * at));
    return { groups, buffers: [bytes] };
  },
};

browse(document.getElementById("browser"),
  addressed({ data: DATA, ask: (request) => answers[request.kind](request), hear: () => {} }));
})();
