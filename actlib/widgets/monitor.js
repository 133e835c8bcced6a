// TrainingMonitor: curves that grow while the cell that trains still runs, the time left, and a Stop button.

const STATES = {
  waiting: "Waiting for the first batch",
  training: "Training",
  stopping: "Stopping after this batch",
  stopped: "Stopped",
  finished: "Finished",
};
const PATIENCE = 3000; // ms that the kernel may take to answer a Stop before it is interrupted

function render({ model, el }) {
  const cleanups = [];
  const line = openLine(model);
  const title = make("strong", { text: model.get("title") || "Training" });
  const state = make("span", { class: "chip state", role: "status" });
  const stopButton = make("button", {
    type: "button",
    class: "actlib-button stop",
    text: "Stop",
    title: "End after this batch; the best weights so far are kept",
    onclick: () => stop(),
  });
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
  const told = make("div", { class: "soft numbers" });
  const loss = createChart({ title: "loss", format: (value) => value.toFixed(value < 10 ? 2 : 0) });
  const accuracy = createChart({ title: "accuracy", format: (value) => `${Math.round(100 * value)} %` });
  const legend = make(
    "div",
    { class: "legend soft" },
    make("span", { class: "key train" }),
    " training ",
    make("span", { class: "key validation" }),
    " validation ",
    make("span", { class: "key best" }),
    " lowest validation loss",
  );
  el.replaceChildren(
    makeRoot(
      "monitor",
      "Training monitor",
      make(
        "div",
        { class: "panel" },
        make("div", { class: "top" }, title, state, told, stopButton),
        bar,
        make("div", { class: "charts" }, loss.el, accuracy.el),
        legend,
      ),
    ),
  );

  const stop = async () => {
    stopButton.disabled = true;
    const late = setTimeout(interrupt, PATIENCE);
    cleanups.push(() => clearTimeout(late));
    await line.ask("stop");
    clearTimeout(late);
  };
  const interrupt = () => {
    const kernel = model.widget_manager?.kernel;
    if (kernel?.interrupt) kernel.interrupt();
    else
      told.textContent =
        "The kernel is busy: interrupt it (■ in the toolbar); the run ends with its best weights kept.";
  };

  const points = (key) =>
    model
      .get("history")
      .filter((row) => Number.isFinite(row[key]))
      .map((row) => [row.done, row[key], row.epoch]);
  const redraw = () => {
    const { done = 0, total = 1, trail = [] } = model.get("progress");
    const train = { name: "training", kind: "train" },
      validation = { name: "validation", kind: "validation" };
    const losses = [
      { name: "batch", kind: "trail", points: trail },
      { ...train, points: points("loss") },
      { ...validation, points: points("val_loss") },
    ];
    const last = Math.max(1, done, 0.15 * total);
    const highest = Math.max(0.01, ...losses.flatMap((each) => each.points.map((point) => point[1])));
    const judged = losses[2].points;
    const best = judged.length ? judged.reduce((low, point) => (point[1] < low[1] ? point : low)) : undefined;
    loss.draw(losses, { last, ceiling: roundUp(highest), best });
    accuracy.draw(
      [
        { ...train, points: points("accuracy") },
        { ...validation, points: points("val_accuracy") },
      ],
      { last, ceiling: 1 },
    );
  };
  const showProgress = () => {
    const { done = 0, total = 0, left = null, elapsed = 0 } = model.get("progress");
    bar.value = total ? done / total : 0;
    const ended = ["stopped", "finished"].includes(model.get("state"));
    const rest = ended ? `took ${formatTime(elapsed)}` : left === null ? "" : `${formatTime(left)} left`;
    const epochs = model.get("history").length;
    told.textContent = [
      epochs ? `epoch ${model.get("history")[epochs - 1].epoch}` : "",
      total ? `batch ${done} of ${total}` : "",
      rest,
    ]
      .filter(Boolean)
      .join(" · ");
  };
  const showState = () => {
    const now = model.get("state");
    state.textContent = STATES[now];
    state.dataset.state = now;
    stopButton.hidden = now === "stopped" || now === "finished";
    stopButton.disabled = now === "stopping";
    showProgress();
  };
  follow(model, "progress", () => (showProgress(), redraw()), cleanups);
  follow(model, "history", redraw, cleanups);
  follow(model, "state", showState, cleanups);
  showState();
  redraw();

  return () => {
    cleanups.forEach((clean) => clean());
    line.close();
    el.replaceChildren();
  };
}

/** "0:42" or "1:05:03". */
function formatTime(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

export default { render };
