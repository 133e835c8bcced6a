// The player that every widget shares: picture, controls, timelines, keyboard. It knows nothing of the kernel.

const VIEWS = [["frames", "frames"], ["both", "frames and flow"], ["flow", "flow"]];

/**
 * Calls: `onSettled()` after a pause, a seek, a change of speed, loop or size; `onFrame(frame)` as frames go by;
 * `onView(view)`, without which no view can be chosen.
 */
function createStage({ onSettled = () => {}, onFrame = () => {}, onView = null } = {}) {
  const blobs = createBlobCache(2);
  let clip = { frames: 1, fps: 25 },
    timelines = [];

  const note = make("div", { class: "note", role: "status" });
  const scrub = make("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": "Frame", class: "scrub" });
  const count = make("span", { class: "count soft fine numbers", "aria-hidden": "true" });
  const strip = div("timelines");
  const head = div("head row");

  const showFrame = (frame) => {
    const words = `frame ${frame} / ${clip.frames - 1} · ${formatSeconds(frame / clip.fps)}`;
    scrub.value = frame;
    scrub.style.setProperty("--done", `${(100 * frame) / Math.max(1, clip.frames - 1)}%`);
    scrub.setAttribute("aria-valuetext", words);
    count.textContent = words;
    timelines.forEach((timeline) => timeline.setFrame(frame));
    onFrame(frame);
  };
  const showState = () => {
    playButton.relabel(engine.playing ? "pause" : "play", engine.playing ? "Pause (space)" : "Play (space)");
    loopButton.setAttribute("aria-pressed", String(engine.loop));
    const speeds = SPEEDS.includes(engine.speed) ? SPEEDS : [...SPEEDS, engine.speed];
    if (speed.options.length !== speeds.length) speed.fill(speeds.map(speedOption));
    speed.value = String(engine.speed);
  };
  const speedOption = (value) => [String(value), `${value}×`];
  const setNote = (text, problem = false) => {
    note.textContent = text;
    note.classList.toggle("problem", problem);
  };
  const engine = createPlayback({
    onFrame: showFrame,
    onState: showState,
    onSettled,
    onProblem: (reason) => setNote(reason, true),
  });
  const { video } = engine;
  const toggle = () => (engine.playing ? engine.pause() : engine.play());
  const step = (by) => (engine.pause(), engine.seek(engine.frame + by));
  const setSpeed = (value) => (engine.setSpeed(value), onSettled());
  const changeSpeed = (by) => {
    const at = SPEEDS.findIndex((value) => value >= engine.speed - 1e-6);
    setSpeed(SPEEDS[clamp(at + by, 0, SPEEDS.length - 1)]);
  };
  const readSize = () => (el.classList.contains("small") ? "small" : "full");
  const setSize = (size) => el.classList.toggle("small", size === "small");
  const switchSize = () => (setSize(readSize() === "small" ? "full" : "small"), onSettled());
  /** Shows frames, flow or both; a clip with flow has frames at the left and flow at the right of each picture. */
  const setView = (value) => {
    views.value = value;
    screen.dataset.half = clip.flow && value !== "both" ? value : "";
    const ratio = (clip.width || 4) / (clip.height || 3);
    screen.style.setProperty("--ratio", clip.flow && value === "both" ? 2 * ratio : ratio);
  };
  const switchView = () => {
    const at = VIEWS.findIndex(([value]) => value === views.value);
    onView?.(VIEWS[(at + 1) % VIEWS.length][0]);
  };
  const switchLoop = () => (engine.setLoop(!engine.loop), onSettled());

  const playButton = iconButton("play", "Play (space)", toggle);
  playButton.classList.add("main");
  const loopButton = iconButton("loop", "Loop (L)", switchLoop, { "aria-pressed": "false" });
  const speed = choice("Speed ([ slower, ] faster)", SPEEDS.map(speedOption), (value) => setSpeed(Number(value)));
  speed.value = "1";
  const views = choice("View (V)", VIEWS, (value) => onView(value));
  scrub.addEventListener("input", () => engine.seek(Number(scrub.value)));
  video.addEventListener("click", toggle);

  const controls = make(
    "div",
    { class: "controls row", role: "group", "aria-label": "Playback" },
    playButton,
    iconButton("back", "One frame back (←)", () => step(-1)),
    iconButton("forward", "One frame forward (→)", () => step(1)),
    span("gap"),
    onView && views,
    speed,
    loopButton,
    iconButton("size", "Full width or small (F)", switchSize),
  );
  const screen = div("screen", video, note);
  const label = "Video player. Space plays, arrows step one frame, Home and End jump, brackets change the speed.";
  const el = make(
    "div",
    { class: "actlib-stage panel", tabindex: "0", role: "group", "aria-label": label },
    head,
    div("body", div("left", screen, div("place", scrub, count), controls), strip),
  );

  const actions = {
    " ": toggle,
    k: toggle,
    l: switchLoop,
    f: switchSize,
    v: switchView,
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    ArrowDown: () => step(-10),
    ArrowUp: () => step(10),
    Home: () => step(-clip.frames),
    End: () => step(clip.frames),
    "[": () => changeSpeed(-1),
    "]": () => changeSpeed(1),
  };
  onKeys(el, actions, ({ key, target, ctrlKey, metaKey, altKey }) => {
    const typing = target.tagName === "SELECT" && key.startsWith("Arrow");
    const pressing = target.tagName === "BUTTON" && key === " ";
    return typing || pressing || ctrlKey || metaKey || altKey;
  });

  return {
    el,
    engine,
    readSize,
    setSize,
    setView,
    get hasFlow() { return Boolean(clip.flow); },
    say: setNote,
    /** Says over the last picture that the kernel is busy. */
    wait: () => setNote("Waiting for the kernel: the clip plays as soon as it is free."),
    showPoster(bytes) {
      if (bytes?.byteLength) video.poster = blobs.put("poster", bytes, "image/jpeg");
    },
    /** Puts a clip in: its metadata, its bytes (none when it cannot be played; clip.problem says why), its timelines. */
    show(newClip, bytes, start = 0) {
      clip = { ...newClip, frames: Math.max(1, newClip.frames || 1), fps: newClip.fps || 25 };
      const drawn = (clip.verdicts || []).filter((verdict) => verdict.frames.length);
      timelines = drawn.map((verdict) => createTimeline(verdict, clip, engine.seek));
      head.replaceChildren(...describeClip(clip));
      strip.replaceChildren(...timelines.map((timeline) => timeline.el));
      el.classList.toggle("with-timelines", timelines.length > 0);
      el.classList.toggle("broken", Boolean(clip.problem));
      setView(clip.flow ? views.value : "frames");
      scrub.max = clip.frames - 1;
      setNote(clip.problem || "", Boolean(clip.problem));
      engine.load(bytes ? blobs.put("clip", bytes, "video/mp4") : null, clip, start);
    },
    close() {
      engine.close();
      blobs.close();
    },
  };
}

/** Class, chips, file name and, where no timeline shows them, the verdicts on a clip. */
function describeClip(clip) {
  const { class_name, file = "", group, subset, width, height, fps, problem, verdicts = [] } = clip;
  const chips = [
    group === null || group === undefined ? "" : `group ${group}`,
    subset ? `${subset} split` : "",
    width && !problem ? `${width}×${height}, ${Number(fps.toFixed(2))} fps` : "",
  ];
  const quiet = verdicts.filter((verdict) => !verdict.frames.length);
  return [
    make("strong", {}, class_name || file || "clip"),
    ...chips.filter(Boolean).map((text) => span("chip", text)),
    ...quiet.map((verdict) => make("span", {}, verdict.name ? `${verdict.name} ` : "", verdictChip(verdict))),
    ...(class_name ? [make("span", { class: "file soft fine ellipsis", title: clip.name || "" }, file)] : []),
  ];
}

function formatSeconds(seconds) {
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")} min`;
}
