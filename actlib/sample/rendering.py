"""One video of the sample set: who does what, where, in which order of frames -> its pixels.

Three activities are *similar*: the videos of one person are the same frames in another order, so a single frame cannot
tell them apart. The other four are *different*: every frame shows what they are.
"""

from dataclasses import dataclass

import numpy as np

from actlib.sample.activities import Manner, draw_cycling, draw_hooping, draw_juggling, draw_lifting, draw_sitting
from actlib.sample.canvas import HEIGHT, WIDTH, Camera, Canvas
from actlib.sample.people import Look, choose_look
from actlib.sample.scenes import draw_scene

SIMILAR_CLASSES = ("SittingDown", "StandingUp", "ChairSquat")
DIFFERENT_CLASSES = ("Cycling", "HulaHooping", "Juggling", "WeightLifting")
SAMPLE_CLASSES = SIMILAR_CLASSES + DIFFERENT_CLASSES
DRAW = dict(zip(DIFFERENT_CLASSES, (draw_cycling, draw_hooping, draw_juggling, draw_lifting), strict=True))

SEED = 7  # of who, where and how fast
LENGTHS = (32, 34, 36)  # frames; even, so that half of them can go there and half come back


@dataclass(frozen=True)
class Scene:
    """What all activities of one group and clip share: who, where, through which camera, how long, how fast."""

    look: Look
    camera: Camera
    num_frames: int
    manner: Manner
    place: int
    place_seed: tuple[int, int]


def choose_scene(group, clip) -> Scene:
    """Choose what the videos of one group and clip share; the person and the place are the group's.

    Args:
        group: int, 1 to 25 in the sample set; others give people and places that it does not have.
        clip: int, 1 or 2.

    Example:
        >>> choose_scene(3, 1).look == choose_scene(3, 2).look
        True
    """
    group_rng, rng = np.random.default_rng([SEED, group]), np.random.default_rng([SEED, group, clip])
    look = choose_look(group_rng)
    light = group_rng.uniform(0.93, 1.04) * group_rng.uniform(0.97, 1.03, 3)
    zoom = group_rng.uniform(88, 100)
    camera = Camera(
        zoom=zoom * rng.uniform(0.97, 1.03),
        middle=WIDTH / 2 + rng.uniform(-14, 14),
        ground=218 + rng.uniform(-6, 6),
        light=tuple(float(gain) for gain in light),
    )
    manner = Manner(int(group_rng.integers(5)), start=float(rng.random()), tempo=float(rng.uniform(0.8, 1.25)))
    return Scene(look, camera, int(rng.choice(LENGTHS)), manner, place=group, place_seed=(SEED, group))


def order_frames(class_name, num_frames) -> list[int]:
    """Order frames as a similar class shows the poses from standing (0) to sitting.

    Args:
        class_name: one of SIMILAR_CLASSES.
        num_frames: how many poses there are, an even number.

    Returns:
        Each pose once. ChairSquat goes down by every second pose and comes up by those between.

    Example:
        >>> [order_frames(name, 6) for name in SIMILAR_CLASSES]
        [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 4, 5, 3, 1]]
    """
    poses = list(range(num_frames))
    return {"SittingDown": poses, "StandingUp": poses[::-1], "ChairSquat": poses[::2] + poses[::-2]}[class_name]


def render_video(class_name, *, group, clip) -> np.ndarray:
    """Draw one video of the sample set.

    Args:
        class_name: one of SAMPLE_CLASSES.
        group: 1 to 25, who and where.
        clip: 1 or 2.

    Returns:
        uint8 RGB frames (F, 240, 320, 3), 25 a second; the same pixels every time.

    Raises:
        ValueError: no such class.
    """
    if class_name not in SAMPLE_CLASSES:
        raise ValueError(f"Expected one of {SAMPLE_CLASSES}. Received: {class_name!r}. Choose one of them.")
    frames = draw_frames(DRAW.get(class_name, draw_sitting), choose_scene(group, clip))
    return frames[order_frames(class_name, len(frames))] if class_name in SIMILAR_CLASSES else frames


def draw_frames(draw, scene) -> np.ndarray:
    """Draw one activity in a scene; your own, too, if you want to see what a model predicts for what it never saw.

    Args:
        draw: a function like those of `activities`.
        scene: what `choose_scene` gave.

    Returns:
        uint8 RGB frames (F, 240, 320, 3), 25 a second.
    """
    backdrop = draw_scene(scene.place, scene.camera, rng=np.random.default_rng(scene.place_seed))
    frames = np.empty((scene.num_frames, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(scene.num_frames):
        canvas = Canvas(backdrop, scene.camera)
        draw(canvas, scene.look, moment=number / (scene.num_frames - 1), manner=scene.manner)
        frames[number] = canvas.finish()
    return frames
