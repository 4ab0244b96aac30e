// In the report: the same answers as Python's, from sheets of maps.
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
