// What every view has: requests to the kernel, traits in step with it, and an end that gives everything back.
// Requests and their replies are custom messages with binary buffers, so no server and no file is open to the browser;
// a request names rows of the widget's own table by number.

let requestCount = 0;
const REPEATS = [4000, 20000]; // ms: a request sent before JupyterLab has its side channel waits for the busy cell
const LATE = 3000; // ms after which a reply is late

/** A widget's view in `el`; `close` ends it, and `render` returns it. */
function openView(model, el) {
  const waiting = new Map();
  const closing = [() => el.replaceChildren()];
  const receive = (content, buffers) => {
    const asked = waiting.get(content.request);
    if (!asked) return;
    waiting.delete(content.request);
    asked.timers.forEach(clearTimeout);
    asked.resolve({ content, buffers: buffers || [] });
  };
  model.on("msg:custom", receive);
  closing.push(() => model.off("msg:custom", receive));
  closing.push(() => waiting.forEach(({ timers }) => timers.forEach(clearTimeout)));

  return {
    get: (name) => model.get(name),
    /** Resolves with {content, buffers}; `onLate` is called if the kernel is too busy to reply soon. */
    ask(kind, detail = {}, onLate = () => {}) {
      const request = `${kind}-${Date.now().toString(36)}-${requestCount++}`;
      const send = () => model.send({ kind, request, ...detail });
      const timers = REPEATS.map((after) => setTimeout(send, after)); // the kernel replies once
      timers.push(setTimeout(onLate, LATE));
      send();
      return new Promise((resolve) => waiting.set(request, { resolve, timers }));
    },
    /** Calls `action` with a trait's value whenever the kernel (or another view) changes it. */
    onTrait(name, action) {
      const onChange = () => action(model.get(name));
      model.on(`change:${name}`, onChange);
      closing.push(() => model.off(`change:${name}`, onChange));
    },
    /** Tells the kernel the traits whose values differ; sends nothing when none does. */
    setTraits(values) {
      const changed = Object.keys(values).filter((name) => model.get(name) !== values[name]);
      changed.forEach((name) => model.set(name, values[name]));
      if (changed.length) model.save_changes();
    },
    /** Closes a part together with the view. */
    own(part) {
      closing.push(() => part.close());
      return part;
    },
    /** Fills the view: theme, and no JupyterLab shortcut while the focus is inside. */
    show(kind, label, ...children) {
      const attributes = { class: `actlib actlib-${kind}`, role: "region", "aria-label": label };
      el.replaceChildren(make("div", { ...attributes, "data-lm-suppress-shortcuts": "true" }, ...children));
    },
    close: () => closing.reverse().forEach((close) => close()),
  };
}

/** Blob URLs that are given back: `put(key, bytes, type)` makes one; of more than `most`, the oldest goes. */
function createBlobCache(most) {
  const urls = new Map();
  const drop = (key) => {
    URL.revokeObjectURL(urls.get(key));
    urls.delete(key);
  };
  return {
    get: (key) => urls.get(key),
    put(key, bytes, type) {
      if (urls.has(key)) drop(key);
      urls.set(key, URL.createObjectURL(new Blob([bytes], { type })));
      while (urls.size > most) drop(urls.keys().next().value);
      return urls.get(key);
    },
    close: () => [...urls.keys()].forEach(drop),
  };
}
