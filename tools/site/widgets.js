// Plays the lessons' widgets without a kernel: a host of anywidget's front-end module interface.
//
// <div class="actlib-live" data-widget="NAME"> holds a still picture; when it comes near the screen, NAME.json, which
// tools/dump_widgets.py wrote, is fetched from widgets/ beside this file's folder, and the widget takes the picture's
// place. What a kernel would answer is in that file, or in others that it names. Nothing comes from elsewhere.

const FOLDER = new URL("../widgets/", import.meta.url);

async function fetchFile(name) {
  const response = await fetch(new URL(name, FOLDER));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response;
}
const fetchBytes = async (name) => new DataView(await (await fetchFile(name)).arrayBuffer());
const isEqual = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** What a widget's view knows as its model; `answer(request)` replies in place of a kernel, `settle()` keeps traits valid. */
class Model {
  constructor(state, answer, settle) {
    Object.assign(this, { state, answer, settle, listeners: new Map() });
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (isEqual(this.state[name], value)) return;
    this.state[name] = value;
    this.emit(`change:${name}`, this, value);
  }
  on(event, action) {
    this.listeners.set(event, [...(this.listeners.get(event) || []), action]);
  }
  off(event, action) {
    this.listeners.set(event, (this.listeners.get(event) || []).filter((each) => action && each !== action));
  }
  emit(event, ...details) {
    (this.listeners.get(event) || []).forEach((action) => action(...details));
  }
  save_changes() {
    Object.entries(this.settle(this.state)).forEach(([name, value]) => this.set(name, value));
  }
  async send(content) {
    const { request } = content;
    try {
      const { content: reply, buffers } = await this.answer(content, this.state);
      this.emit("msg:custom", { ...reply, request }, buffers);
    } catch (error) {
      this.emit("msg:custom", { request, problem: `Cannot be read: ${error.message}` }, []);
    }
  }
}

/** Replies from files; the taken frames of the sampling explorer are cut out of one picture of all frames. */
function createAnswer({ replies, frames }) {
  const all = frames && fetchFile(frames).then(async (file) => createImageBitmap(await file.blob()));
  const cutFrames = async (taken, count) => {
    const picture = await all;
    const width = picture.width / count;
    const canvas = new OffscreenCanvas(width * taken.length, picture.height);
    const pen = canvas.getContext("2d");
    taken.forEach((frame, index) =>
      pen.drawImage(picture, frame * width, 0, width, picture.height, index * width, 0, width, picture.height),
    );
    const bytes = await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 })).arrayBuffer();
    return { content: { frames: taken }, buffers: [new DataView(bytes)] };
  };
  return async ({ kind, row, flow, clip }, state) => {
    if (kind === "frames") return cutFrames(state.taken[clip], replies["clip-0"].content.clip.frames);
    const reply = replies[row === undefined ? kind : `${kind}-${row}${flow ? "-flow" : ""}`];
    if (!reply) throw new Error(`no reply to ${kind}`);
    return { content: reply.content, buffers: await Promise.all(reply.files.map(fetchBytes)) };
  };
}

/** What the sampling explorer's kernel computes from its settings, looked up; each setting moves to the nearest known. */
function createSettle({ sampling, state }) {
  if (!sampling) return () => ({});
  let last = state.rule;
  const { values, first_strides, results } = sampling;
  const nearest = (name, value) =>
    values[name].reduce((best, each) => (Math.abs(each - value) < Math.abs(best - value) ? each : best));
  return ({ rule, num_frames, stride, seed }) => {
    if (rule !== last) stride = first_strides[(last = rule)] ?? stride;
    const chosen = { num_frames: nearest("num_frames", num_frames), stride: nearest("stride", stride) };
    const known = { ...chosen, seed: seed % values.seed.length };
    const keys = [known.stride, ""].flatMap((by) => [known.seed, ""].map((of) => `${rule}/${known.num_frames}/${by}/${of}`));
    const [taken, costs, summary] = results[keys.find((key) => key in results)];
    return { ...known, summary, costs, taken };
  };
}

async function start(place) {
  const dump = await (await fetchFile(`${place.dataset.widget}.json`)).json();
  for (const [name, file] of Object.entries(dump.bytes)) dump.state[name] = await fetchBytes(file);
  if (!document.querySelector(`link[href$="${dump.style}"]`)) {
    const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href: new URL(dump.style, FOLDER) });
    const ready = new Promise((resolve) => (link.onload = resolve));
    document.head.append(link);
    await ready;
  }
  const { default: widget } = await import(new URL(dump.module, FOLDER));
  const model = new Model(dump.state, createAnswer(dump), createSettle(dump));
  const el = document.createElement("div");
  await widget.initialize?.({ model });
  await widget.render({ model, el });
  place.replaceChildren(el);
}

/** Tells the widgets which theme the page is in: theirs follow JupyterLab's attribute. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const tell = () => {
    const { theme = "auto" } = document.body.dataset;
    const light = theme === "light" || (theme === "auto" && !dark.matches);
    if (document.body.dataset.jpThemeLight !== String(light)) document.body.dataset.jpThemeLight = light;
  };
  new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", tell);
  tell();
}

followTheme();
const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      start(target).catch((error) => target.setAttribute("data-problem", error.message)); // the still stays
    }
  },
  { rootMargin: "400px" },
);
document.querySelectorAll(".actlib-live").forEach((place) => near.observe(place));
