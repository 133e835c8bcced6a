// The player's engine: one <video> with frames that can be counted. Frame k is shown from k/fps to (k+1)/fps, so seeking
// aims at the middle, (k + 1/2)/fps, and what is on screen is read back from the frame's own time stamp.

const SPEEDS = [0.25, 0.5, 0.75, 1, 1.5, 2];

/** Calls: `onFrame(frame)` for each frame shown, `onState()` on play, pause, speed, loop; `onSettled()` after pause or seek. */
function createPlayback({ onFrame, onState, onSettled, onProblem }) {
  const video = make("video", {
    muted: true,
    playsinline: true,
    preload: "auto",
    tabindex: "-1",
    "aria-hidden": "true",
  });
  video.muted = true;
  let numFrames = 1,
    fps = 25,
    frame = 0,
    target = null,
    watch = 0,
    generation = 0,
    idle = null;

  const settle = () => {
    clearTimeout(idle);
    idle = setTimeout(onSettled, 120);
  };
  const say = (next) => {
    frame = clamp(next, 0, numFrames - 1);
    onFrame(frame);
  };
  const look = (_now, picture) => {
    watch = 0;
    if (!video.paused && target === null && !video.seeking)
      say(Math.floor((picture ? picture.mediaTime : video.currentTime) * fps + 0.01));
    listen();
  };
  const listen = () => {
    if (watch || video.paused) return;
    watch = video.requestVideoFrameCallback ? video.requestVideoFrameCallback(look) : requestAnimationFrame(look);
  };
  const aim = () => {
    if (target === null || video.readyState < 1 || video.seeking) return;
    const at = (target + 0.5) / fps;
    target = null;
    video.currentTime = at;
  };

  const seek = (next) => {
    target = clamp(Math.round(next), 0, numFrames - 1);
    say(target);
    aim();
    settle();
  };
  const play = () => {
    if (!video.src) return;
    if (frame >= numFrames - 1) seek(0);
    const started = generation;
    video
      .play()
      .catch((error) => started === generation && error.name !== "AbortError" && onProblem(String(error.message)));
  };
  const pause = () => video.pause();

  video.addEventListener("seeked", aim);
  video.addEventListener("loadedmetadata", aim);
  video.addEventListener("play", () => (listen(), onState()));
  video.addEventListener("pause", () => (onState(), snap(), settle()));
  video.addEventListener(
    "error",
    () => video.getAttribute("src") && onProblem("This browser cannot play the H.264 copy."),
  );
  const snap = () => {
    if (video.ended) say(numFrames - 1);
    else if (target === null) seek(frame);
  };

  return {
    video,
    seek,
    play,
    pause,
    get frame() {
      return frame;
    },
    get playing() {
      return !video.paused && !video.ended;
    },
    get speed() {
      return video.playbackRate;
    },
    get loop() {
      return video.loop;
    },
    setSpeed(speed) {
      video.playbackRate = video.defaultPlaybackRate = clamp(speed, SPEEDS[0], SPEEDS[SPEEDS.length - 1]);
      onState();
    },
    setLoop(loop) {
      video.loop = loop;
      onState();
    },
    load(url, clip, start) {
      generation++;
      numFrames = Math.max(1, clip.frames);
      fps = clip.fps;
      video.pause();
      if (url) video.src = url;
      else video.removeAttribute("src");
      video.load();
      target = clamp(start, 0, numFrames - 1);
      say(target);
    },
    close() {
      clearTimeout(idle);
      generation++;
      video.pause();
      video.removeAttribute("src");
      video.load();
    },
  };
}
