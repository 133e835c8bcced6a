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
  const stage = view.own(createStage({ onSettled: saveTraits }));
  const { engine } = stage;
  engine.video.addEventListener("play", saveTraits);
  view.show("player", "Clip player", stage.el);

  const on = (name, action) => view.onTrait(name, (value) => ready && action(value));
  on("frame", (frame) => frame !== engine.frame && engine.seek(frame));
  on("playing", (playing) => playing !== engine.playing && (playing ? engine.play() : engine.pause()));
  on("speed", (speed) => speed !== engine.speed && engine.setSpeed(speed));
  on("loop", (loop) => loop !== engine.loop && engine.setLoop(loop));
  on("size", (size) => stage.setSize(size));

  const clip = view.get("clip");
  stage.show(clip, null, view.get("frame"));
  stage.setSize(view.get("size"));
  if (!clip.problem) fetchClip();

  async function fetchClip() {
    const poster = view.get("poster");
    stage.showPoster(poster && new Uint8Array(poster.buffer, poster.byteOffset, poster.byteLength));
    const { content, buffers } = await view.ask("clip", { row: 0 }, stage.wait);
    stage.show({ ...clip, ...(content.clip ?? content) }, buffers[0], view.get("frame"));
    engine.setSpeed(view.get("speed"));
    engine.setLoop(view.get("loop"));
    stage.setSize(view.get("size"));
    ready = true;
    if (view.get("playing")) engine.play();
  }

  return () => {
    ready = false;
    view.close();
  };
}

export default { render };
