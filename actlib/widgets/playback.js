// The player's engine: one <video> with frames that can be counted. Frame k is shown from k/fps to (k+1)/fps, so seeking
// aims at the middle, (k + 1/2)/fps, and what is on screen is read back from the frame's own time stamp.

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];

/** Calls: `onFrame(frame)` for each frame, `onState()` on play, pause, speed, loop; `onSettled()` after pause or seek. */
function createPlayback({ onFrame, onState, onSettled, onProblem }) {
  const video = make("video", { playsinline: true, preload: "auto", tabindex: "-1", "aria-hidden": "true" });
  video.muted = true;
  let numFrames = 1,
    fps = 25,
    frame = 0,
    target = null, // the frame to seek once the video can
    callback = 0,
    generation = 0, // of the loaded clip
    idle = null;

  const settle = () => {
    clearTimeout(idle);
    idle = setTimeout(onSettled, 120);
  };
  const setFrame = (next) => {
    frame = clamp(next, 0, numFrames - 1);
    onFrame(frame);
  };
  const onPicture = (_now, picture) => {
    callback = 0;
    if (!video.paused && target === null && !video.seeking)
      setFrame(Math.floor((picture ? picture.mediaTime : video.currentTime) * fps + 0.01));
    awaitPicture();
  };
  const awaitPicture = () => {
    if (callback || video.paused) return;
    const request = video.requestVideoFrameCallback?.bind(video) ?? requestAnimationFrame;
    callback = request(onPicture);
  };
  const seekTarget = () => {
    if (target === null || video.readyState < 1 || video.seeking) return;
    const at = (target + 0.5) / fps;
    target = null;
    video.currentTime = at;
  };
  const seek = (next) => {
    target = clamp(Math.round(next), 0, numFrames - 1);
    setFrame(target);
    seekTarget();
    settle();
  };
  const snap = () => {
    if (video.ended) setFrame(numFrames - 1);
    else if (target === null) seek(frame);
  };
  const unload = () => {
    generation++;
    video.pause();
    video.removeAttribute("src");
  };

  video.addEventListener("seeked", seekTarget);
  video.addEventListener("loadedmetadata", seekTarget);
  video.addEventListener("play", () => (awaitPicture(), onState()));
  video.addEventListener("pause", () => (onState(), snap(), settle()));
  const explain = () => video.hasAttribute("src") && onProblem("This browser cannot play the H.264 copy.");
  video.addEventListener("error", explain);

  return {
    video,
    seek,
    pause: () => video.pause(),
    play() {
      if (!video.src) return;
      if (frame >= numFrames - 1) seek(0);
      const started = generation;
      const complain = (error) => started === generation && error.name !== "AbortError" && onProblem(error.message);
      video.play().catch(complain);
    },
    get frame() { return frame; },
    get playing() { return !video.paused && !video.ended; },
    get speed() { return video.playbackRate; },
    get loop() { return video.loop; },
    setSpeed(speed) {
      video.playbackRate = video.defaultPlaybackRate = clamp(speed, SPEEDS[0], SPEEDS.at(-1));
      onState();
    },
    setLoop(loop) {
      video.loop = loop;
      onState();
    },
    load(url, clip, start) {
      unload();
      numFrames = clip.frames;
      fps = clip.fps;
      if (url) video.src = url;
      video.load();
      target = clamp(start, 0, numFrames - 1);
      setFrame(target);
    },
    close() {
      clearTimeout(idle);
      unload();
      video.load();
    },
  };
}
