// A confusion matrix to walk through: rows are true classes, columns predicted ones, a cell holds its videos.

const MOST_LABELS = 30; // classes; beyond it the names are told below the matrix only

/** Calls `onPick(label, predicted)`. `counts` is K lists of K numbers. */
function createMatrix({ name, classes, counts, onPick }) {
  const many = classes.length > MOST_LABELS;
  const faintest = many ? 45 : 14; // per cent of the color: small cells need more of it
  const cells = new Map();
  const prefix = `actlib-square-${Math.random().toString(36).slice(2)}-`;
  const cellAt = (label, predicted) => cells.get(`${label},${predicted}`);
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const title = `Confusion matrix of ${name || "the model"}`;
  const field = make("div", { class: "field", tabindex: "0", role: "grid", "aria-label": title });
  const status = make("div", { class: "status soft", role: "status" });
  let active = [0, 0],
    chosen = null;

  const describe = (label, predicted) => {
    const words = label === predicted ? "correctly predicted" : `predicted as ${classes[predicted]}`;
    return `${classes[label]} ${words}: ${counts[label][predicted]} of ${totals[label]} videos`;
  };
  const addCell = (label, predicted, count) => {
    const share = count / Math.max(1, totals[label]);
    const color = count ? Math.round(faintest + (100 - faintest) * share) : 0;
    const properties = {
      id: `${prefix}${label},${predicted}`,
      class: `square ${label === predicted ? "correct" : "wrong"}${share > 0.55 ? " deep" : ""}`,
      style: `grid-area:${label + 2}/${predicted + 2};--share:${color}%`,
      role: "gridcell",
      "aria-label": describe(label, predicted),
      onclick: () => (go(label, predicted), onPick(...active)),
      onpointerenter: () => (status.textContent = describe(label, predicted)),
    };
    const cell = make("div", properties, many || !count ? "" : String(count));
    cells.set(`${label},${predicted}`, cell);
    field.append(cell);
  };
  const go = (label, predicted) => {
    cellAt(...active)?.classList.remove("active");
    active = [clamp(label, 0, classes.length - 1), clamp(predicted, 0, classes.length - 1)];
    const cell = cellAt(...active);
    cell?.classList.add("active");
    if (cell) field.setAttribute("aria-activedescendant", cell.id);
    status.textContent = describe(...active);
  };
  const move = (down, right) => go(active[0] + down, active[1] + right);
  onKeys(field, {
    ArrowUp: () => move(-1, 0),
    ArrowDown: () => move(1, 0),
    ArrowLeft: () => move(0, -1),
    ArrowRight: () => move(0, 1),
    Enter: () => onPick(...active),
    " ": () => onPick(...active),
  });

  field.style.setProperty("--classes", classes.length);
  field.classList.toggle("many", many);
  const addName = (kind, role, area, text) =>
    field.append(
      make("div", { class: `${kind} fine ellipsis`, role, style: `grid-area:${area}`, title: text }, many ? "" : text),
    );
  classes.forEach((text, label) => {
    addName("row-name", "rowheader", `${label + 2}/1`, text);
    addName("column-name", "columnheader", `1/${label + 2}`, text);
  });
  counts.forEach((row, label) =>
    row.forEach((count, predicted) => {
      if (!many || count || label === predicted) addCell(label, predicted, count);
    }),
  );
  const correct = counts.reduce((sum, row, label) => sum + row[label], 0);
  const total = totals.reduce((sum, count) => sum + count, 0);
  const words = `${correct} of ${total} videos correct · row: true class, column: predicted class`;
  const heading = div("row", make("strong", {}, name || "Confusion matrix"), span("soft", words));
  return {
    el: div("actlib-matrix", heading, field, status),
    describe,
    /** Marks the cell whose videos are listed; null for none. */
    mark(cell) {
      if (chosen) cellAt(...chosen)?.classList.remove("chosen");
      chosen = cell;
      if (!cell) return;
      go(...cell);
      cellAt(...cell)?.classList.add("chosen");
    },
  };
}
