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

// The saliency browser: images of a class, and the maps of each network and method.
const SHOWS = {
  all: "all images", right: "all chosen networks right", wrong: "a chosen network wrong",
  disagree: "chosen networks disagree",
};
const VIEWS = { absolute: [1, 0], positive: [3, 1], negative: [3, 4] }; // channels, and the first
const ORANGE = [230, 159, 0];
const STEPS = [1, -1, 2]; // neighbours that are prefetched
const NEEDED = "Choose at least one network and one method.";

// The absolute map laid over the image; both bytes, planes of 64×64.
function laid(image, maps, strength) {
  const [shown, area] = [pixels(image), SIDE * SIDE];
  for (let at = 0; at < area; at += 1) {
    const weight = (strength * maps[at]) / 255;
    for (let k = 0; k < 3; k += 1)
      shown.data[4 * at + k] = image[k * area + at] * (1 - weight) + ORANGE[k] * weight;
  }
  return shown;
}

// The preprocessed image: -2.5 to 2.5 standard deviations are shown as black to white.
function preprocessed(image, mean, std) {
  const area = SIDE * SIDE;
  const seen = Uint8ClampedArray.from(image, (value, at) => {
    const k = Math.floor(at / area);
    return ((value - mean[k]) / std[k] + 2.5) * 51;
  });
  return pixels(seen);
}

function browse(root, home) {
  const { data } = home;
  const [networks, methods] = [Object.keys(data.networks), Object.keys(data.methods)];
  const rowOf = new Map(data.files.map((file, image) => [file, image]));
  const usual = {
    label: "", predicted: "", show: "all", file: "", networks, methods: [methods[0]], box: true,
    overlay: 0.5, pinned: "",
  };
  let view = { ...usual };
  let matching = []; // the images that match the choice
  let place = 0; // position of the shown image among them
  let turn = 0; // number of the last drawing: what arrives for an earlier one is dropped

  // The page
  const { controls, shown: right } = scaffold(root, "the chosen image");
  const change = (name) => (value) => choose({ ...view, [name]: value });
  const label = search(controls, "class", data.classes, change("label"));
  const predicted = search(controls, "predicted as", data.classes, change("predicted"));
  const show = choice(controls, "show", Object.entries(SHOWS), change("show"));
  const tiles = strip(controls, "images", { names: (at) => nameOf(matching[at]), choose: go });
  const ticks = {};
  for (const [name, all] of [["networks", data.networks], ["methods", data.methods]]) {
    const group = element(controls, "fieldset");
    element(group, "legend", { textContent: name });
    const toggled = () => choose({ ...view, [name]: Object.keys(all).filter((each) => ticks[name][each].checked) });
    ticks[name] = {};
    for (const [each, { title }] of Object.entries(all)) ticks[name][each] = tick(group, title, each, toggled);
  }
  const overlay = slider(controls, "overlay", [0, 1, 0.05], (value) => choose({ ...view, overlay: value }, false));
  const box = tick(controls, "object's box", "box", change("box"));
  box.parentElement.hidden = !data.boxes;
  const bar = sharing(right, home, { state: asked, node: () => cards, name: () => fileName("saliency", view.pinned,
    view.file, titleOf(rowOf.get(view.file)), view.networks, view.methods) });
  const pin = button(bar.row, "Pin", () => choose({ ...view, pinned: view.pinned ? "" : view.file }),
    "keep this image beside the next ones");
  bar.row.append(bar.said);
  const count = element(right, "p", { className: "tin-soft" }, { role: "status" });
  const say = line(right, "tin-answer", "alert");
  const cards = element(right, "div", { className: "tin-cards" });
  const explained = "Absolute: the influence of each pixel, the largest of its channels. Positive: what increases "
    + "the score of the predicted class; negative: what decreases it. Each map has its own scale: compare places "
    + "within a map, not brightness between maps.";
  element(right, "p", { className: "tin-soft", textContent: [explained, data.note].filter(Boolean).join(" ") });

  // Choices
  const classAt = (image) => data.classes[data.labels[image]];
  const titleOf = (image) => (image === undefined ? "" : classAt(image)?.name ?? "class unknown");
  const nameOf = (image) => `${titleOf(image)}, ${data.files[image]}`;

  function matches(image) {
    const given = view.networks.map((network) => data.networks[network].predicted[image]);
    const known = data.labels[image] >= 0;
    const correct = given.every((each) => each === data.labels[image]);
    const kinds = { all: true, right: correct, wrong: known && !correct, disagree: given.some((each) => each !== given[0]) };
    return kinds[view.show] && (!view.label || classAt(image)?.id === view.label)
      && (!view.predicted || given.some((each) => data.classes[each].id === view.predicted));
  }

  // Shows a view, and writes it down; `isNew`: as a step that "back" of the web browser undoes.
  function choose(changed, isNew = true) {
    if (!changed.networks.length || !changed.methods.length) {
      put();
      return say(NEEDED);
    }
    view = changed;
    find();
    home.write(asked(), isNew);
    return draw();
  }

  // Finds the images that match the view; its own image stays if it matches.
  function find() {
    const before = matching;
    matching = data.files.map((_, image) => image).filter(matches);
    place = Math.max(0, matching.indexOf(rowOf.get(view.file)));
    view = { ...view, file: data.files[matching[place]] ?? "" };
    const same = before.length === matching.length && before.every((each, at) => each === matching[at]);
    put();
    fillStrip(!same);
  }

  function put() {
    label.put(view.label);
    predicted.put(view.predicted);
    show.put(view.show);
    [overlay.value, box.checked] = [view.overlay, view.box];
    for (const name of ["networks", "methods"])
      for (const [each, input] of Object.entries(ticks[name])) input.checked = view[name].includes(each);
    pin.textContent = view.pinned ? "Unpin" : "Pin";
  }

  function go(to) {
    if (to < 0 || to >= matching.length) return;
    place = to;
    view = { ...view, file: data.files[matching[place]] };
    fillStrip(false);
    home.write(asked(), false);
    draw();
  }

  // The view without what is usual: what the address and the widget's state keep.
  function asked() {
    return Object.fromEntries(Object.entries(view).filter(([name, value]) => String(value) !== String(usual[name])));
  }

  // Reads the view that is asked for; what is unknown in it is said, and the rest is shown.
  function reopen() {
    const [given, unknown, wanted] = [home.read(), [], { ...usual }];
    const one = (name, known, what) => {
      if (!given[name]) return;
      if (known(given[name])) wanted[name] = given[name];
      else unknown.push(`${what} "${given[name]}"`);
    };
    const isClass = (id) => data.classes.some((each) => each.id === id);
    one("label", isClass, "class");
    one("predicted", isClass, "class");
    one("show", (value) => Object.hasOwn(SHOWS, value), "choice of images");
    for (const name of ["file", "pinned"]) one(name, (file) => rowOf.has(file), "image");
    for (const [name, known] of [["networks", networks], ["methods", methods]]) {
      if (!given[name]?.length) continue;
      const names = Array.isArray(given[name]) ? given[name] : given[name].split(",");
      unknown.push(...names.filter((each) => !known.includes(each)).map((each) => `${name.slice(0, -1)} "${each}"`));
      const left = names.filter((each) => known.includes(each));
      if (left.length) wanted[name] = left;
    }
    if (given.box !== undefined) wanted.box = ![false, "false", "0", "False"].includes(given.box);
    const strength = Number(given.overlay ?? usual.overlay);
    if (strength >= 0 && strength <= 1) wanted.overlay = strength;
    else unknown.push(`overlay "${given.overlay}"`);
    view = wanted;
    find();
    draw();
    if (unknown.length) say(`Not known here: ${unknown.join(", ")}. The rest of the link is shown.`);
  }

  // Pictures
  async function fillStrip(anew) {
    const canvases = tiles.fill(place, matching.length, anew);
    if (!canvases.length) return;
    const images = matching.slice(tiles.first(), tiles.first() + canvases.length);
    await drawTiles(canvases, await home.ask({ kind: "thumbnails", images }));
  }

  async function draw() {
    const [mine, image] = [(turn += 1), matching[place]];
    say("");
    count.textContent = matching.length ? `image ${place + 1} of ${matching.length}`
      : "No image matches. Choose more: any class, all images.";
    const images = [...new Set([rowOf.get(view.pinned), image])].filter((each) => each !== undefined);
    const shown = images.map((each) => element(null, "article", { className: "tin-card" }));
    const drawn = Promise.all(images.map((each, at) => drawCard(shown[at], each, () => mine === turn)));
    await Promise.race([drawn, later(150)]); // what takes longer appears row by row
    if (mine !== turn) return;
    cards.replaceChildren(...shown);
    await drawn;
    if (mine !== turn || image === undefined) return;
    const near = STEPS.map((step) => matching[place + step]).filter((each) => each !== undefined);
    home.ask({ kind: "expect", images: near, networks: view.networks, methods: view.methods });
  }

  async function drawCard(card, image, isCurrent) {
    element(card, "h3", { textContent: `${titleOf(image)} (${data.files[image]})` });
    try {
      const found = await home.ask({ kind: "image", image });
      const [bytes, shownBox] = [found.buffers[0], view.box ? found.box : null];
      const top = element(card, "div", { className: "tin-tiles" });
      tile(top, "original", pixels(bytes), { box: shownBox, size: 192 });
      tile(top, "preprocessed", preprocessed(bytes, data.mean, data.std), { box: shownBox, size: 192 });
      const rows = view.networks.flatMap((network) => view.methods.map((method) => [network, method]));
      const parts = rows.map(([network, method]) =>
        startRow(card, network, method, method === view.methods[0] ? found.best[network] : [], image));
      for (const [at, [network, method]] of rows.entries()) {
        if (!isCurrent()) return;
        await drawRow(parts[at], { image, network, method }, bytes, shownBox);
      }
    } catch (error) {
      element(card, "p", { className: "tin-answer", textContent: error.message });
    }
  }

  function startRow(card, network, method, best, image) {
    const title = `${data.networks[network].title} · ${data.methods[method].title}`;
    const row = element(card, "div", { className: "tin-row" }, { role: "group", "aria-label": title, "data-row": `${network}/${method}` });
    element(row, "h4", { textContent: title });
    const maps = element(row, "div", { className: "tin-tiles" });
    element(maps, "p", { className: "tin-soft", textContent: "computing …" });
    const list = element(row, "ol", { className: "tin-best" });
    for (const [at, share] of best) {
      const correct = at === data.labels[image];
      barLine(list, share, `${percent(share)} ${data.classes[at].name}${correct ? " (its label)" : ""}`, correct);
    }
    return maps;
  }

  async function drawRow(parent, request, bytes, shownBox) {
    const reason = data.networks[request.network].unavailable[request.method];
    try {
      if (reason) throw new Error(reason);
      const { buffers: [maps], notice } = await home.ask({ kind: "maps", ...request });
      if (notice) say(notice);
      parent.replaceChildren();
      tile(parent, "overlay", laid(bytes, maps, view.overlay), { box: shownBox });
      for (const [name, [channels, first]] of Object.entries(VIEWS))
        tile(parent, name, pixels(maps, channels, first * SIDE * SIDE), { box: shownBox });
    } catch (error) {
      parent.replaceChildren();
      element(parent, "p", { className: "tin-answer", textContent: error.message });
    }
  }

  home.watch(reopen);
  home.hear(({ notice }) => say(notice));
  reopen();
  return arrowKeys(home, (step) => go(place + step));
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

// In the report: the same answers as Python's, from sheets of tiles.

// The three views, bytes (7, 64, 64), of a signed map in bytes around 128.
function viewsOf(map, [absolute, positive, negative]) {
  const [area, views] = [SIDE * SIDE, new Uint8ClampedArray(7 * SIDE * SIDE)];
  for (let at = 0; at < 3 * area; at += 1) {
    const value = (255 / 127) * (map[at] - 128);
    views[area + at] = positive * value;
    views[4 * area + at] = negative * -value;
    views[at % area] = Math.max(views[at % area], absolute * Math.abs(value));
  }
  return views;
}

const answers = {
  async thumbnails({ images }) {
    return { sheet: (await sheetOf("images", "images.js")).canvas, columns: DATA.columns, places: images };
  },
  async image({ image }) {
    const best = Object.entries(DATA.networks).map(([name, each]) => [name, each.best[image]]);
    const pixels = planes(await sheetOf("images", "images.js"), image);
    return { buffers: [pixels], box: DATA.allBoxes[image], best: Object.fromEntries(best) };
  },
  async maps({ image, network, method }) {
    const name = `${network}_${method}`;
    const found = await sheetOf(name, `maps/${encodeURIComponent(name)}.js`);
    return { buffers: [viewsOf(planes(found, image), found.gains[image])] };
  },
  async expect() {},
};

browse(document.getElementById("browser"),
  addressed({ data: DATA, ask: (request) => answers[request.kind](request), hear: () => {} }));
})();
