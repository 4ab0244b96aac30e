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
