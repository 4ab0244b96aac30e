// Keeps JupyterLab from handling the arrow keys while a control of the browser has the focus, and
// names sliders, pictures and figures, which ipywidgets does not. This is done here because every
// browser has this button.
function prepare(el) {
  const root = el.closest(".tin-browser");
  if (!root) {
    if (!el.isConnected) requestAnimationFrame(() => prepare(el));
    return;
  }
  // On the control itself: JupyterLab checks ancestors only if a shortcut does not match it.
  root.addEventListener("focusin", (event) =>
    event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  const name = () => {
    for (const picture of root.querySelectorAll("img.widget-image"))
      picture.alt = "The text below describes the picture.";
    for (const figure of root.querySelectorAll(".js-plotly-plot")) {
      figure.setAttribute("role", "group");
      figure.setAttribute("aria-label", "Click a cell, or choose it by keyboard with the controls.");
    }
    for (const handle of root.querySelectorAll(".noUi-handle"))
      handle.setAttribute("aria-label", handle.closest(".widget-slider").innerText.split("\n")[0]);
  };
  root.addEventListener("focusin", name);
  requestAnimationFrame(name);
}

// A button that requests a file from Python and downloads it.
function render({ model, el }) {
  const button = document.createElement("button");
  button.className = "lm-Widget jupyter-widgets jupyter-button widget-button";
  button.textContent = model.get("description");
  button.title = model.get("tooltip");
  button.addEventListener("click", () => model.send({ wanted: true }));
  el.classList.add("tin-saver");
  el.append(button);
  prepare(el);
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
