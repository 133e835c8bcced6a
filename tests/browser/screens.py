"""Reading what is on the screen of a player: which frame it is, from the squares drawn into the frame itself."""

import time
from pathlib import Path

PICTURES = Path(__file__).resolve().parents[2] / "runs" / "browser"  # where screenshots are kept

READ_FRAME = """root => {
    const video = root.querySelector("video");
    if (video.readyState < 2) return -1;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0);
    let number = 0;
    for (let bit = 0; bit < 8; bit++) {
        const [red, , blue] = pen.getImageData(8 + 18 * bit + 8, 20, 1, 1).data;
        if (red > 128 && blue > 128) number |= 1 << bit;
    }
    return number;
}"""


def read_frame(player):
    """The number drawn into the picture that the player shows now."""
    return player.evaluate(READ_FRAME)


def read_count(player):
    """The number that the player says the frame has."""
    return int(player.locator(".count").inner_text().split()[1])


def wait_until(page, what, ask, expected, seconds=120):
    """Waits until `ask()` gives what is expected, a value or a test of one, and returns it; fails if it never does."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if expected(answer) if callable(expected) else answer == expected:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds} s for {what}. Last seen: {answer!r}.")
        page.wait_for_timeout(50)


def settle(page):
    """Waits until nothing moves on the page any more; returns what it shows, a PNG."""
    shots = [page.screenshot()]

    def shoot():
        shots.append(page.screenshot())
        return len(shots[-1]), shots[-1] == shots[-2]

    wait_until(page, "a page that stays as it is", shoot, lambda shot: shot[1])
    return shots[-1]


READ_PICTURE = """root => {
    const video = root.querySelector("video");
    if (video.readyState < 2) return null;
    const canvas = new OffscreenCanvas(80, 60);
    const pen = canvas.getContext("2d");
    pen.drawImage(video, 0, 0, 80, 60);
    return Array.from(pen.getImageData(0, 0, 80, 60).data).join();
}"""


def read_picture(player):
    """The pixels that the player shows now, small, as something to compare."""
    return player.evaluate(READ_PICTURE)


NAMELESS = """root => [...root.querySelectorAll("button, select, input, [tabindex='0'], [role=listbox], [role=grid]")]
    .filter(each => !(each.getAttribute("aria-label") || (each.tagName === "BUTTON" && each.textContent.trim())))
    .map(each => each.outerHTML.slice(0, 100))"""


def list_nameless(widget):
    """The parts that can be focused or hold others, but have no name that a screen reader could say."""
    return widget.evaluate(NAMELESS)
