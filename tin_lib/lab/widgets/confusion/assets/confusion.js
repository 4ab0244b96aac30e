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
