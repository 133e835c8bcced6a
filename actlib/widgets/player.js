// ClipPlayer: one clip, its traits in step with the kernel. Frames are told to the kernel after a pause or a seek only.

function render({ model, el }) {
  const view = openView(model, el);
  let ready = false; // the clip is there: from now on the traits are in step

  const saveTraits = () => {
    if (!ready) return;
    const { playing, speed, loop } = engine;
    view.setTraits({ playing, speed, loop, size: stage.readSize() });
    if (!playing) view.setTraits({ frame: engine.frame });
  };
  const chooseView = (value) => (view.setTraits({ view: value }), showView());
  const stage = view.own(createStage({ onSettled: saveTraits, onView: chooseView }));
  const { engine } = stage;
  engine.video.addEventListener("play", saveTraits);
  view.show("player", "Clip player", stage.el);

  const on = (name, action) => view.onTrait(name, (value) => ready && action(value));
  on("frame", (frame) => frame !== engine.frame && engine.seek(frame));
  on("playing", (playing) => playing !== engine.playing && (playing ? engine.play() : engine.pause()));
  on("speed", (speed) => speed !== engine.speed && engine.setSpeed(speed));
  on("loop", (loop) => loop !== engine.loop && engine.setLoop(loop));
  on("size", (size) => stage.setSize(size));
  on("view", showView);

  const clip = view.get("clip");
  stage.show(clip, null, view.get("frame"));
  stage.setSize(view.get("size"));
  const poster = view.get("poster");
  stage.showPoster(poster && new Uint8Array(poster.buffer, poster.byteOffset, poster.byteLength));
  if (!clip.problem) fetchClip();

  function showView() {
    const value = view.get("view");
    if (value === "frames" || stage.hasFlow) stage.setView(value);
    else fetchClip();
  }

  /** Asks for the clip, with its flow where that is to be seen, and goes on where the player is. */
  async function fetchClip() {
    const flow = view.get("view") !== "frames";
    if (ready) stage.wait();
    const { content, buffers } = await view.ask("clip", { row: 0, flow }, stage.wait);
    if (ready && content.problem) return stage.say(content.problem);
    const [frame, playing] = ready ? [engine.frame, engine.playing] : [view.get("frame"), view.get("playing")];
    ready = false;
    stage.show({ ...clip, ...(content.clip ?? content) }, buffers[0], frame);
    engine.setSpeed(view.get("speed"));
    engine.setLoop(view.get("loop"));
    stage.setSize(view.get("size"));
    stage.setView(view.get("view"));
    ready = true;
    if (playing) engine.play();
  }

  return () => {
    ready = false;
    view.close();
  };
}

export default { render };
