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
