// ConfusionExplorer: from a cell of the matrix to its videos, worst first, and from a video to its timeline.

function render({ model, el }) {
  const cleanups = [];
  const line = openLine(model);
  const thumbnails = createThumbnails(line);
  const stage = createStage();
  stage.el.hidden = true; // until a video is listed
  const [names, classes, counts] = ["models", "classes", "counts"].map((name) => model.get(name));
  let table = null,
    current = -1;

  const matrices = names.map((name, index) =>
    createMatrix({ name, classes, counts: counts[index], onPick: (...cell) => lead(model, { model: name, cell }) }),
  );
  const heading = make("div", { class: "heading", role: "status" });
  const buttons = make("div", { class: "buttons", role: "group", "aria-label": "Lists" });
  const drawRow = (row) => {
    const picture = make("div");
    thumbnails.fill(picture, row);
    const said = names.map((name, index) => {
      const right = table.predicted[index][row] === table.label[row];
      const word = verdict(classes[table.predicted[index][row]], table.probability[index][row], right);
      return make(
        "div",
        { class: "said" },
        names.length > 1 ? make("span", { class: "soft", text: `${name} ` }) : null,
        word,
      );
    });
    const title = make("div", { class: "name", text: table.file[row], title: table.name[row] });
    return make(
      "div",
      { class: "cell" },
      make("div", { class: "card line" }, picture, make("div", { class: "words" }, title, ...said)),
    );
  };
  const choose = async (row, play = false) => {
    current = row;
    stage.el.hidden = false;
    lead(model, { selected: table.name[row] });
    list.show(row);
    const hint = setTimeout(() => stage.wait("Waiting for the kernel…"), 2000);
    const { content, buffers } = await line.ask("clip", { row });
    clearTimeout(hint);
    if (row !== current) return;
    stage.show(content.clip || { file: table.name[row], problem: content.problem }, buffers[0] || null);
    if (play) stage.engine.play();
  };
  const rowHeight = names.length > 1 ? 88 : 70;
  const list = createGrid({
    label: "Videos of this list",
    cardWidth: 1e6,
    heightOf: () => rowHeight,
    drawCard: drawRow,
    onPick: (row) => choose(row, true),
  });

  const showList = (title, rows) => {
    heading.textContent = rows.length ? `${title}, worst first` : `${title}: none`;
    list.setItems(rows);
    if (rows.length) choose(rows[0]);
  };
  const showCell = () => {
    const cell = model.get("cell");
    const index = Math.max(0, names.indexOf(model.get("model")));
    matrices.forEach((matrix, each) => matrix.mark(each === index && cell.length ? cell : null));
    if (!table || !cell.length) return;
    [...buttons.children].forEach((button) => button.setAttribute("aria-pressed", "false"));
    const owner = names.length > 1 ? `${names[index]}: ` : "";
    showList(
      owner + matrices[index].describe(...cell),
      sortWorst(table, index, (row) => table.label[row] === cell[0] && table.predicted[index][row] === cell[1]),
    );
  };
  const addButton = (title, index, passes) => {
    const rows = sortWorst(table, index, passes);
    const press = () => {
      lead(model, { cell: [] });
      matrices.forEach((matrix) => matrix.mark(null));
      [...buttons.children].forEach((each) => each.setAttribute("aria-pressed", String(each === button)));
      showList(title, rows);
    };
    const button = make("button", {
      type: "button",
      class: "actlib-button",
      "aria-pressed": "false",
      text: `${title} (${rows.length})`,
      onclick: press,
    });
    buttons.append(button);
    return { press, rows };
  };
  const addButtons = () => {
    const right = (index) => (row) => table.predicted[index][row] === table.label[row];
    if (names.length === 1) return [addButton("All mistakes", 0, (row) => !right(0)(row))];
    return [
      addButton(`Only ${names[1]} right`, 0, (row) => right(1)(row) && !right(0)(row)),
      addButton(`Only ${names[0]} right`, 1, (row) => right(0)(row) && !right(1)(row)),
      addButton("Both wrong", 1, (row) => !right(0)(row) && !right(1)(row)),
    ];
  };

  follow(model, "cell", showCell, cleanups);
  follow(model, "model", () => model.get("cell").length && showCell(), cleanups);
  follow(
    model,
    "selected",
    (name) => {
      const row = table ? table.name.indexOf(name) : -1;
      if (row >= 0 && row !== current) choose(row);
    },
    cleanups,
  );

  const listing = make("div", { class: "listing" }, buttons, heading, list.el);
  const layout = make(
    "div",
    { class: `layout ${names.length > 1 ? "two" : "one"}` },
    make("div", { class: "matrices" }, ...matrices.map((matrix) => matrix.el)),
    listing,
    stage.el,
  );
  el.replaceChildren(makeRoot("confusion", "Confusion explorer", layout));
  line.ask("table").then(({ content }) => {
    table = content.table;
    const lists = addButtons();
    if (model.get("cell").length) showCell();
    else (lists.find((each) => each.rows.length) || lists[0]).press();
  });

  return () => {
    cleanups.forEach((clean) => clean());
    list.close();
    thumbnails.close();
    stage.close();
    line.close();
    el.replaceChildren();
  };
}

/** Rows that pass, the surest mistakes first; right answers after them, the least sure first. */
function sortWorst(table, index, passes) {
  const rows = [...table.name.keys()].filter(passes);
  const badness = (row) => (table.predicted[index][row] === table.label[row] ? -1 : 1) * table.probability[index][row];
  return rows.sort((a, b) => badness(b) - badness(a) || a - b);
}

export default { render };
