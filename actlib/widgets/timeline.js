// The probability timeline: what the model says at each frame, in step with the picture; a click seeks.

/** One model's lines over one clip. `model` is what `judge_clip` gives; its lines are {name, role, values}. */
function createTimeline(model, clip, onSeek) {
  const last = Math.max(1, clip.frames - 1);
  const place = (frame) => (100 * frame) / last;
  const drawLine = (line) => {
    const points = line.values.map(
      (value, index) => `${place(model.frames[index]).toFixed(2)},${(100 - 100 * value).toFixed(1)}`,
    );
    const only = points.length === 1 ? [`0,${points[0].split(",")[1]}`, `100,${points[0].split(",")[1]}`] : points;
    return makeSvg("polyline", { points: only.join(" "), class: `line ${line.role}` });
  };
  const order = { other: 0, predicted: 1, true: 2 };
  const lines = [...model.lines].sort((a, b) => order[a.role] - order[b.role]).map(drawLine);
  const plot = makeSvg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" }, ...lines);
  const head = make("div", { class: "playhead" });
  const area = make("div", { class: "plot", title: "Click to go to this frame" }, plot, head);
  for (const share of [0, 0.5, 1]) {
    area.append(
      make("span", { class: "tick", style: `top:${100 - 100 * share}%`, text: share === 0.5 ? ".5" : String(share) }),
    );
  }
  const bars = model.lines.map((line) => createBar(line));
  const el = make(
    "div",
    {
      class: "actlib-timeline",
      role: "group",
      "aria-label": `${model.name || "model"}: probability of each class over the frames`,
    },
    make(
      "div",
      { class: "top" },
      make("span", { class: "model", text: model.name || "Prediction" }),
      model.predicted ? verdict(model.predicted, model.probability, model.correct) : null,
    ),
    area,
    make("div", { class: "bars" }, ...bars.map((bar) => bar.el)),
  );
  area.addEventListener("pointerdown", (event) => {
    area.setPointerCapture(event.pointerId);
    const go = (at) => {
      const box = area.getBoundingClientRect();
      onSeek(Math.round(clamp((at.clientX - box.left) / box.width, 0, 1) * last));
    };
    const stop = () => (area.removeEventListener("pointermove", go), area.removeEventListener("pointerup", stop));
    area.addEventListener("pointermove", go);
    area.addEventListener("pointerup", stop);
    go(event);
  });
  const setFrame = (frame) => {
    head.style.left = `${place(frame)}%`;
    const step = nearestStep(model.frames, frame);
    bars.forEach((bar) => bar.set(bar.line.values[step]));
  };
  return { el, setFrame };
}

/** A class's bar at the frame on screen: name, length, number. */
function createBar(line) {
  const fill = make("span", { class: "fill" });
  const number = make("span", { class: "number" });
  const sign = { true: "the true class", predicted: "predicted, wrong", other: "" }[line.role];
  const name = make("span", { class: "name", text: line.name, title: sign ? `${line.name} (${sign})` : line.name });
  const el = make(
    "div",
    { class: `actlib-bar ${line.role}` },
    make("span", { class: "swatch" }),
    name,
    make("span", { class: "track" }, fill),
    number,
  );
  return {
    el,
    line,
    set(value) {
      fill.style.width = `${100 * value}%`;
      number.textContent = value.toFixed(2);
    },
  };
}

/** Index of the step whose frame is nearest. */
function nearestStep(frames, frame) {
  let low = 0,
    high = frames.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle] < frame) low = middle + 1;
    else high = middle;
  }
  return low > 0 && frame - frames[low - 1] <= frames[low] - frame ? low - 1 : low;
}
