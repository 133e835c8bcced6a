// ClipBrowser: the whole table, filtered in the browser; thumbnails for what is on screen; the chosen clip in the player.

const NO_FILTER = { search: "", class_name: "", group: "", subset: "", shortest: "", longest: "" };

function render({ model, el }) {
  const cleanups = [];
  const line = openLine(model);
  const thumbnails = createThumbnails(line);
  const stage = createStage();
  const count = make("span", { class: "soft", role: "status" });
  const controls = createFilters((filters) => lead(model, { filters }));
  let table = null,
    current = -1;

  const drawCard = (row) => {
    const picture = make("div");
    const facts = `g${pad(table.group[row])} c${pad(table.clip[row])} · ${table.seconds[row].toFixed(1)} s`;
    const className = table.classes[table.class_index[row]];
    const inside = make(
      "div",
      { class: "card" },
      picture,
      make("div", { class: "name", text: className }),
      make("div", { class: "soft", text: facts }),
    );
    thumbnails.fill(picture, row);
    return make("div", { class: "cell", title: table.name[row], "aria-label": `${className}, ${facts}` }, inside);
  };
  const choose = async (row, play = false) => {
    current = row;
    lead(model, { selected: table.name[row] });
    grid.show(row);
    const hint = setTimeout(() => stage.wait("Waiting for the kernel…"), 2000);
    const { content, buffers } = await line.ask("clip", { row });
    clearTimeout(hint);
    if (row !== current) return;
    stage.show(content.clip || { file: table.name[row], problem: content.problem }, buffers[0] || null);
    if (play) stage.engine.play();
  };
  const grid = createGrid({
    label: "Videos",
    cardWidth: 124,
    heightOf: (width) => 0.75 * (width - 20) + 60,
    drawCard,
    onPick: (row) => choose(row, true),
  });

  const refilter = () => {
    const rows = findRows(table, { ...NO_FILTER, ...model.get("filters") });
    grid.setItems(rows);
    const total = table.name.length.toLocaleString("en");
    count.textContent =
      rows.length === table.name.length ? `${total} videos` : `${rows.length.toLocaleString("en")} of ${total} videos`;
    return rows;
  };
  const followSelection = (name) => {
    const row = table ? table.name.indexOf(name) : -1;
    if (row >= 0 && row !== current) choose(row);
  };
  follow(model, "filters", (filters) => (controls.set({ ...NO_FILTER, ...filters }), table && refilter()), cleanups);
  follow(model, "selected", followSelection, cleanups);

  const left = make(
    "div",
    { class: "choose" },
    controls.el,
    make("div", { class: "counts" }, count, ...controls.lengths, controls.clear),
    grid.el,
  );
  el.replaceChildren(makeRoot("browser", "Clip browser", make("div", { class: "columns" }, left, stage.el)));
  line.ask("table").then(({ content }) => {
    table = content.table;
    controls.offer(table);
    controls.set({ ...NO_FILTER, ...model.get("filters") });
    const rows = refilter();
    const row = table.name.indexOf(model.get("selected"));
    if (row >= 0 || rows.length) choose(row >= 0 ? row : rows[0]);
  });

  return () => {
    cleanups.forEach((clean) => clean());
    grid.close();
    thumbnails.close();
    stage.close();
    line.close();
    el.replaceChildren();
  };
}

const pad = (number) => (number === null ? "–" : String(number).padStart(2, "0"));

/** Rows of the table that pass all filters. */
function findRows(table, filters) {
  const words = filters.search.toLowerCase().split(/\s+/).filter(Boolean);
  const passes = (row) =>
    (filters.class_name === "" || table.classes[table.class_index[row]] === filters.class_name) &&
    (filters.group === "" || String(table.group[row]) === String(filters.group)) &&
    (filters.subset === "" || table.subset[row] === filters.subset) &&
    (filters.shortest === "" || table.seconds[row] >= Number(filters.shortest)) &&
    (filters.longest === "" || table.seconds[row] <= Number(filters.longest)) &&
    words.every((word) => table.searchable[row].includes(word));
  table.searchable ??= table.name.map((name, row) => `${name} ${table.classes[table.class_index[row]]}`.toLowerCase());
  return [...table.name.keys()].filter(passes);
}

/** The row of controls above the grid. */
function createFilters(onChange) {
  const read = () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value]));
  const say = () => onChange(read());
  const length = (label) =>
    make("input", {
      type: "number",
      min: 0,
      step: 0.5,
      placeholder: label,
      "aria-label": `${label} length in seconds`,
      oninput: say,
    });
  const inputs = {
    search: make("input", { type: "search", placeholder: "Search names", "aria-label": "Search names", oninput: say }),
    class_name: choice("Class", [["", "all classes"]], say),
    group: choice("Group", [["", "all groups"]], say),
    subset: choice("Split", [["", "all splits"]], say),
    shortest: length("min s"),
    longest: length("max s"),
  };
  const clear = make("button", {
    type: "button",
    class: "actlib-button",
    text: "Clear filters",
    onclick: () => (set(NO_FILTER), say()),
  });
  const set = (filters) => Object.entries(inputs).forEach(([name, input]) => (input.value = filters[name]));
  const fill = (name, all, values) => {
    inputs[name].fill([
      ["", all],
      ...values.map((value) => [String(value), name === "group" ? `group ${value}` : value]),
    ]);
    inputs[name].hidden = values.length < 2;
  };
  return {
    el: make("div", { class: "filters", role: "search" }, inputs.search, inputs.class_name, inputs.group, inputs.subset),
    lengths: [inputs.shortest, inputs.longest],
    clear,
    set,
    offer(table) {
      const present = (values) => [...new Set(values)].filter((value) => value !== null && value !== "");
      fill("class_name", "all classes", present(table.class_index.map((index) => table.classes[index])).sort());
      fill(
        "group",
        "all groups",
        present(table.group).sort((a, b) => a - b),
      );
      fill("subset", "all splits", present(table.subset));
    },
  };
}

export default { render };
