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

// The filter browser: the filters of a layer, and what activates the chosen one.
const GRAY = 128; // of a patch's part outside the image
const PAGE = 24; // filters in the strip, whose images are optimised together

// What lies within a square of an image, bytes (3, 64, 64) from an offset; the square may leave it.
function patch(bytes, offset, [x0, y0, x1]) {
  const side = x1 - x0 + 1;
  const planes = new Uint8ClampedArray(3 * side * side).fill(GRAY);
  for (let k = 0; k < 3; k += 1)
    for (let y = Math.max(0, y0); y < Math.min(SIDE, y0 + side); y += 1)
      for (let x = Math.max(0, x0); x < Math.min(SIDE, x0 + side); x += 1)
        planes[(k * side + y - y0) * side + x - x0] = bytes[offset + (k * SIDE + y) * SIDE + x];
  return pixels(planes, 3, 0, side);
}

function browse(root, home) {
  const { data } = home;
  const entries = (given) => Object.entries(given).map(([key, text]) => [key, text.title ?? text]);
  const usual = { network: Object.keys(data.networks)[0], layer: "last", filter: 0, order: "index", parametrisation: "fourier" };
  let view = { ...usual }; // what was asked for last
  let filters = []; // the numbers of the layer's filters, in order
  let turn = 0; // number of the last request: what arrives for an earlier one is dropped
  let listed = ""; // what the strip shows; "" has it drawn anew by the next answer that is not dropped
  let told = ""; // what the page says of Python's work

  // The page
  const { controls, shown: right } = scaffold(root, "the chosen filter");
  const change = (name) => (value) => show({ ...view, [name]: value });
  const lists = {
    network: choice(controls, "network", entries(data.networks), change("network")),
    layer: choice(controls, "layer", [], change("layer")),
    order: choice(controls, "order", entries(data.orders), change("order")),
    parametrisation: choice(controls, "optimised as", entries(data.parametrisations), change("parametrisation")),
  };
  const number = labelled(controls, "filter", "input", { type: "number", min: 0, step: 1 });
  const answer = line(controls, "tin-answer", "alert");
  const tiles = strip(controls, "filters", { page: PAGE, names: (at) => `filter ${filters[at]}`, choose: go });
  const bar = sharing(right, home, { state: asked, node: () => cards,
    name: () => fileName("filter", view.network, view.layer, String(view.filter)) });
  bar.row.append(bar.said);
  const working = line(right, "tin-soft", "status");
  const share = element(right, "progress", { hidden: true }, { "aria-label": "share computed" });
  const notice = line(right, "tin-answer", "status");
  const say = line(right, "tin-answer", "alert");
  const cards = element(right, "div", { className: "tin-cards" });
  const explained = "The maximising image was optimised, from faint noise, to activate the filter. Below, each image "
    + "with the filter's largest activation in it; the square is the part that this unit sees, its receptive field.";
  element(right, "p", { className: "tin-soft", textContent: [explained, data.note].filter(Boolean).join(" ") });

  // Choices
  number.addEventListener("change", () => {
    const wanted = number.value === "" ? NaN : Number(number.value);
    if (filters.includes(wanted)) return show({ ...view, filter: wanted });
    const least = Math.min(...filters);
    return answer(`Here, ${view.layer} has the filters ${least} to ${Math.max(...filters)}.`);
  });

  function go(at) {
    view = { ...view, filter: filters[at] };
    fillStrip(false);
    show(view, false);
  }

  function put(layers) {
    if (layers) lists.layer.fill(layers);
    for (const [name, list] of Object.entries(lists)) list.put(view[name]);
    [number.value, number.max] = [view.filter, Math.max(...filters)];
    answer("");
  }

  // The view without what is usual: what the address and the widget's state keep.
  function asked() {
    return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== usual[name]));
  }

  // Reads the view that is asked for; what is unknown in it is said, and the rest is shown.
  async function reopen() {
    const [given, unknown, wanted] = [home.read(), [], { ...usual }];
    const known = { network: data.networks, order: data.orders, parametrisation: data.parametrisations };
    for (const name of Object.keys(usual)) {
      if (given[name] === undefined) continue;
      if (!known[name] || Object.hasOwn(known[name], given[name])) wanted[name] = given[name];
      else unknown.push(name);
    }
    wanted.filter = Number(wanted.filter);
    listed = "";
    if (!(await show({ ...wanted }, false))) return; // another view was asked for meanwhile, or it failed
    if (!["first", "last", view.layer].includes(wanted.layer)) unknown.push("layer");
    else if (wanted.filter !== view.filter) unknown.push("filter");
    const told = unknown.map((name) => `${name} "${given[name]}"`).join(", ");
    if (told) say(`Not known here: ${told}. The rest of the link is shown.`);
  }

  // Shows a view, and writes it down; `isNew`: as a step that "back" of the web browser undoes. Returns
  // whether it is what the page shows then.
  async function show(wanted, isNew = true) {
    const mine = (turn += 1);
    view = wanted;
    try {
      const found = await home.ask({ kind: "view", ...wanted });
      if (mine !== turn) return false;
      view = { ...wanted, layer: found.layer, filter: found.filter };
      const list = [view.network, view.layer, view.order, view.parametrisation].join();
      filters = found.filters;
      say("");
      notice(found.notice);
      put(found.layers);
      home.write(asked(), isNew);
      cards.replaceChildren(cardOf(found));
      const drawn = fillStrip(list !== listed);
      listed = list;
      const first = tiles.first();
      await home.ask({ kind: "want", ...view, filters: filters.slice(first, first + PAGE) });
      await drawn;
      return mine === turn;
    } catch (error) {
      if (mine === turn) say(error.message);
      return false;
    }
  }

  // What Python says about its work.
  function report({ progress, done = 0, total = 0 }) {
    if (told !== progress) working(progress); // screen readers announce it once
    told = progress;
    [share.hidden, share.max, share.value] = [!total, total || 1, done];
  }

  // Pictures
  async function fillStrip(anew) {
    const canvases = tiles.fill(filters.indexOf(view.filter), filters.length, anew);
    if (!canvases.length) return;
    const wanted = filters.slice(tiles.first(), tiles.first() + canvases.length);
    const { size: [height, width], buffers: [bytes] } = await home.ask({ kind: "tiles", ...view, filters: wanted });
    for (const [at, canvas] of canvases.entries()) {
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").putImageData(pixels(bytes, 3, at * 3 * width * height, width, height), 0, 0);
    }
  }

  function cardOf(found) {
    const bytes = Object.fromEntries(found.parts.map((name, at) => [name, found.buffers[at]]));
    const card = element(null, "article", { className: "tin-card" });
    element(card, "h3", { textContent: found.title });
    const top = element(card, "div", { className: "tin-tiles" });
    const optimised = bytes.optimised ?? new Uint8ClampedArray(3 * SIDE * SIDE).fill(GRAY);
    tile(top, `maximising image${bytes.optimised ? "" : ": not computed yet"}`, pixels(optimised), { size: 192 });
    if (bytes.kernel) {
      const [height, width] = found.kernel;
      tile(top, "kernel (gray: zero)", pixels(bytes.kernel, 3, 0, width, height), { size: 192 });
    }
    const figures = element(top, "ol", { className: "tin-aside" }, { "aria-label": "figures" });
    for (const text of found.figures) element(figures, "li", { textContent: text });
    if (!found.surveyed) element(figures, "li", { textContent: "Its figures are not computed yet." });
    if (found.classes.length) {
      const part = element(top, "div", { className: "tin-aside" });
      element(part, "p", { className: "tin-soft", textContent: "preferred classes (mean activation: 1)" });
      const classes = element(part, "ol", {}, { "aria-label": "preferred classes" });
      for (const [name, times] of found.classes)
        barLine(classes, times / found.classes[0][1], `${times.toFixed(1)} ${name}`, false);
    }
    drawImages(card, found.images, bytes.images);
    return card;
  }

  function drawImages(card, images, bytes) {
    const boxed = images.some(({ box }) => box);
    const row = (part, heading) => {
      element(card, "h4", { textContent: heading });
      return element(card, "div", { className: "tin-tiles" }, { role: "group", "aria-label": heading, "data-part": part });
    };
    if (boxed) {
      const patches = row("patches", "highest activations: the receptive fields");
      for (const [at, { box, caption }] of images.entries())
        tile(patches, "", patch(bytes, at * 3 * SIDE * SIDE, box), { title: `receptive field, ${caption}` });
    }
    if (!images.length) return;
    const whole = row("images", boxed ? "their images" : "highest activations; the receptive field is the image");
    for (const [at, { box, caption, file }] of images.entries()) {
      const within = box && box.map((value) => Math.min(SIDE - 1, Math.max(0, value)));
      tile(whole, caption, pixels(bytes, 3, at * 3 * SIDE * SIDE), { box: within, title: `${caption}, ${file}` }).title = file;
    }
  }

  home.watch(reopen);
  home.hear((event) => {
    if (event.changed?.[0] === view.network && event.changed[1] === view.layer) {
      listed = "";
      show(view, false);
    } else if (event.progress !== undefined) report(event);
    else if (event.notice !== undefined) say(event.notice);
  });
  reopen();
  return arrowKeys(home, (step) => {
    const to = filters.indexOf(view.filter) + step;
    if (to in filters) go(to);
  });
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

// In the report: the same answers as Python's, of the layers and filters that the copy has.
const layersOf = (network) => DATA.copied[network];

function layerOf({ network, layer }) {
  const names = Object.keys(layersOf(network));
  const name = names.includes(layer) ? layer : names.at(layer === "first" ? 0 : -1);
  return { name, ...layersOf(network)[name] };
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function joinedBytes(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => {
    bytes.set(part, offset);
    return offset + part.length;
  }, 0);
  return bytes;
}

async function optimised({ sheet, filters }, wanted) {
  const found = await sheetOf(sheet, `optimised/${encodeURIComponent(sheet)}.js`);
  return wanted.map((filter) => planes(found, filters.indexOf(filter)));
}

const answers = {
  async view(request) {
    const found = layerOf(request);
    const filter = found.filters.includes(request.filter) ? request.filter : found.filters[0];
    const card = found.cards[found.filters.indexOf(filter)];
    const pictures = await sheetOf("images", "images.js");
    const parts = {
      optimised: (await optimised(found, [filter]))[0],
      ...(card.kernel && { kernel: bytesOf(card.kernelBytes) }),
      images: joinedBytes(card.places.map((place) => planes(pictures, place))),
    };
    return {
      ...card, filter, layer: found.name, filters: found.orders[request.order], notice: "",
      layers: Object.entries(layersOf(request.network)).map(([name, { text }]) => [name, text]),
      parts: Object.keys(parts), buffers: Object.values(parts),
    };
  },
  async tiles({ filters, ...request }) {
    const found = layerOf(request);
    const [first] = found.cards;
    if (!first.kernel) return { size: [SIDE, SIDE], buffers: [joinedBytes(await optimised(found, filters))] };
    const kernels = filters.map((filter) => bytesOf(found.cards[found.filters.indexOf(filter)].kernelBytes));
    return { size: first.kernel, buffers: [joinedBytes(kernels)] };
  },
  async want() {
    return {};
  },
};

browse(document.getElementById("browser"),
  addressed({ data: DATA, ask: (request) => answers[request.kind](request), hear: () => {} }));
})();
