// The controls and the pictures.
const get = (id) => document.getElementById(id);
const names = DATA.classes.map((each) => each.name);
const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -6, ArrowDown: 6, Home: -1e9, End: 1e9 };
let matching = []; // indices of the images that match the choice
let place = 0; // position of the shown image among them
let turn = 0; // number of the last request, so that a late sheet does not overwrite a newer one

function element(tag, parent, properties = {}, attributes = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

// Choices

const chosen = (id) => [...get(id).querySelectorAll("input:checked")].map((tick) => tick.value);

// The class whose name or id equals the text, else begins with it, else contains it; or -1.
function classOf(text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return -1;
  const lower = names.map((name) => name.toLowerCase());
  const tests = [
    (name, i) => name === wanted || DATA.classes[i].id.toLowerCase() === wanted,
    (name) => name.startsWith(wanted),
    (name) => name.includes(wanted),
  ];
  return tests.map((test) => lower.findIndex(test)).find((found) => found >= 0) ?? -1;
}

const predicted = (network, image) => DATA.networks[network].best[image][0][0];

function matches(image) {
  const given = chosen("networks").map((network) => predicted(network, image));
  const right = given.every((each) => each === DATA.labels[image]);
  const label = classOf(get("label").value);
  const winner = classOf(get("predicted").value);
  const kinds = {
    all: true, right, wrong: !right, disagree: given.some((each) => each !== given[0]),
  };
  return kinds[get("show").value] && (label < 0 || DATA.labels[image] === label)
    && (winner < 0 || given.includes(winner));
}

// Completes the names of classes, finds the matching images, and keeps the present one if it matches.
function choose(file = DATA.files[matching[place]]) {
  for (const id of ["label", "predicted"]) get(id).value = names[classOf(get(id).value)] ?? "";
  matching = DATA.files.map((_, image) => image).filter(matches);
  place = Math.max(0, matching.findIndex((image) => DATA.files[image] === file));
  fillStrip();
  show();
}

function go(to) {
  place = Math.min(Math.max(to, 0), Math.max(matching.length - 1, 0));
  show();
}

// Pictures

function fillStrip() {
  const strip = get("strip");
  strip.replaceChildren();
  matching.forEach((image, at) => {
    const option = element("div", strip, { id: `image-${at}`, title: names[DATA.labels[image]] },
      { role: "option", "aria-label": `${DATA.files[image]}, ${names[DATA.labels[image]]}` });
    const [column, row] = [image % DATA.columns, Math.floor(image / DATA.columns)];
    option.style.backgroundPosition = `-${column * 48}px -${row * 48}px`;
    option.addEventListener("click", () => go(at));
  });
}

function mark() {
  get("strip").querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
  const option = get(`image-${place}`);
  option?.setAttribute("aria-selected", "true");
  option?.scrollIntoView({ block: "nearest" });
  get("strip").setAttribute("aria-activedescendant", option ? option.id : "");
}

function drawTile(parent, caption, made, box) {
  const figure = element("figure", parent);
  element("figcaption", figure, { textContent: caption });
  const frame = element("div", figure, { className: "frame" });
  const canvas = element("canvas", frame, { width: SIDE, height: SIDE },
    { role: "img", "aria-label": caption, "data-tile": caption });
  canvas.getContext("2d").putImageData(made, 0, 0);
  if (!get("box").checked || box[0] < 0) return;
  const [x0, y0, x1, y1] = box.map((value, k) => ((value + (k > 1)) / SIDE) * 100);
  const outline = element("div", frame, { className: "outline" });
  Object.assign(outline.style,
    { left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%` });
}

function drawBest(parent, title, network, image) {
  const part = element("div", parent, { className: "best" });
  element("h3", part, { textContent: title });
  const list = element("ol", part);
  for (const [label, share] of DATA.networks[network].best[image]) {
    const right = label === DATA.labels[image];
    const words = `${(100 * share).toFixed(1)}% ${names[label]}${right ? " (its label)" : ""}`;
    const item = element("li", list,
      { className: right ? "right" : "", textContent: words, title: words });
    element("div", item, { className: "bar" }).style.width = `${100 * share}%`;
  }
}

async function drawRow(parent, network, method, image, pixels) {
  const title = `${DATA.networks[network].title} · ${DATA.methods[method]}`;
  const row = element("div", parent, { className: "tiles" }, { role: "group", "aria-label": title });
  row.dataset.row = `${network}/${method}`;
  try {
    const reason = DATA.networks[network].unavailable[method];
    if (reason) throw new Error(reason);
    const file = `${network}_${method}`;
    const maps = await sheet(file, `maps/${encodeURIComponent(file)}.js`);
    const strength = Number(get("overlay").value);
    const made = views(tile(maps, image), maps.gains[image], pixels, strength);
    for (const [name, each] of Object.entries(made)) drawTile(row, name, each, DATA.boxes[image]);
  } catch (error) {
    element("p", row, { className: "missing", textContent: error.message });
  }
  drawBest(row, title, network, image);
}

async function show() {
  const mine = ++turn;
  const image = matching[place];
  mark();
  const some = matching.length > 0;
  get("count").textContent = some ? `image ${place + 1} of ${matching.length}`
    : "No image matches. Widen the choice: any class, all images.";
  history.replaceState(null, "", get("link").href = link(image));
  const [top, rows] = [document.createElement("div"), document.createElement("div")];
  if (some) {
    const pixels = tile(await sheet("images"), image);
    drawTile(top, "original", picture(pixels, (...rgb) => rgb.slice(0, 3)), DATA.boxes[image]);
    drawTile(top, "preprocessed", preprocessed(pixels), DATA.boxes[image]);
    for (const network of chosen("networks"))
      for (const method of chosen("methods")) await drawRow(rows, network, method, image, pixels);
  }
  if (mine !== turn) return;
  get("title").textContent = some ? `${names[DATA.labels[image]]} (${DATA.files[image]})` : "";
  get("original").replaceChildren(...top.children);
  get("rows").replaceChildren(...rows.children);
}

// The address of this view, and back

function link(image) {
  const view = { label: DATA.classes[classOf(get("label").value)]?.id ?? "",
    predicted: DATA.classes[classOf(get("predicted").value)]?.id ?? "", show: get("show").value,
    file: DATA.files[image] ?? "", networks: chosen("networks"), methods: chosen("methods"),
    overlay: get("overlay").value, box: get("box").checked };
  return `#${new URLSearchParams(view)}`;
}

function reopen() {
  const view = new URLSearchParams(location.hash.slice(1));
  for (const id of ["label", "predicted", "show", "overlay"])
    if (view.has(id)) get(id).value = view.get(id);
  if (view.has("box")) get("box").checked = view.get("box") === "true";
  for (const id of ["networks", "methods"])
    if (view.has(id))
      for (const tick of get(id).querySelectorAll("input"))
        tick.checked = view.get(id).split(",").includes(tick.value);
  choose(view.get("file") ?? undefined);
}

function fill() {
  for (const name of names) element("option", get("classes"), { value: name });
  const titles = Object.entries(DATA.networks).map(([name, each]) => [name, each.title]);
  for (const [id, each] of [["networks", titles], ["methods", Object.entries(DATA.methods)]])
    each.forEach(([value, title], at) => {
      const label = element("label", get(id));
      element("input", label, { type: "checkbox", value, checked: id === "networks" || at === 0 });
      label.append(title);
    });
}

fill();
get("box").parentElement.hidden = !DATA.boxes.some((box) => box[0] >= 0);
get("controls").addEventListener("change", () => choose());
get("controls").addEventListener("submit", (event) => event.preventDefault());
get("overlay").addEventListener("input", () => show());
get("strip").addEventListener("keydown", (event) => {
  if (!(event.key in MOVES) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  go(place + MOVES[event.key]);
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step && event.target === document.body) go(place + step);
});
window.addEventListener("hashchange", reopen);
sheet("images").then(({ address }) => {
  const rule = `#strip [role="option"] { background-image: url("${address}");
    background-size: ${DATA.columns * 48}px auto; }`;
  element("style", document.head, { textContent: rule });
});
reopen();
