// Questions to the kernel and their answers: custom messages with binary buffers, so no server and no file is open
// to the browser; a question names rows of the widget's own table by number.

let questionCount = 0;
const REPEATS = [4000, 20000]; // ms: a question put before JupyterLab has its side line to the kernel waits for the busy cell

/** `ask(kind, detail)` resolves with {content, buffers}; `close()` forgets what is still open. */
function openLine(model) {
  const waiting = new Map();
  const hear = (content, buffers) => {
    const asked = waiting.get(content.question);
    if (!asked) return;
    waiting.delete(content.question);
    asked.timers.forEach(clearTimeout);
    asked.settle({ content, buffers: buffers || [] });
  };
  model.on("msg:custom", hear);
  return {
    ask(kind, detail = {}) {
      const question = `${kind}-${Date.now().toString(36)}-${questionCount++}`;
      const send = () => model.send({ kind, question, ...detail });
      const timers = REPEATS.map((after) => setTimeout(send, after)); // clip widgets answer once; to be told twice to stop is to stop
      const answer = new Promise((settle) => waiting.set(question, { settle, timers }));
      send();
      return answer;
    },
    close() {
      model.off("msg:custom", hear);
      waiting.forEach(({ timers }) => timers.forEach(clearTimeout));
      waiting.clear();
    },
  };
}

/** Blob URLs that are given back: `put(key, bytes, type)` makes one; of more than `most`, the oldest goes. */
function makeBlobShelf(most) {
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
    close() {
      for (const key of [...urls.keys()]) drop(key);
    },
  };
}

/** Calls `action` with a trait's value whenever the kernel (or another view) changes it, until the view is closed. */
function follow(model, name, action, cleanups) {
  const hear = () => action(model.get(name));
  model.on(`change:${name}`, hear);
  cleanups.push(() => model.off(`change:${name}`, hear));
}

/** Tells the kernel the traits whose values differ; says nothing when none does. */
function lead(model, values) {
  const changed = Object.keys(values).filter((name) => model.get(name) !== values[name]);
  changed.forEach((name) => model.set(name, values[name]));
  if (changed.length) model.save_changes();
}
