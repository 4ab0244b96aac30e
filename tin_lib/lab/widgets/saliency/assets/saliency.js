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
