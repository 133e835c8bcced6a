"""SamplingExplorer: choose a rule, T and a stride; see which frames are taken, and what they cost."""

import numpy as np
import traitlets

from actlib.plots import plot_sampling, show_frames
from actlib.specs import VGG16
from actlib.video import make_sampler, read_clip
from actlib.widgets.clips import STAGE_SCRIPTS, STAGE_STYLES, ClipWidget
from actlib.widgets.notebook import encode, join_files, write_lines
from actlib.widgets.player import tabulate_video

STRIDES = {"consecutive": 1, "windows": 8}  # what these rules begin with; the others have none
TILE = (72, 96)  # (H, W) of a taken frame, pixels
RULES = {
    "uniform": "The middle frames of {T} equal parts of the video.",
    "segments": "One random frame in each of {T} equal parts: other frames every time.",
    "consecutive": "{T} frames, {pace}, from a random start.",
    "windows": "{M} windows of {T} frames in a row, {stride} apart; the last ends at the last frame.",
}


class SamplingExplorer(ClipWidget):
    """Shows which frames of a video a sampling rule takes, on the strip and in the player, and what they cost.

    Args:
        video: a row of `list_videos`, or a path.
        traits: `rule` (one of RULES), `num_frames` (T, 1..64), `stride` (1..48, between frames in a row or between
            windows; a new rule begins with its own, see STRIDES) and `seed`.
    """

    _esm = join_files(*STAGE_SCRIPTS, "sampling.js")
    _css = join_files(*STAGE_STYLES, "sampling.css")

    rule = traitlets.Enum(tuple(RULES), "uniform").tag(sync=True)
    num_frames = traitlets.Int(16, min=1, max=64).tag(sync=True)
    stride = traitlets.Int(8, min=1, max=48).tag(sync=True)
    seed = traitlets.Int(0, min=0, max=2**32).tag(sync=True)
    taken = traitlets.List().tag(sync=True)
    costs = traitlets.List().tag(sync=True)
    summary = traitlets.Unicode("").tag(sync=True)

    def __init__(self, video, **traits):
        videos, self.problem = tabulate_video(video)
        super().__init__(videos, **{"stride": STRIDES.get(traits.get("rule"), 8), **traits})
        self.length, self.fps = int(videos["frames"].iloc[0]), float(videos["fps"].iloc[0])
        self.observe(self._choose, ["rule", "num_frames", "stride", "seed"])
        self._choose()

    def _choose(self, change=None):
        if change and change["name"] == "rule":
            self.stride = STRIDES.get(self.rule, self.stride)
        sampler = make_sampler(self.rule, self.num_frames, stride=self.stride if self.rule in STRIDES else None)
        clips = sampler(self.length, np.random.default_rng(self.seed))
        with self.hold_sync():
            self.summary = _describe_rule(self.rule, clips, self.length, stride=self.stride)
            self.costs = [list(row) for row in _list_costs(clips, self.length, fps=self.fps)]
            self.taken = clips.tolist()

    def handle_frames(self, content):
        """Reply with the frames of one clip, side by side."""
        frames = self.taken[max(0, min(int(content.get("clip", 0)), len(self.taken) - 1))]
        sheet = np.hstack(read_clip(self.locate(0), frames, size=TILE))
        return {"frames": frames}, [encode(sheet, "JPEG", quality=80)]

    def draw_still(self):
        """Draw frames from all over the video, below them which are taken in each clip, and the costs."""
        costs = (f"{name}: {value} ({remark})" for name, value, remark in self.costs)
        taken = plot_sampling({self.rule: np.array(self.taken[:12])}, self.length)
        return [show_frames(self.read_frames(0, 12, (60, 80)), columns=12), taken, write_lines(self.summary, *costs)]

    def __repr__(self):
        return f"SamplingExplorer: {self.summary or self.problem}"


def _describe_rule(rule, clips, num_video_frames, *, stride):
    """Say in a sentence what a rule took: `clips`, int (M, T), of a video of F frames."""
    pace = "in a row" if stride == 1 else f"one every {stride}"
    sentence = RULES[rule].format(M=len(clips), T=clips.shape[1], stride=stride, pace=pace)
    repeated = clips.size - sum(len(np.unique(clip)) for clip in clips)
    return sentence + (f" The video has {num_video_frames} frames: {repeated} are taken twice." if repeated else "")


def _count_operations(spec):
    """Count the multiplications and additions, each as one, of a VGG's convolutions for one frame."""
    inputs = (3, *(width for _, width in spec.blocks))
    blocks = enumerate(zip(spec.blocks, inputs, strict=False))
    return sum(18 * (spec.size >> k) ** 2 * width * (fed + (num - 1) * width) for k, ((num, width), fed) in blocks)


def _list_costs(clips, num_video_frames, *, fps):
    """What it costs to read frames (clips: int (M, T)) of a video and convolve them: [(what, how much, remark)]."""
    (num_clips, length), size, different = clips.shape, VGG16.size, len(np.unique(clips))
    operations, features = _count_operations(VGG16) / 1e9, different * VGG16.num_features * 2 / 2**20  # GFLOP, MB
    where = f"in {num_clips} clip{'s' * (num_clips > 1)} of {length}"
    cached = "no less if frames repeat, unless features are cached"
    gap = f"at most {np.diff(clips).max() / fps:.2f} s between two frames" if length > 1 else "one frame knows no order"
    return [
        ("frames taken", f"{clips.size}", f"{different} different ones of {num_video_frames}, {where}"),
        ("reading", f"{clips.max() + 1} frames", "decoded, up to the last that is taken"),
        ("pixels", f"{clips.size * size**2 * 3 / 2**20:.1f} MB", f"uint8, {size} × {size}; four times that as float32"),
        (f"arithmetic of {VGG16.name}", f"{clips.size * operations:,.0f} GFLOP", f"{operations:.1f} a frame; {cached}"),
        ("features cached", f"{features:.2f} MB", f"float16, {different} frames convolved once for all epochs"),
        ("time covered", f"{(np.ptp(clips) + 1) / fps:.2f} s", f"of {num_video_frames / fps:.2f} s; {gap}"),
    ]
