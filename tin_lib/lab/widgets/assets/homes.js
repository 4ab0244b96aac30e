// Where a browser lives. A home has `data` (what it knows from the start), `ask(request)` (a promise
// of the answer), `read()`, `write(state, isNew)` and `watch(call)` for the state, `hear(call)` for
// events (those of Python, and {notice: a line to show}), `link(state)`, the text of "Copy link", and
// `alone`, whether the page shows nothing else.

const PATIENCE = 20_000; // milliseconds until a missing answer is explained
const NO_ANSWER = "Python has not answered yet. If its kernel was restarted, run the cell again.";

// In JupyterLab: Python answers, and the state is the widget's.
function notebookHome(model) {
  const [waiting, prefix, watched, heard] = [new Map(), Math.random().toString(36).slice(2), [], []];
  let [count, written] = [0, ""];
  const tell = (notice) => heard.forEach((call) => call({ notice }));
  const received = ({ id, ...reply }, buffers) => {
    if (id === undefined) return heard.forEach((call) => call(reply));
    const asked = waiting.get(id);
    if (!asked) return undefined; // another view of this widget has asked
    waiting.delete(id);
    clearTimeout(asked.timer);
    if (asked.late) tell("");
    if (reply.error) return asked.reject(new Error(reply.error));
    const bytes = buffers.map((b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength));
    return asked.resolve({ ...reply, buffers: bytes });
  };
  const changed = () => {
    const state = JSON.stringify(model.get("state"));
    if (state === written) return;
    written = state; // else the view written before it could not be shown again
    watched.forEach((call) => call());
  };
  model.on("msg:custom", received);
  model.on("change:state", changed);
  const home = {
    data: model.get("description"),
    read: () => model.get("state"),
    write(state) {
      written = JSON.stringify(state);
      model.set("state", state);
      model.save_changes();
    },
    watch: (call) => watched.push(call),
    hear: (call) => heard.push(call),
    ask: (request) => new Promise((resolve, reject) => {
      const id = `${prefix}${(count += 1)}`;
      const timer = setTimeout(() => {
        waiting.get(id).late = true;
        tell(NO_ANSWER);
      }, PATIENCE);
      waiting.set(id, { resolve, reject, timer });
      model.send({ ...request, id });
    }),
    link: async (state) => (await home.ask({ kind: "link", state })).link,
    close() {
      for (const { timer } of waiting.values()) clearTimeout(timer);
      model.off("msg:custom", received);
      model.off("change:state", changed);
    },
  };
  return home;
}

// On a page of its own: the state is in the address, after #, so that reload, back and bookmarks work.
function addressed(home) {
  const watched = [];
  const query = (state) => {
    const given = Object.entries(state).map(([name, value]) => [name, [value].flat().join(",")]);
    return `#${new URLSearchParams(given.filter(([, value]) => value !== ""))}`;
  };
  const moved = () => watched.forEach((call) => call());
  window.addEventListener("popstate", moved);
  return {
    ...home,
    alone: true,
    read: () => Object.fromEntries(new URLSearchParams(location.hash.slice(1) || location.search)),
    write(state, isNew = true) {
      const address = query(state);
      if (address === location.hash) return;
      try {
        history[isNew ? "pushState" : "replaceState"](null, "", address);
      } catch {
        // Web browsers refuse too many in a few seconds, as of a key held down; the page goes on.
      }
    },
    watch: (call) => watched.push(call),
    link: async (state) => location.origin === "null" || location.protocol === "file:"
      ? location.href.split("#")[0] + query(state)
      : location.origin + location.pathname + query(state),
    close() {
      window.removeEventListener("popstate", moved);
      home.close?.();
    },
  };
}

// On a page of its own, arrow keys that no control takes go one step; returns how to stop that.
function arrowKeys(home, go) {
  const keys = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey; // Alt with an arrow key: back
    if (step && isPlain && event.target === document.body && home.alone) go(step);
  };
  document.addEventListener("keydown", keys);
  return () => document.removeEventListener("keydown", keys);
}

// anywidget calls this for each view of a widget.
function render({ model, el }) {
  const home = model.get("page") ? addressed(notebookHome(model)) : notebookHome(model);
  const leave = browse(el, home);
  return () => {
    leave?.();
    home.close();
  };
}

// "Copy link" and "Save PNG"; `state()` and `name()` are asked when pressed, `node()` is what is saved.
function sharing(parent, home, { state, name, node }) {
  const row = element(parent, "div", { className: "tin-buttons" }, { "data-unsaved": "" });
  const said = element(null, "span", { className: "tin-soft" }, { role: "status" });
  button(row, "Copy link", async () => {
    const link = await home.link(state());
    try {
      await navigator.clipboard.writeText(link);
      said.textContent = "Copied.";
    } catch {
      said.textContent = link; // where the page may not use the clipboard
    }
  }, "copy what opens this view again");
  button(row, "Save PNG", () => download(node(), name()), "save what is shown, at twice its size");
  return { row, said };
}
