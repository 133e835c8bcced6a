"""One video of the sample set: who does what, where, how fast, which way -> its pixels.

Three activities are *similar*: somebody turns a wheel clockwise, anticlockwise, or one way and back, from any place of
its round. Whatever the moment of the video, a frame of one is as likely in the others; only frames together tell them
apart. The other four are *different*: the thing is in every frame, if small or half hidden. Four of five videos of a
class are in its usual place, the fifth where another class is usual: whoever goes by the scene is misled there.
"""

from collections import namedtuple
from math import pi, sin

import numpy as np
from PIL import Image

from actlib.sample.activities import ACTIVITIES, SIMILAR_CLASSES, Manner
from actlib.sample.canvas import WIDTH, Camera, Canvas
from actlib.sample.people import STANDING, choose_look, draw_side
from actlib.sample.scenes import HAZE, SCENES, SIZE
from actlib.schema import check_choice

SAMPLE_CLASSES = tuple(ACTIVITIES)
USUAL_PLACES = dict(zip(SAMPLE_CLASSES, ("room", "room", "room", "park", "beach", "roof", "gym"), strict=True))

SEED, ZOOM = 7, (48, 80)  # of who, where and how fast; pixels a metre
FPS, LENGTHS, ROUND = 25, range(50, 101), 1.5  # frames a second; frames; seconds of a usual round

# `closer` is how much the camera comes closer (below 0: goes back) in the video, `sway` is in pixels;
# `post` is None or where one stands, in metres, `passer` None or who walks past and when in the middle, in seconds
Scene = namedtuple("Scene", "look camera num_frames manner group place closer sway post passer")


def choose_scene(group, clip, class_name=SIMILAR_CLASSES[0]) -> Scene:
    """Choose who, where, through which camera and how fast a video is: the same for all similar classes but their way.

    Args:
        group: the person, 1 to 25 in the sample set; others give people that it does not have.
        clip: from 1.
        class_name: one of SAMPLE_CLASSES, else a ValueError.
    """
    check_choice("class_name", class_name, SAMPLE_CLASSES)
    number = max(2, SAMPLE_CLASSES.index(class_name))  # similar classes share theirs
    group_rng, rng = np.random.default_rng([SEED, group]), np.random.default_rng([SEED, group, clip, number])
    look, tint = choose_look(group_rng), int(group_rng.integers(5))
    light = group_rng.uniform(0.93, 1.04) * group_rng.uniform(0.97, 1.03, 3)
    zoom, facing = rng.uniform(*ZOOM), int(rng.choice((-1, 1)))
    ground = 112 + 1.13 * zoom + rng.uniform(-6, 6)  # who is further away stands higher in the picture
    camera = Camera(zoom, WIDTH / 2 + rng.uniform(-8, 8), ground, facing, tuple(light.tolist()))
    num_frames = LENGTHS[int(len(LENGTHS) * rng.random() ** 3)]
    tempo, way = rng.uniform(0.85, 1.2) * num_frames / FPS / ROUND, int(rng.choice((-1, 1)))
    if class_name in SIMILAR_CLASSES:  # whole rounds: as it begins, so it ends
        tempo, way = max(1, round(tempo)), {"WheelClockwise": 1, "WheelAnticlockwise": -1}.get(class_name, way)
    manner = Manner(tint, rng.random(), tempo, way, class_name == "WheelBothWays")
    place, others = USUAL_PLACES[class_name], [name for name in SCENES if name != USUAL_PLACES[class_name]]
    place = others[rng.integers(4)] if (group + clip + number) % 5 == 0 else place
    closer, sway = rng.choice((-0.15, 0, 0, 0.15)) * rng.random(), rng.choice((0, 4)) * rng.random()
    post = rng.uniform(-1.2, 1.2) if rng.random() < 0.25 else None
    passer = (choose_look(rng), rng.uniform(0.5, 2.5)) if rng.random() < 0.25 else None
    return Scene(look, camera, num_frames, manner, group, place, closer, sway, post, passer)


def draw_frames(draw, scene, *, numbers=None) -> np.ndarray:
    """Draw an activity in a scene, or your own, that a model never saw: uint8 RGB frames (F, 240, 320, 3), 25 a second.

    Args:
        draw: a function like those of `activities.ACTIVITIES`.
        scene: what `choose_scene` gave.
        numbers: which frames, from 0; None for all.
    """
    place = Canvas(Image.new("RGB", SIZE), scene.camera)
    SCENES[scene.place](place, np.random.default_rng([SEED, scene.group]))
    backdrop = Image.blend(place.image, Image.new("RGB", SIZE, HAZE), 0.12)  # far and pale, so that people stand out
    frames = []
    for number in range(scene.num_frames) if numbers is None else numbers:
        canvas, moment, seconds = Canvas(backdrop, scene.camera), number / (scene.num_frames - 1), number / FPS
        draw(canvas, scene.look, moment=moment, manner=scene.manner)
        if scene.passer:
            _draw_passer(canvas, scene.passer[0], seconds=seconds - scene.passer[1])
        if scene.post is not None:
            canvas.limb((scene.post, -0.4), (scene.post, 6), 0.16, (110, 104, 100))
        shifts = [scene.sway * sin(2 * pi * (rate * seconds + scene.sway)) for rate in (0.7, 1.1)]
        frames.append(canvas.finish(1 + max(0, -scene.closer) + scene.closer * moment, *shifts))
    return np.stack(frames)


def _draw_passer(canvas, look, *, seconds):
    """Draw somebody who walks through the picture, between us and the others, past its middle at 0 seconds."""
    x, step = 1.9 * seconds, 0.3 * sin(2 * pi * seconds)
    feet, hands = ((x + step, -0.03), (x - step, -0.03)), ((x + 0.05 - 0.6 * step, 0.85), (x + 0.05 + 0.6 * step, 0.85))
    draw_side(canvas, look, hip=(x, STANDING - 0.13 - 0.1 * abs(step)), lean=3, hands=hands, feet=feet)
