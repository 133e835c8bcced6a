"""Draw the two diagrams of the lessons as SVG on a white card, readable on light and dark pages: VGG-16 and LRCN.

python tools/draw_diagrams.py        writes assets/vgg16.svg and assets/lrcn.svg
"""

from html import escape
from pathlib import Path

from actlib import specs
from actlib.plots import CLASS_COLORS

ASSETS = Path(__file__).resolve().parent.parent / "assets"
INK, QUIET, LINE = "#333333", "#6B6B6B", "#9A9A9A"
CONVOLUTION, POOL, HEAD, LSTM = CLASS_COLORS[0], CLASS_COLORS[2], CLASS_COLORS[1], CLASS_COLORS[3]


def write(x, y, text, *, size=13, color=INK, anchor="middle", weight="normal"):
    """Write a line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{escape(text)}</text>'
    )


def draw_box(x, y, width, height, color, *, opacity=1.0, radius=3):
    """Draw a filled rectangle from its upper left corner."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius}" fill="{color}" '
        f'fill-opacity="{opacity}"/>'
    )


def draw_arrow(x, y, to_x, to_y, color=LINE):
    """Draw an arrow."""
    return (
        f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{color}" stroke-width="1.6" marker-end="url(#tip)"/>'
    )


def draw_person(x, y):
    """Draw somebody small who stands."""
    head = f'<circle cx="{x}" cy="{y}" r="5" fill="{INK}"/>'
    return f'{head}<path d="M{x} {y + 5}v14l-6 10m6-10l6 10" stroke="{INK}" stroke-width="2.4" fill="none"/>'


def make_card(width, height, title, parts):
    """Put parts on a white card with a frame, and a title for those who cannot see it."""
    tip = f'<path d="M0 0L8 4L0 8z" fill="{LINE}"/>'
    marker = f'<marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">{tip}</marker>'
    card = f'<rect x="1" y="1" width="{width - 2}" height="{height - 2}" rx="10" fill="#FFFFFF" stroke="#D8D8D8"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="DejaVu Sans, Verdana, sans-serif" role="img"><title>{escape(title)}</title>'
        f"<defs>{marker}</defs>{card}\n" + "\n".join(parts) + "\n</svg>\n"
    )


def count_parameters(blocks):
    """Count the weights and biases of all convolutions."""
    total, channels = 0, 3
    for num_convolutions, width in blocks:
        for _ in range(num_convolutions):
            total, channels = total + 9 * channels * width + width, width
    return total


def scale_height(share):
    """Turn a share of the frame's side into the height of a bar; small pictures stay visible."""
    return 200 * share**0.6


def draw_vgg(spec=specs.VGG16):
    """Draw VGG-16: its blocks as high as their pictures, with shapes, and a head."""
    middle, size, parts = 180, spec.size, []
    parts += [draw_box(54, middle - 100, 14, 200, LINE, opacity=0.5), write(61, 305, "frame", weight="bold")]
    parts += [write(61, 325, f"{size} × {size} × 3", size=12, color=QUIET)]
    for number, (num_convolutions, width) in enumerate(spec.blocks, start=1):
        height, thick, center = scale_height(size / spec.size), 7 + width / 52, 61 + 116 * number
        x = center - (num_convolutions * (thick + 4) + 7) / 2
        parts.append(draw_arrow(center - (78 if number > 1 else 104), middle, x - 8, middle))
        for _ in range(num_convolutions):
            parts.append(draw_box(x, middle - height / 2, thick, height, CONVOLUTION, opacity=0.85))
            x += thick + 4
        size //= 2
        height = scale_height(size / spec.size)
        parts.append(draw_box(x, middle - height / 2, 7, height, POOL))
        parts += [write(center, 305, f"block {number}", weight="bold")]
        parts += [write(center, 325, f"{size} × {size} × {width}", size=12, color=QUIET)]
        parts += [write(center, 345, f"{num_convolutions} × conv {width}", size=12, color=CONVOLUTION)]
    right, x = center + 50, center + 98
    parts += [draw_arrow(x - 54, middle, x - 12, middle), draw_box(x - 6, middle - 52, 12, 104, HEAD)]
    parts += [write(x, 305, "hidden", weight="bold"), write(x, 325, "256", size=12, color=QUIET)]
    parts += [draw_arrow(x + 12, middle, x + 56, middle), draw_box(x + 62, middle - 22, 12, 44, HEAD)]
    parts += [write(x + 68, 305, "logits", weight="bold"), write(x + 68, 325, "K", size=12, color=QUIET)]
    for start, stop, text in (
        (132, right, f"backbone: {count_parameters(spec.blocks):,} parameters"),
        (x - 24, x + 92, "head"),
    ):
        parts.append(f'<path d="M{start} 52v-8H{stop}v8" fill="none" stroke="{LINE}" stroke-width="1.4"/>')
        parts.append(write((start + stop) / 2, 34, text))
    parts += [draw_box(54, 372, 12, 12, CONVOLUTION, opacity=0.85)]
    parts += [write(72, 383, "convolution 3 × 3 and ReLU", size=12, anchor="start"), draw_box(290, 372, 7, 12, POOL)]
    parts += [write(303, 383, "max-pool: the largest of every 2 × 2", size=12, anchor="start")]
    parts += [draw_box(572, 372, 12, 12, HEAD), write(590, 383, "fully connected", size=12, anchor="start")]
    title = "VGG-16: five blocks of convolutions, each followed by a max-pool, then a small head"
    return make_card(round(x + 124), 402, title, parts)


LAYERS = (
    ("frame", "(N, T, H, W, C)", LINE, 318),
    ("backbone", "(N, T, D)", CONVOLUTION, 252),
    ("hidden", "(N, T, hidden)", HEAD, 192),
    ("LSTM", "(N, T, units)", LSTM, 132),
    ("logits", "(N, T, K)", HEAD, 72),
)


def draw_lrcn():
    """Draw LRCN unrolled over the steps of a clip: the same layers at every frame, a state from step to step."""
    steps, parts = (("1", 250), ("2", 370), ("3", 490), ("T", 670)), []
    for name, shape, _, y in LAYERS:
        parts += [write(24, y + 20, name, anchor="start", weight="bold")]
        parts += [write(110, y + 20, shape, anchor="start", size=12, color=QUIET)]
    for place, (step, x) in enumerate(steps):
        for (_, _, color, y), (_, _, _, above) in zip(LAYERS, [*LAYERS[1:], (0, 0, 0, 22)], strict=True):
            parts.append(draw_arrow(x, y - 2, x, above + 34) if color != HEAD or y > 100 else "")
            if color == LINE:
                parts.append(draw_box(x - 34, y, 68, 46, "#EFEFEF"))
                parts.append(draw_person(x - 18 + 12 * place, y + 12))
                parts.append(write(x, y + 64, f"frame {step}", size=12, color=QUIET))
            else:
                parts.append(draw_box(x - 34, y, 68, 32, color, opacity=0.85))
    for start, stop in ((250, 370), (370, 490), (490, 570), (590, 670)):
        begin, end = (start + 34 if start != 590 else start), (stop - 36 if stop != 570 else stop)
        parts.append(draw_arrow(begin, 148, end, 148, LSTM))
    parts += [write(580, y + 20, "…", size=16, color=QUIET) for y in (72, 132, 192, 252, 318)]
    parts += [write(310, 141, "state", size=11, color=QUIET), write(430, 141, "state", size=11, color=QUIET)]
    parts += [write(24, 44, "read-out", anchor="start", weight="bold")]
    parts += [
        write(
            250, 44, "steps: every one counts   ·   mean: their average   ·   last: this one", anchor="start", size=12
        )
    ]
    parts += [draw_arrow(670, 70, 670, 52)]
    parts.append(
        write(
            24,
            408,
            "Every column has the same weights; only the LSTM hands something on.",
            size=12,
            color=QUIET,
            anchor="start",
        )
    )
    return make_card(
        760, 424, "LRCN unrolled: frames go through the same layers, and the LSTM's state goes from step to step", parts
    )


def main():
    """Write both."""
    for name, drawing in (("vgg16", draw_vgg()), ("lrcn", draw_lrcn())):
        (ASSETS / f"{name}.svg").write_text(drawing)


if __name__ == "__main__":
    main()
