"""The sample set's seven activities: what a person and the things around them look like at each moment.

Each function draws one moment of one activity on a `Canvas`: a person of a `Look`, in a `Manner`; the moment runs from
0 to 1 over the video.
"""

from dataclasses import dataclass
from math import cos, pi, radians, sin

from actlib.sample.canvas import blend, shade
from actlib.sample.people import ANKLE, STANDING, draw_front, draw_side, swing

WOODS = ((150, 96, 56), (196, 70, 60), (60, 110, 150), (70, 70, 78), (214, 170, 70))
BRIGHTS = ((232, 60, 60), (250, 196, 40), (40, 150, 230), (60, 180, 90), (240, 110, 180))


@dataclass(frozen=True)
class Manner:
    """How it is done: in which colors, from where in its round, and how fast."""

    tint: int = 0  # which color of WOODS or BRIGHTS comes first
    start: float = 0.0  # part of a round
    tempo: float = 1.0  # multiplies the rounds a video


def draw_sitting(canvas, look, *, moment, manner):
    """Draw a chair, and somebody who stands before it (moment 0), is halfway down, or sits on it (moment 1)."""
    _draw_shadow(canvas, -0.12, 0.5)
    share = 0.5 * moment + 0.5 * moment * moment * (3 - 2 * moment)  # gentle at both ends
    hip = (0.14 - 0.48 * share, STANDING - (STANDING - 0.5) * share)
    lean = 4 + 38 * sin(pi * share) - 6 * share
    _draw_chair(canvas, (-0.4, 0.4), WOODS[manner.tint % len(WOODS)])
    hang = (hip[0] + 0.02, hip[1])
    reach = (hip[0] + 0.62, hip[1] + 0.42)
    rest = (hip[0] + 0.35, hip[1] + 0.1)
    hand = blend(blend(hang, reach, share), blend(reach, rest, share), share)
    hands = (hand, (hand[0] + 0.07, hand[1] + 0.02))
    draw_side(canvas, look, hip=hip, lean=lean, hands=hands, feet=((0.14, ANKLE), (0.21, ANKLE + 0.02)))


def _draw_shadow(canvas, x, radius):
    canvas.disc((x, 0.03), radius, (20, 20, 40, 55), flat=0.14)


def _draw_chair(canvas, seat, color):
    x, y = seat
    for dx, dim in ((-0.16, 0.7), (0.2, 0.7), (-0.22, 1.0), (0.14, 1.0)):
        canvas.limb((x + dx, y), (x + dx * 1.15, 0.02 if dim == 1.0 else 0.06), 0.05, shade(color, dim))
    canvas.limb((x - 0.22, y), (x - 0.3, y + 0.55), 0.055, color)
    canvas.limb((x - 0.27, y + 0.32), (x - 0.3, y + 0.52), 0.085, shade(color, 1.15))
    canvas.limb((x - 0.22, y), (x + 0.18, y), 0.075, shade(color, 1.15))


def draw_cycling(canvas, look, *, moment, manner):
    """Draw somebody who rides a bicycle past us."""
    x = -0.35 + 0.7 * moment
    turn = 2 * pi * (manner.start + 2.2 * manner.tempo * moment)
    crank, seat, bars = (x - 0.06, 0.31), (x - 0.22, 0.88), (x + 0.36, 0.95)
    pedals = [(crank[0] + s * 0.16 * sin(turn), crank[1] + s * 0.16 * cos(turn)) for s in (1, -1)]
    _draw_shadow(canvas, x, 0.8)
    _draw_wheels(canvas, (x - 0.5, x + 0.52), turn)
    _draw_frame(canvas, x, (crank, seat, bars), BRIGHTS[manner.tint % len(BRIGHTS)])
    canvas.limb(pedals[1], crank, 0.035, (90, 90, 96))
    feet = [(pedal[0] - 0.03, pedal[1] + 0.09) for pedal in pedals]
    hands = ((bars[0] + 0.04, bars[1] + 0.03), (bars[0] + 0.1, bars[1] + 0.04))
    draw_side(canvas, look, hip=(seat[0], seat[1] + 0.11), lean=38, hands=hands, feet=feet)
    canvas.limb(crank, pedals[0], 0.035, (60, 60, 66))


def _draw_wheels(canvas, hubs, turn):
    for x in hubs:
        for spoke in range(4):
            angle = -turn * 1.6 + spoke * pi / 4
            dx, dy = 0.3 * cos(angle), 0.3 * sin(angle)
            canvas.limb((x - dx, 0.33 - dy), (x + dx, 0.33 + dy), 0.01, (190, 190, 196))
        canvas.ring((x, 0.33), 0.335, 0.045, (44, 44, 50))


def _draw_frame(canvas, x, joints, color):
    crank, seat, bars = joints
    rear, front, head = (x - 0.5, 0.33), (x + 0.52, 0.33), (x + 0.32, 0.78)
    canvas.path([rear, crank, head, seat, rear], 0.045, color)
    canvas.limb(seat, crank, 0.045, color)
    canvas.path([front, bars, (bars[0] + 0.06, bars[1] + 0.03)], 0.045, shade(color, 0.8))
    canvas.limb((seat[0] - 0.1, seat[1] + 0.03), (seat[0] + 0.1, seat[1] + 0.03), (0.08, 0.05), (50, 46, 50))


def draw_juggling(canvas, look, *, moment, manner):
    """Draw somebody who throws three balls from hand to hand."""
    _draw_shadow(canvas, 0.0, 0.34)
    beat = manner.start + 2.5 * manner.tempo * moment
    sway = 0.02 * sin(2 * pi * beat)
    hands = [_carry(side, beat + offset) for side, offset in ((-1, 0.0), (1, 0.5))]
    hip, shoulder = (sway, STANDING), (sway * 0.5, STANDING + 0.5)
    draw_front(canvas, look, hip=hip, shoulder=shoulder, hands=hands, feet=((-0.14, ANKLE), (0.14, ANKLE)))
    for ball in range(3):
        place = _fly(beat + ball / 3)
        canvas.disc(place, 0.12, BRIGHTS[(manner.tint + ball) % len(BRIGHTS)])
        canvas.disc((place[0] - 0.04, place[1] + 0.045), 0.03, (255, 255, 255, 150))


def _carry(side, phase):
    """Compute where a hand is that throws at phase 0 and catches a little further out."""
    return side * (0.3 + 0.07 * cos(2 * pi * phase)), 1.06 + 0.08 * sin(2 * pi * phase)


def _fly(phase):
    """Compute where a ball is that is thrown up from one side to the other and back within one round."""
    half = (phase * 2) % 2
    side, share = (-1, half) if half < 1 else (1, half - 1)
    return side * (0.34 - 0.68 * share), 1.16 + 3.6 * share * (1 - share)


def draw_lifting(canvas, look, *, moment, manner):
    """Draw somebody who lifts a barbell from the floor over the head and lets it down again."""
    _draw_shadow(canvas, 0.0, 0.55)
    lift = swing(manner.start + 1.3 * manner.tempo * moment)
    bar = 0.36 + 1.6 * lift
    crouch = max(0.0, 1 - lift / 0.45) ** 1.3
    hip = (0.0, STANDING - 0.36 * crouch)
    shoulder = (0.0, hip[1] + 0.5 - 0.1 * crouch)
    feet = ((-0.2, ANKLE), (0.2, ANKLE))
    behind = bar > shoulder[1] + 0.2
    if behind:
        _draw_barbell(canvas, bar, BRIGHTS[manner.tint % len(BRIGHTS)])
    draw_front(canvas, look, hip=hip, shoulder=shoulder, hands=((-0.36, bar), (0.36, bar)), feet=feet)
    if not behind:
        _draw_barbell(canvas, bar, BRIGHTS[manner.tint % len(BRIGHTS)])
        for side in (-1, 1):
            canvas.disc((side * 0.36, bar), 0.048, look.skin)


def _draw_barbell(canvas, y, color):
    canvas.limb((-0.95, y), (0.95, y), 0.035, (120, 122, 130))
    for side in (-1, 1):
        for place, size, tone in ((0.7, 0.6, color), (0.79, 0.48, shade(color, 0.75)), (0.87, 0.34, (60, 60, 66))):
            canvas.limb((side * place, y - size / 2), (side * place, y + size / 2), 0.095, tone)


def draw_hooping(canvas, look, *, moment, manner):
    """Draw somebody who swings a hoop around the waist."""
    _draw_shadow(canvas, 0.0, 0.42)
    turn = 2 * pi * (manner.start + 3.0 * manner.tempo * moment)
    sway, tilt = 0.07 * cos(turn), 0.05 * sin(turn)
    hip, shoulder = (sway, STANDING), (-0.3 * sway, STANDING + 0.5)
    center, color = (-1.6 * sway, 1.06 + tilt), BRIGHTS[manner.tint % len(BRIGHTS)]
    _draw_hoop(canvas, center, color, sin(turn), front=False)
    hands = [(side * 0.62, 1.62 + 0.08 * sin(turn + side)) for side in (-1, 1)]
    draw_front(canvas, look, hip=hip, shoulder=shoulder, hands=hands, feet=((-0.13, ANKLE), (0.13, ANKLE)))
    _draw_hoop(canvas, center, color, sin(turn), front=True)


def _draw_hoop(canvas, center, color, slant, *, front):
    """Draw the far half of the hoop, or the near one, with its stripes."""
    points = []
    for step in range(25):
        angle = radians(180 * step / 24 + (180 if front else 0))
        dx = 0.7 * cos(angle)
        points.append((center[0] + dx, center[1] + 0.2 * sin(angle) + 0.12 * slant * dx))
    for number in range(0, 24, 3):
        tone = color if number % 2 else (255, 255, 255)
        canvas.path(points[number : number + 4], 0.085, shade(tone, 1.0 if front else 0.8))
