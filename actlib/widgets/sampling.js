// SamplingExplorer: which frames a rule takes, on the strip of the whole video, one by one, and in the player.

const RULE_NAMES = {
  uniform: "Uniform",
  segments: "Random per segment",
  consecutive: "Consecutive",
  windows: "Sliding windows",
};
const RANDOM = ["segments", "consecutive"];
const STRIDED = { consecutive: "Stride between frames", windows: "Stride between windows" };

function render({ model, el }) {
  const view = openView(model, el);
  const blobs = view.own(createBlobCache(2));
  const stage = view.own(createStage({ onFrame: (frame) => markFrame(frame) }));
  let clip = { frames: 1, problem: "not there yet" },
    picked = 0,
    requested = 0;

  const ruleButtons = Object.entries(RULE_NAMES).map(([rule, text]) =>
    textButton(text, () => view.setTraits({ rule }), { "data-rule": rule }),
  );
  const again = iconButton("dice", "Draw again", () => view.setTraits({ seed: view.get("seed") + 1 }));
  const count = createSlider("T, frames of a clip", 1, 64, (value) => view.setTraits({ num_frames: value }));
  const stride = createSlider("Stride", 1, 48, (value) => view.setTraits({ stride: value }));
  const summary = make("div", { class: "summary", role: "status" });
  const film = make("div", { class: "film", title: "Click to go to this frame" });
  const lanes = make("div", { class: "lanes", role: "listbox", "aria-label": "Clips", tabindex: "0" });
  const head = div("mark");
  const tiles = div("tiles");
  const costs = make("table", { class: "costs fine" });

  const place = (frame) => (100 * (frame + 0.5)) / clip.frames;
  const markFrame = (frame) => {
    head.style.left = `${place(frame)}%`;
    for (const tile of tiles.children) tile.classList.toggle("now", Number(tile.dataset.frame) === frame);
  };
  film.addEventListener("click", (event) => stage.engine.seek(Math.floor(clip.frames * shareOf(event, film))));

  const drawLane = (frames, index) => {
    const label = `clip ${index + 1}: frames ${frames[0]} to ${frames.at(-1)}`;
    const dots = makePath("", frames.map((frame) => [place(frame), 50]), true);
    return make(
      "div",
      { class: "lane", role: "option", "aria-label": label, title: label, onclick: () => pick(index) },
      makeSvg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, dots),
    );
  };
  const drawLanes = () => {
    if (clip.problem) return;
    const taken = view.get("taken");
    lanes.classList.toggle("thin", taken.length > 12);
    lanes.replaceChildren(...taken.map(drawLane));
    pick(picked);
  };
  const pick = (index) => {
    picked = clamp(index, 0, view.get("taken").length - 1);
    [...lanes.children].forEach((lane, each) => lane.setAttribute("aria-selected", String(each === picked)));
    drawTiles();
  };
  onKeys(lanes, { ArrowUp: () => pick(picked - 1), ArrowDown: () => pick(picked + 1) });

  const drawTiles = async () => {
    const request = ++requested;
    const { content, buffers } = await view.ask("frames", { clip: picked });
    if (request !== requested || !buffers.length) return;
    const url = blobs.put("tiles", buffers[0], "image/jpeg");
    tiles.replaceChildren(...content.frames.map((frame, index) => drawTile(frame, index, content.frames, url)));
    markFrame(stage.engine.frame);
  };
  const drawTile = (frame, index, frames, url) => {
    const repeated = frames[index - 1] === frame;
    const at = `${(100 * index) / Math.max(1, frames.length - 1)}% 0 / ${100 * frames.length}% 100%`;
    const label = repeated ? `frame ${frame}, repeated` : `frame ${frame}`;
    const properties = { class: `tile${repeated ? " repeated" : ""}`, "data-frame": frame, title: label, "aria-label": label };
    return make(
      "button",
      { type: "button", ...properties, onclick: () => stage.engine.seek(frame) },
      make("div", { class: "picture", style: `background:url("${url}") ${at}` }),
      make("span", {}, repeated ? "repeated" : frame),
    );
  };
  const drawCosts = () => {
    if (clip.problem) return;
    const drawRow = ([name, value, remark]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value), make("td", { class: "soft" }, remark));
    const caption = make("caption", {}, "What it costs, for this video");
    costs.replaceChildren(caption, ...view.get("costs").map(drawRow));
    summary.textContent = view.get("summary");
  };
  const showControls = () => {
    const rule = view.get("rule");
    ruleButtons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.rule === rule)));
    again.disabled = !RANDOM.includes(rule);
    count.set(view.get("num_frames"));
    stride.set(view.get("stride"));
    stride.rename(STRIDED[rule] || "Stride", !(rule in STRIDED));
  };
  for (const name of ["rule", "num_frames", "stride"]) view.onTrait(name, showControls);
  for (const name of ["costs", "summary"]) view.onTrait(name, drawCosts);
  view.onTrait("taken", drawLanes);

  const rules = { class: "row", role: "group", "aria-label": "Sampling rule" };
  const left = make(
    "div",
    {},
    make("div", rules, ...ruleButtons, again),
    div("sliders", count.el, stride.el),
    summary,
    div("map", film, lanes, head),
    tiles,
  );
  view.show("sampling", "Sampling explorer", div("columns", left, make("div", {}, stage.el, costs)));
  showControls();
  view.ask("clip", { row: 0 }).then(({ content, buffers }) => {
    clip = content.clip || { frames: 1, problem: content.problem };
    stage.show(clip, buffers[0]);
    drawCosts();
    drawLanes();
  });
  view.ask("thumbnail", { row: 0 }).then(({ buffers }) => {
    if (buffers.length) film.style.backgroundImage = `url("${blobs.put("strip", buffers[0], "image/jpeg")}")`;
  });
  return view.close;
}

/** A labelled slider that shows its number. */
function createSlider(text, min, max, onValue) {
  const name = make("span", {}, text);
  const number = make("output", { class: "numbers" });
  const input = make("input", {
    type: "range",
    min,
    max,
    "aria-label": text,
    oninput: () => (number.textContent = input.value),
    onchange: () => onValue(Number(input.value)),
    onkeydown: (event) => event.stopPropagation(),
  });
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
