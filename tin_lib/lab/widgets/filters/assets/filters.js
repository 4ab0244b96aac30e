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
