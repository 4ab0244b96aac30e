// JupyterLab must not take arrow keys for the notebook while a control of the browser has focus,
// and sliders, pictures and figures need names, which ipywidgets does not give them. It is done here
// because every browser has this button.
function prepare(el) {
  const root = el.closest(".tin-browser");
  if (!root) {
    if (!el.isConnected) requestAnimationFrame(() => prepare(el));
    return;
  }
  // On the control itself: JupyterLab asks its ancestors only when a shortcut does not fit it.
  root.addEventListener("focusin", (event) =>
    event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  const name = () => {
    for (const picture of root.querySelectorAll("img.widget-image"))
      picture.alt = "The text below says what is shown.";
    for (const figure of root.querySelectorAll(".js-plotly-plot")) {
      figure.setAttribute("role", "group");
      figure.setAttribute("aria-label", "Figure to click; the fields choose the same by keyboard.");
    }
    for (const handle of root.querySelectorAll(".noUi-handle"))
      handle.setAttribute("aria-label", handle.closest(".widget-slider").innerText.split("\n")[0]);
  };
  root.addEventListener("focusin", name);
  requestAnimationFrame(name);
}

// A button that asks Python for a file and hands it to the browser's download.
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
