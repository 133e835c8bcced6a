"""One video of the sample set: who does what, where, in which order of frames -> its pixels.

Three activities are *similar*: the videos of one person are the same frames in another order, so a single frame whose
place is not known cannot tell them apart; a first frame tells StandingUp from the others. The other four are
*different*: every frame shows what they are.
"""

from collections import namedtuple

import numpy as np

from actlib.sample import activities
from actlib.sample.canvas import HEIGHT, WIDTH, Camera, Canvas
from actlib.sample.people import choose_look
from actlib.sample.scenes import draw_scene

SIMILAR_CLASSES = ("SittingDown", "StandingUp", "ChairSquat")
DRAW = {"Cycling": activities.draw_cycling, "HulaHooping": activities.draw_hooping}
DRAW |= {"Juggling": activities.draw_juggling, "WeightLifting": activities.draw_lifting}
DIFFERENT_CLASSES = tuple(DRAW)
SAMPLE_CLASSES = SIMILAR_CLASSES + DIFFERENT_CLASSES

SEED = 7  # of who, where and how fast
LENGTHS = (32, 34, 36)  # frames; even, so that half of them can go there and half come back

# what all activities of one group and clip share
Scene = namedtuple("Scene", "look camera num_frames manner group")


def choose_scene(group, clip) -> Scene:
    """Choose who, where, through which camera and how fast the videos of one group and clip are.

    The person and the place are the group's: 1 to 25 in the sample set, others give people and places that it does not
    have. Clips are 1 or 2.
    """
    group_rng, rng = np.random.default_rng([SEED, group]), np.random.default_rng([SEED, group, clip])
    look = choose_look(group_rng)
    light = group_rng.uniform(0.93, 1.04) * group_rng.uniform(0.97, 1.03, 3)
    zoom = group_rng.uniform(88, 100) * rng.uniform(0.97, 1.03)
    middle, ground = WIDTH / 2 + rng.uniform(-14, 14), 218 + rng.uniform(-6, 6)
    camera = Camera(zoom, middle, ground, tuple(light.tolist()))
    manner = activities.Manner(int(group_rng.integers(5)), start=rng.random(), tempo=rng.uniform(0.8, 1.25))
    return Scene(look, camera, int(rng.choice(LENGTHS)), manner, group)


def order_frames(class_name, num_frames) -> list[int]:
    """Order an even number of poses, from standing (0) to sitting, as a similar class shows them, each once.

    ChairSquat goes down by every second pose and comes up by those between.

    Example:
        >>> [order_frames(name, 6) for name in SIMILAR_CLASSES]
        [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [0, 2, 4, 5, 3, 1]]
    """
    poses = list(range(num_frames))
    return {"SittingDown": poses, "StandingUp": poses[::-1], "ChairSquat": poses[::2] + poses[::-2]}[class_name]


def render_video(class_name, *, group, clip) -> np.ndarray:
    """Draw one video of the sample set, group 1 to 25, clip 1 or 2: uint8 RGB frames (F, 240, 320, 3), 25 a second."""
    if class_name not in SAMPLE_CLASSES:
        raise ValueError(f"Expected one of {SAMPLE_CLASSES}. Received: {class_name!r}. Choose one of them.")
    frames = draw_frames(DRAW.get(class_name, activities.draw_sitting), choose_scene(group, clip))
    return frames[order_frames(class_name, len(frames))] if class_name in SIMILAR_CLASSES else frames


def draw_frames(draw, scene) -> np.ndarray:
    """Draw one activity in a scene; your own, too, if you want to see what a model predicts for what it never saw.

    Args:
        draw: a function like those of `activities`.
        scene: what `choose_scene` gave.

    Returns:
        uint8 RGB frames (F, 240, 320, 3), 25 a second.
    """
    backdrop = draw_scene(scene.group, scene.camera, rng=np.random.default_rng([SEED, scene.group]))
    frames = np.empty((scene.num_frames, HEIGHT, WIDTH, 3), np.uint8)
    for number in range(scene.num_frames):
        canvas = Canvas(backdrop, scene.camera)
        draw(canvas, scene.look, moment=number / (scene.num_frames - 1), manner=scene.manner)
        frames[number] = canvas.finish()
    return frames
