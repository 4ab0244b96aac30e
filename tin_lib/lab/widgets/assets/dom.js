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
