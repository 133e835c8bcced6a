// The probability timeline: what the model predicts at each frame, in step with the picture; a click seeks.

const ROLES = { true: "the true class", predicted: "predicted, wrong", other: "" }; // drawn last to first

/** One model's lines over one clip; `verdict` is what `make_verdict` gives. */
function createTimeline(verdict, clip, onSeek) {
  const last = Math.max(1, clip.frames - 1);
  const place = (frame) => (100 * frame) / last;
  const drawLine = ({ role, values }) => {
    const points = values.map((value, index) => [place(verdict.frames[index]), 100 * value]);
    const level = points[0][1];
    return makePath(`line ${role}`, points.length > 1 ? points : [[0, level], [100, level]]);
  };
  const order = Object.keys(ROLES).reverse();
  const lines = [...verdict.lines].sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role)).map(drawLine);
  const plot = createPlot({ title: "Click to go to this frame" });
  plot.draw(lines);
  plot.setTicks(["0", ".5", "1"]);
  const bars = verdict.lines.map(createBar);
  const label = `${verdict.name || "model"}: probability of each class over the frames`;
  const el = make(
    "div",
    { class: "actlib-timeline", role: "group", "aria-label": label },
    div("row", make("strong", {}, verdict.name || "Prediction"), verdictChip(verdict)),
    plot.el,
    div("bars", ...bars.map((bar) => bar.el)),
  );
  plot.el.addEventListener("pointerdown", (event) => {
    plot.el.setPointerCapture(event.pointerId);
    const seek = (at) => onSeek(Math.round(shareOf(at, plot.el) * last));
    const stop = () => {
      plot.el.removeEventListener("pointermove", seek);
      plot.el.removeEventListener("pointerup", stop);
    };
    plot.el.addEventListener("pointermove", seek);
    plot.el.addEventListener("pointerup", stop);
    seek(event);
  });
  const setFrame = (frame) => {
    plot.mark.style.left = `${place(frame)}%`;
    const distances = verdict.frames.map((each) => Math.abs(each - frame));
    const nearest = distances.indexOf(Math.min(...distances));
    bars.forEach((bar) => bar.set(nearest));
  };
  return { el, setFrame };
}

/** A class's bar at the frame on screen: name, length, number. */
function createBar({ name, role, values }) {
  const fill = span("fill");
  const number = span("numbers");
  const title = ROLES[role] ? `${name} (${ROLES[role]})` : name;
  const text = make("span", { class: "name ellipsis", title }, name);
  const el = div(`actlib-bar fine ${role}`, span("swatch"), text, span("track", fill), number);
  const set = (step) => {
    fill.style.width = `${100 * values[step]}%`;
    number.textContent = values[step].toFixed(2);
  };
  return { el, set };
}
