// A picture of tiles, of which a click or the arrow keys select one.
let made = 0;

const MOVES = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (columns) => -columns,
  ArrowDown: (columns) => columns,
  Home: () => -Infinity,
  End: () => Infinity,
};

function create(tag, parent, attributes) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  parent.append(node);
  return node;
}

function render({ model, el }) {
  const id = `tin-strip-${++made}`;
  const list = create("div", el, {
    class: "tin-strip", role: "listbox", tabindex: "0", "aria-activedescendant": id,
    "data-lm-suppress-shortcuts": "true",
  });
  const image = create("img", list, { alt: "", draggable: "false" });
  const mark = create("div", list, { class: "tin-strip-mark", role: "option", id });

  function drawPicture() {
    URL.revokeObjectURL(image.src);
    image.src = URL.createObjectURL(new Blob([model.get("picture")]));
  }
  function drawMark() {
    const [tile, columns] = [model.get("tile"), model.get("columns")];
    const at = model.get("selected") - model.get("first");
    list.setAttribute("aria-label", model.get("label"));
    image.width = tile * columns;
    mark.hidden = at < 0 || at >= model.get("names").length;
    mark.style.width = mark.style.height = `${tile}px`;
    mark.style.left = `${(at % columns) * tile}px`;
    mark.style.top = `${Math.floor(at / columns) * tile}px`;
    const name = model.get("names")[at] ?? "";
    mark.setAttribute("aria-label", name);
    mark.setAttribute("aria-selected", "true");
    mark.scrollIntoView?.({ block: "nearest", inline: "nearest" });
  }
  function select(at) {
    const last = model.get("total") - 1;
    if (last < 0) return;
    model.set("selected", Math.min(Math.max(at, 0), last));
    model.save_changes();
  }
  function tileUnder(event) {
    const frame = image.getBoundingClientRect();
    const tile = model.get("tile");
    const column = Math.floor((event.clientX - frame.left) / tile);
    return Math.floor((event.clientY - frame.top) / tile) * model.get("columns") + column;
  }

  list.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    select(model.get("selected") + move(model.get("columns")));
  });
  list.addEventListener("click", (event) => {
    const at = tileUnder(event);
    if (at < model.get("names").length) select(model.get("first") + at);
  });
  list.addEventListener("mousemove", (event) => {
    list.title = model.get("names")[tileUnder(event)] ?? "";
  });
  model.on("change:picture", drawPicture);
  for (const name of ["selected", "first", "names", "label", "tile", "columns"])
    model.on(`change:${name}`, drawMark);
  drawPicture();
  drawMark();
  return () => URL.revokeObjectURL(image.src);
}

export default { render };
