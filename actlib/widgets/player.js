// ClipPlayer: one clip, its traits in step with the kernel. Frames are told to the kernel after a pause or a seek only.

function render({ model, el }) {
  const cleanups = [];
  const line = openLine(model);
  let leading = false;

  const tellKernel = () => {
    if (!leading) return;
    lead(model, { playing: engine.playing, speed: engine.speed, loop: engine.loop, size: stage.readSize() });
    if (!engine.playing) lead(model, { frame: engine.frame });
  };
  const stage = createStage(tellKernel);
  stage.engine.video.addEventListener("play", tellKernel);
  const root = makeRoot("player", "Clip player", stage.el);
  el.replaceChildren(root);

  const { engine } = stage;
  const on = (name, action) => follow(model, name, (value) => leading && action(value), cleanups);
  on("frame", (frame) => frame !== engine.frame && engine.seek(frame));
  on("playing", (playing) => playing !== engine.playing && (playing ? engine.play() : engine.pause()));
  on("speed", (speed) => speed !== engine.speed && engine.setSpeed(speed));
  on("loop", (loop) => loop !== engine.loop && engine.setLoop(loop));
  on("size", (size) => stage.setSize(size));

  const clip = model.get("clip");
  stage.show({ ...clip, problem: null }, null, model.get("frame"));
  stage.setSize(model.get("size"));
  if (clip.problem) stage.show(clip, null);
  else fetchClip();

  async function fetchClip() {
    const poster = model.get("poster");
    stage.showPoster(poster && new Uint8Array(poster.buffer, poster.byteOffset, poster.byteLength));
    const hint = setTimeout(() => stage.wait("Waiting for the kernel: the clip plays as soon as it is free."), 3000);
    cleanups.push(() => clearTimeout(hint));
    const { content, buffers } = await line.ask("clip", { row: 0 });
    clearTimeout(hint);
    stage.show({ ...clip, ...content.clip }, buffers[0] || null, model.get("frame"));
    engine.setSpeed(model.get("speed"));
    engine.setLoop(model.get("loop"));
    stage.setSize(model.get("size"));
    leading = true;
    if (model.get("playing")) engine.play();
  }

  return () => {
    leading = false;
    cleanups.forEach((clean) => clean());
    line.close();
    stage.close();
    el.replaceChildren();
  };
}

export default { render };
