// A confusion matrix to walk through: rows are true classes, columns what the model said, a cell holds its videos.

const MOST_LABELS = 30; // classes; beyond it the names are told below the matrix only

/** Calls `onPick(label, predicted)`. `counts` is K lists of K numbers. */
function createMatrix({ name, classes, counts, onPick }) {
  const many = classes.length > MOST_LABELS;
  const faintest = many ? 45 : 14; // per cent of the colour: small cells need more of it
  const cells = new Map();
  const key = (label, predicted) => `${label},${predicted}`;
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0));
  const field = make("div", {
    class: "field",
    tabindex: "0",
    role: "grid",
    "aria-label": `Confusion matrix of ${name || "the model"}`,
  });
  const told = make("div", { class: "told soft", role: "status" });
  let active = [0, 0],
    chosen = null;

  const describe = (label, predicted) => {
    const verb = label === predicted ? "rightly called" : "called";
    return `${classes[label]} ${verb} ${classes[predicted]}: ${counts[label][predicted]} of ${totals[label]} videos`;
  };
  const addCell = (label, predicted) => {
    const count = counts[label][predicted];
    const share = count / Math.max(1, totals[label]);
    const colour = count ? Math.round(faintest + (100 - faintest) * share) : 0;
    const cell = make("div", {
      class: `square ${label === predicted ? "right" : "wrong"}${share > 0.55 ? " deep" : ""}`,
      style: `grid-area:${label + 2}/${predicted + 2};--share:${colour}%`,
      role: "gridcell",
      "aria-label": describe(label, predicted),
      text: many || !count ? "" : String(count),
      onclick: () => (go(label, predicted), pick()),
      onpointerenter: () => (told.textContent = describe(label, predicted)),
    });
    cell.id = `${prefix}${key(label, predicted)}`;
    cells.set(key(label, predicted), cell);
    return cell;
  };
  const prefix = `actlib-square-${Math.random().toString(36).slice(2)}-`;
  const go = (label, predicted) => {
    cells.get(key(...active))?.classList.remove("active");
    active = [clamp(label, 0, classes.length - 1), clamp(predicted, 0, classes.length - 1)];
    const cell = cells.get(key(...active));
    cell?.classList.add("active");
    if (cell) field.setAttribute("aria-activedescendant", cell.id);
    told.textContent = describe(...active);
  };
  const pick = () => onPick(...active);
  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  field.addEventListener("keydown", (event) => {
    if (event.key in moves) go(active[0] + moves[event.key][0], active[1] + moves[event.key][1]);
    else if (event.key === "Enter" || event.key === " ") pick();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  field.style.setProperty("--classes", classes.length);
  field.classList.toggle("many", many);
  classes.forEach((className, label) => {
    field.append(
      make("div", {
        class: "row-name",
        role: "rowheader",
        style: `grid-area:${label + 2}/1`,
        title: className,
        text: many ? "" : className,
      }),
    );
    field.append(
      make("div", {
        class: "column-name",
        role: "columnheader",
        style: `grid-area:1/${label + 2}`,
        title: className,
        text: many ? "" : className,
      }),
    );
  });
  counts.forEach((row, label) =>
    row.forEach((count, predicted) => {
      if (!many || count || label === predicted) field.append(addCell(label, predicted));
    }),
  );
  const right = counts.reduce((sum, row, label) => sum + row[label], 0);
  const total = totals.reduce((sum, count) => sum + count, 0);
  const title = make(
    "div",
    { class: "title" },
    make("strong", { text: name || "Confusion matrix" }),
    make("span", { class: "soft", text: `${right} of ${total} videos right · row: true class, column: what it said` }),
  );
  return {
    el: make("div", { class: "actlib-matrix" }, title, field, told),
    describe,
    /** Marks the cell whose videos are listed; null for none. */
    mark(cell) {
      if (chosen) cells.get(key(...chosen))?.classList.remove("chosen");
      chosen = cell;
      if (cell) {
        go(...cell);
        cells.get(key(...cell))?.classList.add("chosen");
      }
    },
  };
}
