// Elements built one by one: every name that comes from a file or a label becomes text, never markup.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** An element; `on*` properties become listeners, everything else attributes (null: left out); strings become text. */
const make = (tag, properties, ...children) => dress(document.createElement(tag), properties, children);
const makeSvg = (tag, properties, ...children) => dress(document.createElementNS(SVG_SPACE, tag), properties, children);
const div = (name, ...children) => make("div", { class: name }, ...children);
const span = (name, ...children) => make("span", { class: name }, ...children);

function dress(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M6 5h2.5v14H6zM19 5v14l-9-7z",
  forward: "M15.5 5H18v14h-2.5zM5 5v14l9-7z",
  loop: "M7 7h10v3l4-4-4-4v3H5v6h2zM17 17H7v-3l-4 4 4 4v-3h12v-6h-2z",
  size: "M4 4h7v2H6v5H4zM20 20h-7v-2h5v-5h2z",
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM7 7v3h3V7zm3.5 3.5v3h3v-3zM14 14v3h3v-3z",
};

/** A round button with a drawn sign; its label is read aloud and shown as a tooltip. */
function iconButton(icon, label, onclick, extra = {}) {
  const path = makeSvg("path", {});
  const picture = makeSvg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
  const button = make("button", { type: "button", class: "actlib-icon", onclick, ...extra }, picture);
  button.relabel = (newIcon, newLabel) => {
    path.setAttribute("d", ICONS[newIcon]);
    button.title = newLabel;
    button.setAttribute("aria-label", newLabel);
  };
  button.relabel(icon, label);
  return button;
}

function textButton(text, onclick, extra = {}) {
  return make("button", { type: "button", class: "actlib-button", onclick, ...extra }, text);
}

/** A labelled <select>; options are [value, text] pairs. */
function choice(label, options, onchange) {
  const select = make("select", { "aria-label": label, title: label, onchange: () => onchange(select.value) });
  select.fill = (pairs) => select.replaceChildren(...pairs.map(([value, text]) => make("option", { value }, text)));
  select.fill(options);
  return select;
}

const VERDICTS = { true: ["✓ ", "correct", "correct: "], false: ["✗ ", "wrong", "wrong: "] };

/** "✓ SitDown 0.93" in the color for correct, "✗ StandUp 0.71" in the one for wrong; without a truth, neither. */
function verdictChip({ predicted, probability, correct }) {
  const [sign, state, label] = VERDICTS[correct] ?? ["", "unknown", ""];
  const text = `${predicted} ${probability.toFixed(2)}`;
  return make("span", { class: `actlib-verdict ${state}`, "aria-label": label + text }, sign + text);
}

/** Calls a key's action, and keeps the key from everybody else unless `skip(event)`. */
function onKeys(element, actions, skip = () => false) {
  element.addEventListener("keydown", (event) => {
    if (!(event.key in actions) || skip(event)) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key]();
  });
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
