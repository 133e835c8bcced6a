// TrainingMonitor: curves that grow while the cell that trains still runs, the time left, and a Stop button.

const STATES = {
  waiting: "Waiting for the first batch",
  training: "Training",
  stopping: "Stopping after this batch",
  stopped: "Stopped",
  finished: "Finished",
};
const BUSY = "The kernel is busy: interrupt it (■ in the toolbar); the run ends with its best weights kept.";

function render({ model, el }) {
  const view = openView(model, el);
  const state = make("span", { class: "chip state", role: "status" });
  const stopButton = textButton("Stop", () => stop(), {
    class: "actlib-button stop",
    title: "End after this batch; the best weights so far are kept",
  });
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
  const numbers = div("soft numbers");
  const loss = createChart("loss", (value) => value.toFixed(value < 10 ? 2 : 0));
  const accuracy = createChart("accuracy", (value) => `${Math.round(100 * value)} %`);
  const keys = { train: "training", validation: "validation", best: "lowest validation loss" };
  const legend = Object.entries(keys).flatMap(([kind, text]) => [span(`key ${kind}`), ` ${text} `]);
  view.show(
    "monitor",
    "Training monitor",
    div(
      "panel",
      div("row", make("strong", {}, view.get("title") || "Training"), state, numbers, stopButton),
      bar,
      div("charts", loss.el, accuracy.el),
      div("legend soft fine", ...legend),
    ),
  );

  const stop = async () => {
    stopButton.disabled = true;
    await view.ask("stop", {}, interrupt);
  };
  const interrupt = () => {
    const kernel = model.widget_manager?.kernel;
    if (kernel?.interrupt) kernel.interrupt();
    else numbers.textContent = BUSY;
  };

  const draw = () => {
    const { done = 0, total = 1, trail = [] } = view.get("progress");
    const history = view.get("history");
    const curve = (kind, key) => {
      const rows = history.filter((row) => Number.isFinite(row[key]));
      return { kind, name: keys[kind], points: rows.map((row) => [row.done, row[key], row.epoch]) };
    };
    const losses = [{ kind: "trail", points: trail }, curve("train", "loss"), curve("validation", "val_loss")];
    const last = Math.max(1, done, 0.15 * total);
    const highest = Math.max(0.01, ...losses.flatMap((each) => each.points.map((point) => point[1])));
    const best = [...losses[2].points].sort((a, b) => a[1] - b[1])[0];
    loss.draw(losses, { last, ceiling: roundUp(highest), best });
    accuracy.draw([curve("train", "accuracy"), curve("validation", "val_accuracy")], { last, ceiling: 1 });
  };
  const showState = () => {
    const now = view.get("state");
    const ended = now === "stopped" || now === "finished";
    const { done = 0, total = 0, left = null, elapsed = 0 } = view.get("progress");
    const epoch = view.get("history").at(-1)?.epoch;
    const rest = left === null ? "" : `${formatTime(left)} left`;
    const parts = [
      epoch ? `epoch ${epoch}` : "",
      total ? `batch ${done} of ${total}` : "",
      ended ? `took ${formatTime(elapsed)}` : rest,
    ];
    numbers.textContent = parts.filter(Boolean).join(" · ");
    bar.value = total ? done / total : 0;
    state.textContent = STATES[now];
    state.dataset.state = now;
    stopButton.hidden = ended;
    stopButton.disabled = now === "stopping";
  };
  view.onTrait("progress", () => (showState(), draw()));
  view.onTrait("history", draw);
  view.onTrait("state", showState);
  showState();
  draw();
  return view.close;
}

/** "0:42" or "1:05:03". */
function formatTime(seconds) {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${pad(minutes)}:${pad(rest)}` : `${minutes}:${pad(rest)}`;
}

export default { render };
