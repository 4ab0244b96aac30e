// In the report: the same answers as Python's, with those images that the copy has.
function groupOf(network, label, predicted, most) {
  const given = DATA.networks[network];
  const at = (id) => DATA.classes.findIndex((each) => each.id === id);
  const held = DATA.labels.map((_, image) => image)
    .filter((image) => DATA.labels[image] === at(label) && given.predicted[image] === at(predicted))
    .sort((a, b) => given.probability[b] - given.probability[a]);
  const images = held.slice(0, most);
  const [files, probabilities] = [images.map((i) => DATA.files[i]), images.map((i) => given.probability[i])];
  return { label, predicted, files, probabilities, images, held: held.length };
}

const answers = {
  async cell({ network, label, predicted }) {
    const others = [...new Set([label, predicted])].filter((id) => label !== predicted);
    const groups = [groupOf(network, label, predicted, DATA.most[0]),
      ...others.map((id) => groupOf(network, id, id, DATA.most[1]))];
    const sheet = await sheetOf("images", "images.js");
    const images = groups.flatMap((group) => group.images);
    const bytes = new Uint8ClampedArray(3 * SIDE * SIDE * images.length);
    images.forEach((image, at) => bytes.set(planes(sheet, image), 3 * SIDE * SIDE * at));
    return { groups, buffers: [bytes] };
  },
};

browse(document.getElementById("browser"),
  addressed({ data: DATA, ask: (request) => answers[request.kind](request), hear: () => {} }));
