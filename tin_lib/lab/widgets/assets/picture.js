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
