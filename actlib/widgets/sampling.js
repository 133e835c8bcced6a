// SamplingExplorer: which frames a rule takes, on the strip of the whole video, one by one, and in the player.

const RULE_NAMES = {
  uniform: "Uniform",
  segments: "Random per segment",
  consecutive: "In a row",
  windows: "Sliding windows",
};
const RANDOM = ["segments", "consecutive"];
const STRIDED = { consecutive: "Stride between frames", windows: "Stride between windows" };

function render({ model, el }) {
  const cleanups = [];
  const line = openLine(model);
  const shelf = makeBlobShelf(2);
  const stage = createStage();
  let clip = null,
    picked = 0,
    asked = 0;

  const ruleButtons = Object.entries(RULE_NAMES).map(([rule, text]) =>
    make("button", {
      type: "button",
      class: "actlib-button",
      text,
      "data-rule": rule,
      onclick: () => lead(model, { rule }),
    }),
  );
  const again = iconButton("dice", "Draw again", () => lead(model, { seed: model.get("seed") + 1 }));
  const count = createSlider("T, frames of a clip", 1, 64, (value) => lead(model, { num_frames: value }));
  const stride = createSlider("Stride", 1, 48, (value) => lead(model, { stride: value }));
  const told = make("div", { class: "told", role: "status" });
  const film = make("div", { class: "film", title: "Click to go to this frame" });
  const lanes = make("div", { class: "lanes", role: "listbox", "aria-label": "Clips", tabindex: "0" });
  const head = make("div", { class: "playhead" });
  const map = make("div", { class: "map" }, film, lanes, head);
  const tiles = make("div", { class: "tiles" });
  const costs = make("table", { class: "costs" });

  const place = (frame) => (100 * (frame + 0.5)) / Math.max(1, clip.frames);
  const markFrame = (frame) => {
    head.style.left = `${place(frame)}%`;
    for (const tile of tiles.children) tile.classList.toggle("now", Number(tile.dataset.frame) === frame);
  };
  stage.onFrame = markFrame;
  const seek = (event) => {
    const box = film.getBoundingClientRect();
    stage.engine.seek(Math.floor((clip.frames * (event.clientX - box.left)) / box.width));
  };
  film.addEventListener("click", seek);

  const drawLanes = () => {
    const taken = model.get("taken");
    picked = Math.min(picked, taken.length - 1);
    lanes.classList.toggle("thin", taken.length > 12);
    const drawLane = (frames, index) => {
      const d = frames.map((frame) => `M${place(frame).toFixed(3)} 50h0`).join("");
      const dots = makeSvg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, makeSvg("path", { d }));
      const label = `clip ${index + 1}: frames ${frames[0]} to ${frames[frames.length - 1]}`;
      return make(
        "div",
        {
          class: "lane",
          role: "option",
          "aria-label": label,
          title: label,
          "aria-selected": String(index === picked),
          onclick: () => pick(index),
        },
        dots,
      );
    };
    lanes.replaceChildren(...taken.map(drawLane));
    told.textContent = model.get("summary");
    drawCosts();
    drawTiles();
  };
  const pick = (index) => {
    picked = clamp(index, 0, model.get("taken").length - 1);
    [...lanes.children].forEach((lane, each) => lane.setAttribute("aria-selected", String(each === picked)));
    drawTiles();
  };
  lanes.addEventListener("keydown", (event) => {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    pick(picked + by);
  });
  const drawTiles = async () => {
    const question = ++asked;
    const { content, buffers } = await line.ask("frames", { clip: picked });
    if (question !== asked || !buffers.length) return;
    const url = shelf.put("tiles", buffers[0], "image/jpeg");
    const { frames } = content;
    tiles.replaceChildren(
      ...frames.map((frame, index) => {
        const held = index > 0 && frames[index - 1] === frame;
        const position = `${(100 * index) / Math.max(1, frames.length - 1)}% 0`;
        const picture = make("div", {
          class: "picture",
          style: `background:url("${url}") ${position} / ${100 * frames.length}% 100%`,
        });
        const label = held ? `frame ${frame}, held` : `frame ${frame}`;
        return make(
          "button",
          {
            type: "button",
            class: `tile${held ? " held" : ""}`,
            "data-frame": frame,
            title: label,
            "aria-label": label,
            onclick: () => stage.engine.seek(frame),
          },
          picture,
          make("span", { text: held ? "held" : frame }),
        );
      }),
    );
    markFrame(stage.engine.frame);
  };
  const drawCosts = () => {
    const drawRow = ([name, value, remark]) =>
      make(
        "tr",
        {},
        make("th", { scope: "row", text: name }),
        make("td", { text: value }),
        make("td", { class: "soft", text: remark }),
      );
    costs.replaceChildren(
      make("caption", { text: "What it costs, for this video" }),
      ...model.get("costs").map(drawRow),
    );
  };
  const showControls = () => {
    const rule = model.get("rule");
    ruleButtons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.rule === rule)));
    again.disabled = !RANDOM.includes(rule);
    count.set(model.get("num_frames"));
    stride.set(model.get("stride"));
    stride.rename(STRIDED[rule] || "Stride", !(rule in STRIDED));
  };
  for (const name of ["rule", "num_frames", "stride"]) follow(model, name, showControls, cleanups);
  follow(model, "taken", () => clip && drawLanes(), cleanups);
  follow(model, "costs", drawCosts, cleanups);
  follow(model, "summary", (summary) => (told.textContent = summary), cleanups);

  const rules = make("div", { class: "rules", role: "group", "aria-label": "Sampling rule" }, ...ruleButtons, again);
  const left = make(
    "div",
    { class: "left" },
    rules,
    make("div", { class: "sliders" }, count.el, stride.el),
    told,
    map,
    tiles,
  );
  el.replaceChildren(
    makeRoot(
      "sampling",
      "Sampling explorer",
      make("div", { class: "columns" }, left, make("div", { class: "right" }, stage.el, costs)),
    ),
  );
  showControls();
  line.ask("clip", { row: 0 }).then(({ content, buffers }) => {
    clip = content.clip || { frames: 1, problem: content.problem };
    stage.show(clip, buffers[0] || null);
    if (clip.problem) return;
    drawLanes();
  });
  line.ask("strip").then(({ buffers }) => {
    if (buffers.length) film.style.backgroundImage = `url("${shelf.put("strip", buffers[0], "image/jpeg")}")`;
  });

  return () => {
    cleanups.forEach((clean) => clean());
    shelf.close();
    stage.close();
    line.close();
    el.replaceChildren();
  };
}

/** A labelled slider that shows its number. */
function createSlider(text, min, max, onValue) {
  const name = make("span", { text });
  const number = make("output");
  const input = make("input", { type: "range", min, max, step: 1, "aria-label": text });
  input.addEventListener("input", () => (number.textContent = input.value));
  input.addEventListener("change", () => onValue(Number(input.value)));
  input.addEventListener("keydown", (event) => event.stopPropagation());
  return {
    el: make("label", { class: "slider" }, name, input, number),
    set(value) {
      input.value = value;
      number.textContent = String(value);
    },
    rename(newText, disabled) {
      name.textContent = newText;
      input.setAttribute("aria-label", newText);
      input.disabled = disabled;
    },
  };
}

export default { render };
