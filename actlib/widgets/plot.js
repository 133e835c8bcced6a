// The box that timelines and training curves are drawn into: x and y go from 0 to 100, y upwards.

/** Calls: `draw(paths)`, `setTicks(labels)` from bottom to top; `mark` is an upright line to move. */
function createPlot(extra = {}) {
  const svg = makeSvg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const ticks = make("div", { "aria-hidden": "true" });
  const mark = div("mark");
  return {
    el: make("div", { class: "actlib-plot", ...extra }, ticks, svg, mark),
    mark,
    draw: (paths) => svg.replaceChildren(...paths),
    setTicks: (labels) =>
      ticks.replaceChildren(
        ...labels.map((text, index) =>
          make("span", { class: "tick", style: `top:${100 - (100 * index) / (labels.length - 1)}%` }, text),
        ),
      ),
  };
}

/** A line through points [x, y], or a dot at each of them. */
function makePath(kind, points, dots = false) {
  const places = points.map(([x, y]) => `${x.toFixed(2)} ${(100 - y).toFixed(2)}`);
  return makeSvg("path", { class: kind, d: dots ? places.map((at) => `M${at}h0`).join("") : `M${places.join("L")}` });
}

/** Where in a box an event is, 0 at its left and 1 at its right. */
function shareOf(event, box) {
  const { left, width } = box.getBoundingClientRect();
  return clamp((event.clientX - left) / width, 0, 1);
}
