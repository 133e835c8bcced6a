"""People, drawn from the side and from the front: looks that differ, and poses given by where hands and feet are."""

from collections import namedtuple
from math import cos, dist, hypot, radians, sin, sqrt

from actlib.sample.canvas import blend, palette, shade

SKINS = palette("ffdbba f1c296 e0ac7d bc8258 8d5a3a 66422c")
HAIRS = palette("2c211c 543624 84522c cda056 a84828 969496")
SHIRTS = palette("e24a40 f4a62c 428cd2 7a50b2 70ba48 e26896 28a094 343e58")
TROUSERS = palette("2e3e6e 3e3e46 966e4c 5c323e 285c62 56663c")
SHOES = palette("f5f5f5 28282e d63e36 fac83c")
HAIRCUTS = ("short", "long", "bun", "curly", "cap", "bald")

UPPER_ARM, FOREARM, THIGH, SHIN, TORSO, HEAD = 0.29, 0.28, 0.43, 0.42, 0.5, 0.13  # metres
ANKLE = 0.07  # metres above the ground
STANDING = ANKLE + THIGH + SHIN - 0.01  # height of the hips on straight legs

# colors, one of HAIRCUTS, and `build` that multiplies the thickness of body and limbs
Look = namedtuple("Look", "skin hair haircut shirt trousers shoes long_sleeves shorts build")


def choose_look(rng) -> Look:
    """Choose somebody's look at random.

    Args:
        rng: a NumPy `Generator`.
    """
    options = (SKINS, HAIRS, HAIRCUTS, SHIRTS, TROUSERS, SHOES)
    chosen = [option[rng.integers(len(option))] for option in options]
    return Look(*chosen, bool(rng.random() < 0.4), bool(rng.random() < 0.35), float(rng.uniform(0.92, 1.15)))


def draw_side(canvas, look, *, hip, lean, hands, feet):
    """Draw a person who faces right.

    Args:
        canvas, look, hip, hands, feet: as for `draw_front`; the near ones come first.
        lean: degrees forward.
    """
    up = (sin(radians(lean)), cos(radians(lean)))
    shoulder = (hip[0] + TORSO * up[0], hip[1] + TORSO * up[1])
    _draw_arm(canvas, look, shoulder, hands[1], side=-1, dim=0.78)
    for foot, dim in ((feet[1], 0.78), (feet[0], 1.0)):
        _draw_leg(canvas, look, hip, foot, side=1, dim=dim, turn=1)
    canvas.limb(hip, blend(hip, shoulder, 0.12), 0.25 * look.build, look.trousers)
    chest = (shoulder[0] - 0.06 * up[0], shoulder[1] - 0.06 * up[1])
    canvas.limb(blend(hip, shoulder, 0.24), chest, (0.235 * look.build, 0.26 * look.build), look.shirt)
    head = (shoulder[0] + 0.21 * sin(radians(lean * 0.7)) + 0.02, shoulder[1] + 0.21 * cos(radians(lean * 0.7)))
    canvas.limb(shoulder, head, 0.1, shade(look.skin, 0.9))
    _draw_head_side(canvas, look, head)
    _draw_arm(canvas, look, shoulder, hands[0], side=-1, dim=0.92)


def draw_front(canvas, look, *, hip, shoulder, hands, feet):
    """Draw a person who looks at us.

    Args:
        canvas: a `Canvas`.
        look: a `Look`.
        hip, shoulder: (x, y) of their middles, metres to the right of the picture's middle and above the ground.
        hands: (x, y) of the left and of the right one, as we see them.
        feet: (x, y) of the ankles, likewise.
    """
    wide, head = 0.18 * look.build, (shoulder[0], shoulder[1] + 0.23)
    _draw_back_hair(canvas, look, head, reach=0.0)
    for side, foot in zip((-1, 1), feet, strict=True):
        _draw_leg(canvas, look, (hip[0] + side * 0.085, hip[1]), foot, side=side, dim=1.0, turn=side * 0.5)
    canvas.limb((hip[0] - 0.07, hip[1] + 0.04), (hip[0] + 0.07, hip[1] + 0.04), 0.2 * look.build, look.trousers)
    corners = [(shoulder[0] - wide, shoulder[1]), (shoulder[0] + wide, shoulder[1])]
    waist = blend(hip, shoulder, 0.24)
    corners += [(waist[0] + wide * 0.86, waist[1]), (waist[0] - wide * 0.86, waist[1])]
    canvas.shape(corners, look.shirt)
    canvas.limb(*[(x, y - 0.015) for x, y in corners[:2]], 0.13, look.shirt)
    canvas.limb(*[(x * 0.8 + waist[0] * 0.2, y) for x, y in corners[2:]], 0.09, look.shirt)
    canvas.limb((shoulder[0], shoulder[1] + 0.02), head, 0.1, shade(look.skin, 0.9))
    _draw_head_front(canvas, look, head)
    for side, hand in zip((-1, 1), hands, strict=True):
        joint = (shoulder[0] + side * wide, shoulder[1] - 0.02)
        low = hand[1] < joint[1]
        short = min(1.0, dist(joint, hand) / 0.5) if low else 1.0  # bent arms point at us
        _draw_arm(canvas, look, joint, hand, side=side if low else -side, dim=0.92, short=short)


def _bend(start, end, lengths, *, side):
    """Find the joint of two bones, metres long, left (side 1) or right (-1) of their line, and how far they reach."""
    upper, lower = lengths
    distance = hypot(end[0] - start[0], end[1] - start[1])
    reach = min(max(distance, abs(upper - lower) + 1e-6), (upper + lower) * 0.9999)
    ux, uy = (end[0] - start[0]) / distance, (end[1] - start[1]) / distance
    along = (reach**2 + upper**2 - lower**2) / (2 * reach)
    across = side * sqrt(max(upper**2 - along**2, 0.0))
    joint = (start[0] + ux * along - uy * across, start[1] + uy * along + ux * across)
    return joint, (start[0] + ux * reach, start[1] + uy * reach)


def _draw_arm(canvas, look, shoulder, hand, *, side, dim, short=1.0):
    elbow, hand = _bend(shoulder, hand, (UPPER_ARM * short, FOREARM * short), side=side)
    sleeve, skin = shade(look.shirt, dim), shade(look.skin, min(1.0, dim + 0.06))
    canvas.limb(elbow, hand, (0.085 * look.build, 0.065), sleeve if look.long_sleeves else skin)
    canvas.disc(hand, 0.045, skin)
    canvas.limb(shoulder, elbow, (0.115 * look.build, 0.09 * look.build), sleeve)


def _draw_leg(canvas, look, hip, foot, *, side, dim, turn):
    knee, ankle = _bend(hip, foot, (THIGH, SHIN), side=side)
    cloth, skin = shade(look.trousers, dim), shade(look.skin, dim)
    canvas.limb(knee, ankle, (0.125 * look.build, 0.085), skin if look.shorts else cloth)
    heel, toe = (ankle[0] - 0.02 * turn, ankle[1] - 0.03), (ankle[0] + 0.13 * turn, ankle[1] - 0.035)
    canvas.limb(heel, toe, (0.095, 0.07), shade(look.shoes, dim))
    canvas.limb(hip, knee, (0.19 * look.build, 0.135 * look.build), cloth)


def _draw_head_side(canvas, look, head):
    x, y = head
    _draw_back_hair(canvas, look, (x - 0.05, y), reach=-0.02)
    canvas.disc((x + 0.125, y - 0.015), 0.025, look.skin)
    canvas.disc(head, HEAD, look.skin, flat=1.08)
    canvas.disc((x + 0.07, y + 0.02), 0.014, (36, 30, 30))
    canvas.path([(x + 0.045, y - 0.062), (x + 0.07, y - 0.072), (x + 0.1, y - 0.06)], 0.014, shade(look.skin, 0.55))
    _draw_top_hair(canvas, look, head, start=42, end=208, peak=0.2)
    canvas.disc((x - 0.015, y - 0.01), 0.026, shade(look.skin, 0.86), flat=1.3)


def _draw_head_front(canvas, look, head):
    x, y = head
    for ear in (x - 0.125, x + 0.125):
        canvas.disc((ear, y - 0.01), 0.024, shade(look.skin, 0.88), flat=1.3)
    canvas.disc(head, HEAD, look.skin, flat=1.08)
    for eye in (x - 0.048, x + 0.048):
        canvas.disc((eye, y + 0.012), 0.015, (36, 30, 30))
    canvas.ring((x, y - 0.04), 0.045, 0.014, shade(look.skin, 0.55), flat=0.8, span=(25, 155))
    _draw_top_hair(canvas, look, head, start=18, end=162, peak=0.0)


def _draw_back_hair(canvas, look, centre, *, reach):
    x, y = centre
    if look.haircut == "long":
        canvas.limb((x + reach, y + 0.02), (x + reach, y - 0.19), (0.28, 0.23), look.hair)
    elif look.haircut == "bun":
        canvas.disc((x + reach, y + 0.17), 0.065, look.hair)
    elif look.haircut == "curly":
        canvas.disc((x - reach, y + 0.05), 0.175, look.hair, flat=0.95)


def _draw_top_hair(canvas, look, head, *, start, end, peak):
    """The hair from `start` to `end` degrees above the face, or a cap with its peak `peak` metres forward."""
    x, y = head
    if look.haircut == "bald":
        return
    color, radius = look.shoes if look.haircut == "cap" else look.hair, HEAD * 1.07
    angles = [radians(start + (end - start) * step / 16) for step in range(17)]
    canvas.shape([(x + radius * cos(a), y + radius * 1.08 * sin(a)) for a in angles], color)
    if look.haircut == "cap":
        rear, brim = ((x, y + 0.055), (x + peak, y + 0.055)) if peak else ((x - 0.1, y + 0.055), (x + 0.1, y + 0.05))
        canvas.limb(rear, brim, 0.035, shade(color, 0.8))
