// ClipBrowser: the whole table, filtered in the browser; thumbnails of what is on screen; the chosen clip in the player.

const NO_FILTER = { search: "", class_name: "", group: "", subset: "", shortest: "", longest: "" };

function render({ model, el }) {
  const view = openView(model, el);
  const count = make("span", { class: "soft", role: "status" });
  const controls = createFilters((filters) => view.setTraits({ filters }));
  let table = null;

  const drawCard = (row, thumbnail) => {
    const pad = (number) => (number === null ? "–" : String(number).padStart(2, "0"));
    const detail = `g${pad(table.group[row])} c${pad(table.clip[row])} · ${table.seconds[row].toFixed(1)} s`;
    const name = table.classes[table.class_index[row]];
    const card = div("card", thumbnail, div("name fine ellipsis", name), div("soft fine ellipsis", detail));
    return make("div", { class: "cell", title: table.name[row], "aria-label": `${name}, ${detail}` }, card);
  };
  const gallery = createGallery(view, {
    label: "Videos",
    cardWidth: 124,
    heightOf: (width) => 0.75 * (width - 20) + 60,
    drawCard,
  });

  const applyFilters = () => {
    const filters = { ...NO_FILTER, ...view.get("filters") };
    controls.set(filters);
    if (!table) return [];
    const rows = findRows(table, filters);
    const [shown, total] = [rows.length, table.name.length].map((number) => number.toLocaleString("en"));
    gallery.grid.setItems(rows);
    const some = shown === total ? `${total} videos` : `${shown} of ${total} videos`;
    count.textContent = rows.length || !table.name.length ? some : `None of ${total} videos fits: loosen a filter`;
    return rows;
  };
  view.onTrait("filters", applyFilters);

  const counts = div("row counts", count, ...controls.lengths, controls.clear);
  const left = make("div", {}, controls.el, counts, gallery.grid.el);
  view.show("browser", "Clip browser", div("columns", left, gallery.stage.el));
  gallery.load().then((loaded) => {
    table = loaded;
    controls.offer(table);
    const rows = applyFilters();
    if (gallery.find() >= 0) gallery.choose(gallery.find());
    else if (rows.length) gallery.choose(rows[0]);
  });
  return view.close;
}

/** Rows of the table that pass all filters. */
function findRows(table, filters) {
  const { search, class_name, group, subset, shortest, longest } = filters;
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const classOf = (row) => table.classes[table.class_index[row]];
  table.searchable ??= table.name.map((name, row) => `${name} ${classOf(row)}`.toLowerCase());
  const passes = (row) =>
    (class_name === "" || classOf(row) === class_name) &&
    (group === "" || String(table.group[row]) === String(group)) &&
    (subset === "" || table.subset[row] === subset) &&
    (shortest === "" || table.seconds[row] >= Number(shortest)) &&
    (longest === "" || table.seconds[row] <= Number(longest)) &&
    words.every((word) => table.searchable[row].includes(word));
  return [...table.name.keys()].filter(passes);
}

/** The controls above the grid; `set(filters)` shows values, `offer(table)` the choices that there are. */
function createFilters(onChange) {
  const change = () => onChange(Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value])));
  const field = (label, extra) => make("input", { placeholder: label, "aria-label": label, oninput: change, ...extra });
  const length = (bound) =>
    field(`${bound} s`, { type: "number", min: 0, step: 0.5, "aria-label": `${bound} length in seconds` });
  const inputs = {
    search: field("Search names", { type: "search" }),
    class_name: choice("Class", [], change),
    group: choice("Group", [], change),
    subset: choice("Split", [], change),
    shortest: length("min"),
    longest: length("max"),
  };
  const set = (filters) => Object.entries(inputs).forEach(([name, input]) => (input.value = filters[name]));
  const fill = (name, all, values, compare, prefix = "") => {
    const present = [...new Set(values)].filter((value) => value !== null && value !== "");
    inputs[name].fill([["", all], ...present.sort(compare).map((value) => [String(value), prefix + value])]);
    inputs[name].hidden = present.length < 2;
  };
  const { search, class_name, group, subset, shortest, longest } = inputs;
  return {
    el: make("div", { class: "row filters", role: "search" }, search, class_name, group, subset),
    lengths: [shortest, longest],
    clear: textButton("Clear filters", () => onChange(NO_FILTER)),
    set,
    offer(table) {
      fill("class_name", "all classes", table.classes);
      fill("group", "all groups", table.group, (a, b) => a - b, "group ");
      fill("subset", "all splits", table.subset);
    },
  };
}

export default { render };
