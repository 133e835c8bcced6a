// The player that every widget shares: picture, controls, timelines, keyboard. It knows nothing of the kernel.

/** Calls: `onSettled()` after a pause, a seek, a change of speed, loop or size; `show(clip, bytes)` puts a clip in. */
function createStage(onSettled = () => {}) {
  const shelf = makeBlobShelf(1);
  const posters = makeBlobShelf(1);
  const stage = { onFrame() {} }; // a widget may put its own in
  let clip = { frames: 1, fps: 25 },
    timelines = [];

  const note = make("div", { class: "note", role: "status" });
  const scrub = make("input", {
    type: "range",
    min: 0,
    max: 0,
    step: 1,
    value: 0,
    "aria-label": "Frame",
    class: "scrub",
  });
  const count = make("span", { class: "count", "aria-hidden": "true" });
  const strip = make("div", { class: "timelines" });
  const head = make("div", { class: "head" });

  const onFrame = (frame) => {
    scrub.value = frame;
    scrub.style.setProperty("--done", `${(100 * frame) / Math.max(1, clip.frames - 1)}%`);
    const words = `frame ${frame} / ${clip.frames - 1} · ${formatSeconds(frame / clip.fps)}`;
    scrub.setAttribute("aria-valuetext", words);
    count.textContent = words;
    timelines.forEach((timeline) => timeline.setFrame(frame));
    stage.onFrame(frame);
  };
  const onState = () => {
    playButton.relabel(engine.playing ? "pause" : "play", engine.playing ? "Pause (space)" : "Play (space)");
    loopButton.setAttribute("aria-pressed", String(engine.loop));
    const speeds = SPEEDS.includes(engine.speed) ? SPEEDS : [...SPEEDS, engine.speed];
    if (speed.options.length !== speeds.length) speed.fill(speeds.map(speedOption));
    speed.value = String(engine.speed);
  };
  const speedOption = (value) => [String(value), `${value}×`];
  const complain = (reason) => {
    note.textContent = reason;
    note.className = "note problem";
  };
  const engine = createPlayback({ onFrame, onState, onSettled, onProblem: complain });
  const { video } = engine;
  const toggle = () => (engine.playing ? engine.pause() : engine.play());
  const step = (by) => (engine.pause(), engine.seek(engine.frame + by));
  const nudgeSpeed = (by) => {
    const at = SPEEDS.findIndex((value) => value >= engine.speed - 1e-6);
    engine.setSpeed(SPEEDS[clamp(at + by, 0, SPEEDS.length - 1)]);
    onSettled();
  };
  const setSize = (size) => el.classList.toggle("small", size === "small");
  const switchSize = () => (setSize(el.classList.contains("small") ? "full" : "small"), onSettled());
  const switchLoop = () => (engine.setLoop(!engine.loop), onSettled());

  const playButton = iconButton("play", "Play (space)", toggle);
  playButton.classList.add("main");
  const loopButton = iconButton("loop", "Loop (L)", switchLoop, { "aria-pressed": "false" });
  const speed = choice("Speed ([ slower, ] faster)", SPEEDS.map(speedOption), (value) => {
    engine.setSpeed(Number(value));
    onSettled();
  });
  speed.value = "1";
  scrub.addEventListener("input", () => engine.seek(Number(scrub.value)));
  video.addEventListener("click", toggle);

  const controls = make(
    "div",
    { class: "controls", role: "group", "aria-label": "Playback" },
    playButton,
    iconButton("back", "One frame back (←)", () => step(-1)),
    iconButton("forward", "One frame forward (→)", () => step(1)),
    make("span", { class: "gap" }),
    speed,
    loopButton,
    iconButton("size", "Full width or small (F)", switchSize),
  );
  const screen = make("div", { class: "screen" }, video, note);
  const keyHelp = "Video player. Space plays, arrows step one frame, Home and End jump, brackets change the speed.";
  const el = make(
    "div",
    { class: "actlib-stage", tabindex: "0", role: "group", "aria-label": keyHelp },
    head,
    make(
      "div",
      { class: "body" },
      make("div", { class: "left" }, screen, make("div", { class: "place" }, scrub, count), controls),
      strip,
    ),
  );

  const keys = {
    " ": toggle,
    k: toggle,
    l: switchLoop,
    f: switchSize,
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    ArrowDown: () => step(-10),
    ArrowUp: () => step(10),
    Home: () => step(-clip.frames),
    End: () => step(clip.frames),
    "[": () => nudgeSpeed(-1),
    "]": () => nudgeSpeed(1),
  };
  el.addEventListener("keydown", (event) => {
    const typing = event.target.tagName === "SELECT" && event.key.startsWith("Arrow");
    const pressing = event.target.tagName === "BUTTON" && event.key === " ";
    const action = keys[event.key];
    if (!action || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    action();
  });

  Object.assign(stage, {
    el,
    engine,
    setSize,
    readSize: () => (el.classList.contains("small") ? "small" : "full"),
    /** Says what is being waited for, over the last picture. */
    wait(text) {
      note.textContent = text;
      note.className = "note";
    },
    showPoster(bytes) {
      if (bytes && bytes.byteLength) video.poster = posters.put("poster", bytes, "image/jpeg");
    },
    /** Puts a clip in: its facts, its bytes (null when it cannot be played; clip.problem says why), its timelines. */
    show(newClip, bytes, start = 0) {
      clip = { ...newClip, frames: Math.max(1, newClip.frames || 1), fps: newClip.fps || 25 };
      head.replaceChildren(...describeClip(clip));
      timelines = (clip.models || [])
        .filter((model) => model.frames.length)
        .map((model) => createTimeline(model, clip, engine.seek));
      strip.replaceChildren(...timelines.map((timeline) => timeline.el));
      el.classList.toggle("with-timelines", timelines.length > 0);
      screen.style.setProperty("--ratio", (clip.width || 4) / (clip.height || 3));
      scrub.max = clip.frames - 1;
      note.textContent = "";
      note.className = "note";
      if (clip.problem) complain(clip.problem);
      el.classList.toggle("broken", Boolean(clip.problem));
      engine.load(bytes ? shelf.put("clip", bytes, "video/mp4") : null, clip, start);
    },
    close() {
      engine.close();
      shelf.close();
      posters.close();
    },
  });
  return stage;
}

/** Class, chips, file name and verdicts of a clip. */
function describeClip(clip) {
  const chip = (text) => make("span", { class: "chip", text });
  const facts = [];
  if (clip.group !== null && clip.group !== undefined) facts.push(chip(`group ${clip.group}`));
  if (clip.subset) facts.push(chip(`${clip.subset} split`));
  if (clip.width && !clip.problem) facts.push(chip(`${clip.width}×${clip.height}, ${Number(clip.fps.toFixed(2))} fps`));
  const quiet = (clip.models || []).filter((model) => !model.frames.length && model.predicted);
  const verdicts = quiet.map((model) =>
    make(
      "span",
      { class: "said" },
      model.name ? `${model.name} ` : "",
      verdict(model.predicted, model.probability, model.correct),
    ),
  );
  const parts = [
    make("strong", { text: clip.class_name || clip.file || "clip" }),
    ...facts,
    ...verdicts,
    clip.class_name ? make("span", { class: "file", text: clip.file || "", title: clip.name || "" }) : null,
  ];
  return parts.filter(Boolean);
}
