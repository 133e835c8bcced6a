// Elements built one by one: every name that comes from a file or a label becomes text, never markup.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** An element; `on*` properties become listeners, `text` its text, everything else an attribute (null: left out). */
function make(tag, properties = {}, ...children) {
  return dress(document.createElement(tag), properties, children);
}

/** The same for SVG. */
function makeSvg(tag, properties = {}, ...children) {
  return dress(document.createElementNS(SVG_SPACE, tag), properties, children);
}

function dress(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  back: "M6 5h2.5v14H6zM19 5v14l-9-7z",
  forward: "M15.5 5H18v14h-2.5zM5 5v14l9-7z",
  loop: "M7 7h10v3l4-4-4-4v3H5v6h2zM17 17H7v-3l-4 4 4 4v-3h12v-6h-2z",
  size: "M4 4h7v2H6v5H4zM20 20h-7v-2h5v-5h2z",
  stop: "M6 6h12v12H6z",
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM7 7v3h3V7zm3.5 3.5v3h3v-3zM14 14v3h3v-3z",
};

/** A round button with a drawn sign; its label is read aloud and shown as a tooltip. */
function iconButton(icon, label, onclick, extra = {}) {
  const path = makeSvg("path", { d: ICONS[icon] });
  const picture = makeSvg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, path);
  const button = make(
    "button",
    { type: "button", class: "actlib-icon", title: label, "aria-label": label, onclick, ...extra },
    picture,
  );
  button.relabel = (newIcon, newLabel) => {
    path.setAttribute("d", ICONS[newIcon]);
    button.title = newLabel;
    button.setAttribute("aria-label", newLabel);
  };
  return button;
}

/** A labelled <select>; options are [value, text] pairs. */
function choice(label, options, onchange) {
  const select = make("select", { "aria-label": label, title: label });
  const fill = (pairs) => select.replaceChildren(...pairs.map(([value, text]) => make("option", { value, text })));
  fill(options);
  select.addEventListener("change", () => onchange(select.value));
  select.fill = fill;
  return select;
}

/** "✓ SitDown 0.93" in the colour for right, "✗ StandUp 0.71" in the colour for wrong; without a truth, neither. */
function verdict(name, probability, correct) {
  const known = correct === true || correct === false;
  const sign = known ? (correct ? "✓ " : "✗ ") : "";
  const share = probability === null || probability === undefined ? "" : ` ${probability.toFixed(2)}`;
  const mood = known ? (correct ? "right" : "wrong") : "unknown";
  const label = known ? (correct ? "right: " : "wrong: ") : "";
  return make("span", {
    class: `actlib-verdict ${mood}`,
    text: `${sign}${name}${share}`,
    "aria-label": `${label}${name}${share}`,
  });
}

/** The root of a widget's view: theme, and no JupyterLab shortcut while the focus is inside. */
function makeRoot(kind, label, ...children) {
  const attributes = { class: `actlib actlib-${kind}`, role: "region", "aria-label": label };
  return make("div", { ...attributes, "data-lm-suppress-shortcuts": "true" }, ...children);
}

function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
