// ConfusionExplorer: from a cell of the matrix to its videos, worst first, and from a video to its timeline.

function render({ model, el }) {
  const view = openView(model, el);
  const [names, classes, counts] = ["models", "classes", "counts"].map(view.get);
  const two = names.length > 1;
  let table = null;

  const matrices = names.map((name, index) =>
    createMatrix({
      name,
      classes,
      counts: counts[index],
      onPick: (...cell) => view.setTraits({ model: name, cell }),
    }),
  );
  const heading = make("div", { class: "heading", role: "status" });
  const buttons = make("div", { class: "row", role: "group", "aria-label": "Lists" });
  const isCorrect = (index, row) => table.predicted[index][row] === table.label[row];
  const drawCard = (row, thumbnail) => {
    const verdicts = names.map((name, index) => {
      const [label, probability] = [table.predicted[index][row], table.probability[index][row]];
      const chip = verdictChip({ predicted: classes[label], probability, correct: isCorrect(index, row) });
      return div("verdict fine ellipsis", two ? span("soft", `${name} `) : null, chip);
    });
    const title = make("div", { class: "name fine ellipsis", title: table.name[row] }, table.file[row]);
    return div("cell", div("card line", thumbnail, div("words", title, ...verdicts)));
  };
  const gallery = createGallery(view, {
    label: "Videos of this list",
    cardWidth: 1e6,
    heightOf: () => (two ? 88 : 70),
    drawCard,
  });
  gallery.stage.el.hidden = true; // until a video is listed

  const showList = (title, rows, pressed = null) => {
    [...buttons.children].forEach((each) => each.setAttribute("aria-pressed", String(each === pressed)));
    heading.textContent = rows.length ? `${title}, worst first` : `${title}: none`;
    gallery.grid.setItems(rows);
    if (rows.length) gallery.choose(rows[0]);
  };
  const showCell = () => {
    const cell = view.get("cell");
    const index = Math.max(0, names.indexOf(view.get("model")));
    matrices.forEach((matrix, each) => matrix.mark(each === index && cell.length ? cell : null));
    if (!table || !cell.length) return;
    const inCell = (row) => table.label[row] === cell[0] && table.predicted[index][row] === cell[1];
    const owner = two ? `${names[index]}: ` : "";
    showList(owner + matrices[index].describe(...cell), sortWorst(table, index, inCell));
  };
  const addButton = (title, index, passes) => {
    const rows = sortWorst(table, index, passes);
    const press = () => {
      view.setTraits({ cell: [] });
      matrices.forEach((matrix) => matrix.mark(null));
      showList(title, rows, button);
    };
    const button = textButton(`${title} (${rows.length})`, press, { "aria-pressed": "false" });
    buttons.append(button);
    return { press, rows };
  };
  const addButtons = () => {
    const only = (first, last) => (row) => isCorrect(first, row) && !isCorrect(last, row);
    if (!two) return [addButton("All mistakes", 0, (row) => !isCorrect(0, row))];
    return [
      addButton(`Only ${names[1]} correct`, 0, only(1, 0)),
      addButton(`Only ${names[0]} correct`, 1, only(0, 1)),
      addButton("Both wrong", 1, (row) => !isCorrect(0, row) && !isCorrect(1, row)),
    ];
  };
  view.onTrait("cell", showCell);
  view.onTrait("model", () => view.get("cell").length && showCell());

  view.show(
    "confusion",
    "Confusion explorer",
    div(
      `layout ${two ? "two" : "one"}`,
      div("matrices", ...matrices.map((matrix) => matrix.el)),
      div("listing", buttons, heading, gallery.grid.el),
      gallery.stage.el,
    ),
  );
  gallery.load().then((loaded) => {
    table = loaded;
    const lists = addButtons();
    if (view.get("cell").length) showCell();
    else (lists.find((each) => each.rows.length) || lists[0]).press();
  });
  return view.close;
}

/** Rows that pass, the surest mistakes first; correct ones after them, the least sure first. */
function sortWorst(table, index, passes) {
  const rows = [...table.name.keys()].filter(passes);
  const badness = (row) => (table.predicted[index][row] === table.label[row] ? -1 : 1) * table.probability[index][row];
  return rows.sort((a, b) => badness(b) - badness(a) || a - b);
}

export default { render };
