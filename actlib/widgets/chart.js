// A line chart that grows while a model trains: training dashed, validation solid, single batches faint behind them.

/** Calls: `draw(series, {last, ceiling, best})`: series {name, kind, points: [x, y, epoch][]}, x from 0 to `last`. */
function createChart(title, format) {
  const plot = createPlot();
  const status = make("div", { class: "status soft fine numbers", role: "status" });
  const el = make("figure", { class: "actlib-chart", "aria-label": title });
  el.append(make("figcaption", {}, title), plot.el, status);
  let shown = [],
    last = 1;

  const describe = (at) => {
    const main = shown.filter((each) => each.kind !== "trail" && each.points.length);
    if (!main.length) return;
    const nearest = (points) =>
      points.reduce((best, point) => (Math.abs(point[0] - at) < Math.abs(best[0] - at) ? point : best));
    const point = nearest(main[0].points);
    plot.mark.style.left = `${(100 * point[0]) / last}%`;
    const numbers = main.map((each) => `${each.name} ${format(nearest(each.points)[1])}`);
    status.textContent = `epoch ${point[2]}: ${numbers.join(", ")}`;
  };
  plot.mark.hidden = true;
  plot.el.addEventListener("pointermove", (event) => {
    plot.mark.hidden = false;
    describe(last * shareOf(event, plot.el));
  });
  plot.el.addEventListener("pointerleave", () => ((plot.mark.hidden = true), describe(last)));

  return {
    el,
    draw(series, { last: newLast, ceiling, best }) {
      shown = series;
      last = newLast;
      const place = ([x, y]) => [(100 * x) / last, (100 * Math.min(y, ceiling)) / ceiling];
      const paths = series
        .filter((each) => each.points.length)
        .flatMap(({ kind, points }) => {
          const placed = points.map(place);
          const dots = kind === "trail" ? [] : [makePath(`${kind} dots`, placed, true)];
          return [makePath(kind, placed), ...dots];
        });
      plot.draw(best ? [...paths, makePath("best", [place(best)], true)] : paths);
      plot.setTicks([0, 0.5, 1].map((share) => format(ceiling * share)));
      describe(last);
    },
  };
}

/** A round number above a value, so that a chart's scale rarely moves. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-6)));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.999);
}
