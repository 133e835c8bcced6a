// ClipLabeller: a folder's clips one after another; the kernel writes each label into the table at once.

const CLASS_KEYS = "1234567890qwertyuasdghjzxcbm"; // without those of the player and of the tools

function render({ model, el }) {
  const view = openView(model, el);
  const stage = view.own(createStage());
  const [names, files] = [view.get("classes"), view.get("files")];
  let [fps, span, problem] = [0, ["", ""], ""]; // fps: 0 until the clip is there; seconds, "" for the clip's own
  const go = (by) => view.setTraits({ row: clamp(view.get("row") + by, 0, files.length - 1) });
  const mark = (side) => (fps && (span[side] = ((stage.engine.frame + side) / fps).toFixed(3)), draw());
  const pick = ([, , ...part]) => ((span = part), stage.engine.pause(), stage.engine.seek(part[0] * fps), draw());
  const write = async (label) => {
    if (!fps) return; // nobody has seen it
    const asked = { row: view.get("row"), label, span };
    [span, problem] = [["", ""], ""];
    draw(label && !asked.span.some(Boolean) && go(1));
    draw((problem = (await view.ask("label", asked, stage.wait)).content.problem ?? ""));
  };
  const button = (action, text = "") => textButton(text, () => (action(), stage.el.focus({ preventScroll: true })));
  const group = (label, ...children) => make("p", { class: "row", role: "group", "aria-label": label }, ...children);
  const tools = { i: () => mark(0), o: () => mark(1), Delete: () => write(null), p: () => go(-1), n: () => go(1) };
  const parts = Object.values(tools).map((each) => button(each));
  const classes = names.map((name, index) => button((tools[CLASS_KEYS[index]] = () => write(name))));
  const [said, entries] = [make("p", { class: "soft", role: "status" }), group("Labels of this clip")];
  const draw = () => {
    const [row, labels] = [view.get("row"), view.get("labels")];
    const here = labels.filter(([each]) => each === row);
    const now = here.find(([, , ...part]) => String(part) === String(span))?.[1];
    const words = [`I: from ${span[0] || "the start"}`, `O: to ${span[1] || "the end"}`, "Del: no label"];
    [...words, "P: previous", "N: next"].forEach((text, index) => (parts[index].textContent = text));
    classes.forEach((each, index) => {
      const count = labels.filter(([, label]) => label === names[index]).length;
      dress(each, { "aria-pressed": String(now === names[index]) }, []);
      each.textContent = `${CLASS_KEYS[index] ?? "–"}: ${names[index]} (${count})`;
    });
    entries.replaceChildren(...here.map((each) => button(() => pick(each), each.slice(1).filter(Boolean).join(" "))));
    const done = new Set(labels.map(([each]) => each)).size;
    said.textContent = problem || `Clip ${row + 1} of ${files.length}, ${done} labelled`;
  };
  const show = async (row, first = false) => {
    draw(([fps, span] = [0, ["", ""]]));
    const { content, buffers } = await view.ask("clip", { row }, stage.wait);
    if (row !== view.get("row")) return;
    stage.show((content.clip ??= { file: files[row], problem: content.problem }), buffers[0]);
    fps = content.clip.fps ?? 0;
    if (!first) stage.engine.play();
  };
  const side = [said, group("Classes", ...classes), group("Part", ...parts), entries];
  const panel = div("columns", stage.el, make("div", {}, ...side));
  onKeys(panel, tools, ({ ctrlKey, metaKey, altKey, target }) => ctrlKey || metaKey || altKey || target.options);
  view.show("labeller", "Clip labeller", panel);
  view.onTrait("row", show);
  view.onTrait("labels", draw);
  show(view.get("row"), true);
  return view.close;
}
export default { render };
