// In the report: the same answers as Python's, from sheets of tiles that are loaded when needed.
// Every sheet is a script that calls `receive`: a page from the file system may not read pictures.
const sheets = {}; // name -> promise of {gains, canvas, context}
const waiting = {}; // name -> resolves the promise when the sheet has arrived

window.receive = async (name, gains, address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  waiting[name]({ gains, canvas, context });
};

function sheetOf(name, file) {
  sheets[name] ??= new Promise((resolve, reject) => {
    waiting[name] = resolve;
    const script = element(document.head, "script", { src: file });
    script.onerror = () => reject(new Error(`${file} is missing beside this page`));
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
