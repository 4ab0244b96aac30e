// A button that asks Python for a file and hands it to the browser's download.
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
  button.textContent = model.get("description");
  button.title = model.get("tooltip");
  button.addEventListener("click", () => model.send({ wanted: true }));
  el.classList.add("tin-saver");
  el.append(button);
  const save = (message, buffers) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
    link.download = message.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  model.on("msg:custom", save);
  return () => model.off("msg:custom", save);
}

export default { render };
