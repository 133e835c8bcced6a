// A line chart that grows while a model trains: training dashed, validation solid, single batches faint behind them.

/** Calls: `draw(series, {last, ceiling})` with series {name, kind, points: [x, y, epoch][]}; x from 0 to `last`. */
function createChart({ title, format }) {
  const plot = makeSvg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" });
  const ticks = make("div", { class: "ticks", "aria-hidden": "true" });
  const rule = make("div", { class: "rule" });
  const area = make("div", { class: "area" }, ticks, plot, rule);
  const told = make("div", { class: "told soft", role: "status" });
  const el = make(
    "figure",
    { class: "actlib-chart", "aria-label": title },
    make("figcaption", { text: title }),
    area,
    told,
  );
  let shown = [],
    last = 1;

  const tell = (at) => {
    const main = shown.filter((each) => each.kind !== "trail" && each.points.length);
    if (!main.length) return;
    const nearest = (points) =>
      points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
    const point = nearest(main[0].points);
    rule.style.left = `${(100 * point[0]) / last}%`;
    const numbers = main.map((each) => `${each.name} ${format(nearest(each.points)[1])}`);
    told.textContent = `epoch ${point[2]}: ${numbers.join(", ")}`;
  };
  area.addEventListener("pointermove", (event) => {
    const box = area.getBoundingClientRect();
    rule.hidden = false;
    tell((last * (event.clientX - box.left)) / box.width);
  });
  area.addEventListener("pointerleave", () => ((rule.hidden = true), tell(last)));
  rule.hidden = true;

  return {
    el,
    draw(series, options) {
      shown = series;
      last = options.last;
      const place = ([x, y]) =>
        `${((100 * x) / last).toFixed(2)} ${(100 - (100 * Math.min(y, options.ceiling)) / options.ceiling).toFixed(2)}`;
      const paths = series
        .filter((each) => each.points.length)
        .flatMap((each) => {
          const line = makeSvg("path", { class: each.kind, d: `M${each.points.map(place).join("L")}` });
          if (each.kind === "trail") return [line];
          const dots = each.points.map((point) => `M${place(point)}h0`).join("");
          return [line, makeSvg("path", { class: `${each.kind} dots`, d: dots })];
        });
      if (options.best !== undefined) paths.push(makeSvg("path", { class: "best", d: `M${place(options.best)}h0` }));
      plot.replaceChildren(...paths);
      const marks = [0, 0.5, 1].map((share) =>
        make("span", { style: `top:${100 - 100 * share}%`, text: format(options.ceiling * share) }),
      );
      ticks.replaceChildren(...marks);
      tell(last);
    },
  };
}

/** A round number above a value, so that a chart's scale rarely moves. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}
