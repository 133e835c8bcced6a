"""The sample set's seven activities: what a person and the things around them look like at each moment.

Each function of ACTIVITIES draws a moment, from 0 to 1 over the video: on a `Canvas`, of a `Look`, in a `Manner`.
"""

from collections import namedtuple
from math import cos, pi, radians, sin

from actlib.sample.canvas import palette, shade
from actlib.sample.people import ANKLE, STANDING, draw_front, draw_side

BRIGHTS = palette("e83c3c fac428 2896e6 3cb45a f06eb4")
QUARTERS = palette("e83c3c fac428 3cb45a 2896e6")  # of a wheel, clockwise
DARK = (60, 60, 66)
SWING = 0.4  # of a round: how far a wheel that turns both ways turns before it comes back

# which of BRIGHTS comes first, from where in its round, how many rounds in the video; and of a wheel, as we see it,
# which way it begins to turn, 1 clockwise or -1, and whether it comes back
Manner = namedtuple("Manner", "tint start tempo way back")


def _draw_wheel(canvas, look, *, moment, manner):
    """Draw somebody who turns a wheel, clockwise or anticlockwise as we see it, or one way and back."""
    rounds, facing = manner.tempo * moment, canvas.camera.facing
    turn = manner.start + manner.way * (SWING * sin(pi * rounds) if manner.back else rounds)
    _draw_shadow(canvas, -1.05, 0.34)
    canvas.path([(-0.3, 0.05), (0, 1.13), (0.3, 0.05)], 0.09, (120, 92, 70))
    canvas.disc((0, 1.13), 0.95, (90, 70, 60))
    for quarter, color in enumerate(QUARTERS):
        angles = [2 * pi * (turn + (quarter + step / 8) / 4) for step in range(9)]
        canvas.shape([(0, 1.13), *((0.9 * facing * sin(a), 1.13 + 0.9 * cos(a)) for a in angles)], color)
    canvas.disc((0, 1.13), 0.1, (250, 250, 245))
    hand = (-0.52 + 0.1 * facing * sin(2 * pi * turn), 1.2 + 0.1 * cos(2 * pi * turn))
    body = {"hip": (-1.05, STANDING), "shoulder": (-1.0, STANDING + 0.5)}
    draw_front(canvas, look, **body, hands=((-1.33, 0.95), hand), feet=((-1.19, ANKLE), (-0.91, ANKLE)))


def _draw_shadow(canvas, x, radius):
    canvas.disc((x, 0.03), radius, (20, 20, 40, 55), flat=0.14)


def _draw_cycling(canvas, look, *, moment, manner):
    """Draw somebody who rides a bicycle past us."""
    x, turn = -0.35 + 0.7 * moment, 2 * pi * (manner.start + 2.2 * manner.tempo * moment)
    crank, seat, bars = (x - 0.06, 0.31), (x - 0.22, 0.88), (x + 0.36, 0.95)
    pedals = [(crank[0] + s * 0.16 * sin(turn), crank[1] + s * 0.16 * cos(turn)) for s in (1, -1)]
    _draw_shadow(canvas, x, 0.8)
    _draw_bicycle(canvas, (x - 0.5, x + 0.52), (crank, seat, bars), turn, BRIGHTS[manner.tint % len(BRIGHTS)])
    canvas.limb(pedals[1], crank, 0.035, (90, 90, 96))
    feet = [(pedal[0] - 0.03, pedal[1] + 0.09) for pedal in pedals]
    hands = ((bars[0] + 0.04, bars[1] + 0.03), (bars[0] + 0.1, bars[1] + 0.04))
    draw_side(canvas, look, hip=(seat[0], seat[1] + 0.11), lean=38, hands=hands, feet=feet)
    canvas.limb(crank, pedals[0], 0.035, DARK)


def _draw_bicycle(canvas, hubs, joints, turn, color):
    (rear, front), (crank, seat, bars) = ((x, 0.33) for x in hubs), joints
    for x, y in (rear, front):
        for angle in (-turn * 1.6 + spoke * pi / 4 for spoke in range(4)):
            dx, dy = 0.3 * cos(angle), 0.3 * sin(angle)
            canvas.limb((x - dx, y - dy), (x + dx, y + dy), 0.01, (190, 190, 196))
        canvas.ring((x, y), 0.335, 0.045, (44, 44, 50))
    canvas.path([rear, crank, (front[0] - 0.2, 0.78), seat, rear], 0.045, color)
    canvas.limb(seat, crank, 0.045, color)
    canvas.path([front, bars, (bars[0] + 0.06, bars[1] + 0.03)], 0.045, shade(color, 0.8))
    canvas.limb((seat[0] - 0.1, seat[1] + 0.03), (seat[0] + 0.1, seat[1] + 0.03), (0.08, 0.05), (50, 46, 50))


def _draw_juggling(canvas, look, *, moment, manner):
    """Draw somebody who throws three balls from hand to hand."""
    _draw_shadow(canvas, 0.0, 0.34)
    beat = manner.start + 2.5 * manner.tempo * moment
    sway, hands = 0.02 * sin(2 * pi * beat), []
    for side, phase in ((-1, beat), (1, beat + 0.5)):  # a hand throws at phase 0 and catches a little further out
        hands.append((side * (0.3 + 0.07 * cos(2 * pi * phase)), 1.06 + 0.08 * sin(2 * pi * phase)))
    body = {"hip": (sway, STANDING), "shoulder": (sway * 0.5, STANDING + 0.5)}
    draw_front(canvas, look, **body, hands=hands, feet=((-0.14, ANKLE), (0.14, ANKLE)))
    for ball in range(3):
        half = ((beat + ball / 3) * 2) % 2  # up from one side to the other, and back
        side, share = (-1, half) if half < 1 else (1, half - 1)
        x, y = side * (0.34 - 0.68 * share), 1.16 + 3.6 * share * (1 - share)
        canvas.disc((x, y), 0.12, BRIGHTS[(manner.tint + ball) % len(BRIGHTS)])
        canvas.disc((x - 0.04, y + 0.045), 0.03, (255, 255, 255, 150))


def _draw_lifting(canvas, look, *, moment, manner):
    """Draw somebody who lifts a barbell from the floor over the head and lets it down again."""
    _draw_shadow(canvas, 0.0, 0.55)
    lift = 0.5 - 0.5 * cos(2 * pi * (manner.start + 1.3 * manner.tempo * moment))
    bar, crouch = 0.36 + 1.6 * lift, max(0.0, 1 - lift / 0.45) ** 1.3
    hip = (0.0, STANDING - 0.36 * crouch)
    shoulder = (0.0, hip[1] + 0.5 - 0.1 * crouch)
    hands, feet = ((-0.36, bar), (0.36, bar)), ((-0.2, ANKLE), (0.2, ANKLE))
    behind, color = bar > shoulder[1] + 0.2, BRIGHTS[manner.tint % len(BRIGHTS)]
    if behind:
        _draw_barbell(canvas, bar, color)
    draw_front(canvas, look, hip=hip, shoulder=shoulder, hands=hands, feet=feet)
    if not behind:
        _draw_barbell(canvas, bar, color)
        for hand in hands:
            canvas.disc(hand, 0.048, look.skin)


def _draw_barbell(canvas, y, color):
    canvas.limb((-0.95, y), (0.95, y), 0.035, (120, 122, 130))
    for x, height, tone in ((0.7, 0.6, color), (0.79, 0.48, shade(color, 0.75)), (0.87, 0.34, DARK)):
        for side in (-x, x):
            canvas.limb((side, y - height / 2), (side, y + height / 2), 0.095, tone)


def _draw_hooping(canvas, look, *, moment, manner):
    """Draw somebody who swings a hoop around the waist."""
    _draw_shadow(canvas, 0.0, 0.42)
    turn = 2 * pi * (manner.start + 3.0 * manner.tempo * moment)
    sway, hoop = 0.07 * cos(turn), []
    for angle in (radians(180 * step / 24) for step in range(49)):  # the far half, then the near one
        x = 0.7 * cos(angle)
        hoop.append((-1.6 * sway + x, 1.06 + 0.05 * sin(turn) + 0.2 * sin(angle) + 0.12 * sin(turn) * x))
    colors = (255, 255, 255), BRIGHTS[manner.tint % len(BRIGHTS)]
    _draw_stripes(canvas, hoop[:25], [shade(color, 0.8) for color in colors])
    hands = [(side * 0.62, 1.62 + 0.08 * sin(turn + side)) for side in (-1, 1)]
    body = {"hip": (sway, STANDING), "shoulder": (-0.3 * sway, STANDING + 0.5)}
    draw_front(canvas, look, **body, hands=hands, feet=((-0.13, ANKLE), (0.13, ANKLE)))
    _draw_stripes(canvas, hoop[24:], colors)


def _draw_stripes(canvas, points, colors):
    for number in range(0, 24, 3):
        canvas.path(points[number : number + 4], 0.085, colors[number % 2])


SIMILAR_CLASSES = ("WheelClockwise", "WheelAnticlockwise", "WheelBothWays")
ACTIVITIES = dict.fromkeys(SIMILAR_CLASSES, _draw_wheel) | {"Cycling": _draw_cycling, "HulaHooping": _draw_hooping}
ACTIVITIES |= {"Juggling": _draw_juggling, "WeightLifting": _draw_lifting}
