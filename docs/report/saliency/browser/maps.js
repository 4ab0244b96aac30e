// Sheets of tiles, loaded when first needed, and the pictures made of them.
const SIDE = 64;
const ORANGE = [230, 159, 0];
const sheets = {}; // name -> promise of {gains, context}
const waiting = {}; // name -> resolves the promise when the sheet has arrived

// Every sheet is a script that calls this, because pages from the file system may not read pictures.
async function receive(name, gains, address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  waiting[name]({ gains, context, address });
}

function sheet(name, file) {
  sheets[name] ??= new Promise((resolve, reject) => {
    waiting[name] = resolve;
    if (!file) return; // loaded by the page itself
    const script = document.createElement("script");
    script.src = file;
    script.onerror = () => reject(new Error(`${file} is missing beside this page`));
    document.head.append(script);
  });
  return sheets[name];
}

// RGBA bytes of one tile.
function tile({ context }, index) {
  const [column, row] = [index % DATA.columns, Math.floor(index / DATA.columns)];
  return context.getImageData(column * SIDE, row * SIDE, SIDE, SIDE).data;
}

// A picture made by a function of each pixel's three bytes.
function picture(data, colours) {
  const made = new ImageData(SIDE, SIDE);
  for (let at = 0; at < data.length; at += 4) {
    made.data.set(colours(data[at], data[at + 1], data[at + 2], at), at);
    made.data[at + 3] = 255;
  }
  return made;
}

// The preprocessed image: -2.5 to 2.5 standard deviations are shown as black to white.
function preprocessed(pixels) {
  const seen = (value, k) => ((value - DATA.mean[k]) / DATA.std[k] + 2.5) * 51;
  return picture(pixels, (r, g, b) => [seen(r, 0), seen(g, 1), seen(b, 2)]);
}

// The three views of a signed map (bytes around 128), and the absolute one laid over the image.
function views(map, [absolute, positive, negative], pixels, strength) {
  const shown = (value, gain) => Math.min(255, (255 / 127) * gain * Math.max(0, value));
  const most = (r, g, b) => Math.max(Math.abs(r - 128), Math.abs(g - 128), Math.abs(b - 128));
  const laid = (r, g, b, at) => {
    const weight = (strength * shown(most(r, g, b), absolute)) / 255;
    return ORANGE.map((colour, k) => pixels[at + k] * (1 - weight) + colour * weight);
  };
  return {
    overlay: picture(map, laid),
    absolute: picture(map, (...rgb) => Array(3).fill(shown(most(...rgb), absolute))),
    positive: picture(map, (...rgb) => rgb.slice(0, 3).map((v) => shown(v - 128, positive))),
    negative: picture(map, (...rgb) => rgb.slice(0, 3).map((v) => shown(128 - v, negative))),
  };
}
