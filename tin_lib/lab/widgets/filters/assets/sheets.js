// In the report: the same answers as Python's, of the layers and filters that the copy has.
const layersOf = (network) => DATA.copied[network];

function layerOf({ network, layer }) {
  const names = Object.keys(layersOf(network));
  const name = names.includes(layer) ? layer : names.at(layer === "first" ? 0 : -1);
  return { name, ...layersOf(network)[name] };
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

function joinedBytes(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((offset, part) => {
    bytes.set(part, offset);
    return offset + part.length;
  }, 0);
  return bytes;
}

async function optimised({ sheet, filters }, wanted) {
  const found = await sheetOf(sheet, `optimised/${encodeURIComponent(sheet)}.js`);
  return wanted.map((filter) => planes(found, filters.indexOf(filter)));
}

const answers = {
  async view(request) {
    const found = layerOf(request);
    const filter = found.filters.includes(request.filter) ? request.filter : found.filters[0];
    const card = found.cards[found.filters.indexOf(filter)];
    const pictures = await sheetOf("images", "images.js");
    const parts = {
      optimised: (await optimised(found, [filter]))[0],
      ...(card.kernel && { kernel: bytesOf(card.kernelBytes) }),
      images: joinedBytes(card.places.map((place) => planes(pictures, place))),
    };
    return {
      ...card, filter, layer: found.name, filters: found.orders[request.order], notice: "",
      layers: Object.entries(layersOf(request.network)).map(([name, { text }]) => [name, text]),
      parts: Object.keys(parts), buffers: Object.values(parts),
    };
  },
  async tiles({ filters, ...request }) {
    const found = layerOf(request);
    const [first] = found.cards;
    if (!first.kernel) return { size: [SIDE, SIDE], buffers: [joinedBytes(await optimised(found, filters))] };
    const kernels = filters.map((filter) => bytesOf(found.cards[found.filters.indexOf(filter)].kernelBytes));
    return { size: first.kernel, buffers: [joinedBytes(kernels)] };
  },
  async want() {
    return {};
  },
};

browse(document.getElementById("browser"),
  addressed({ data: DATA, ask: (request) => answers[request.kind](request), hear: () => {} }));
