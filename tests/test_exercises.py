"""The exercises "Build it": unsolved they say so, solved they say right, and each usual mistake is named."""

import contextlib
import io
import re

import nbformat
import pytest

from tools import hand_out, tour

LESSONS = {path.stem[:2]: path for path in tour.list_lessons()}
each_lesson = pytest.mark.parametrize("number", LESSONS)


def read(number):
    return nbformat.read(LESSONS[number], as_version=4)


def find_cells(number, tag):
    return [cell.source for cell in read(number).cells if tag in cell.metadata.get("tags", ())]


def check(number, answer):
    """What the lesson's hidden test prints of an answer."""
    setup = next(cell.source for cell in read(number).cells if cell.cell_type == "code")
    printed, names = io.StringIO(), {"__name__": "exercise"}
    for source in (setup, answer, *find_cells(number, "hidden-test")):
        with contextlib.redirect_stdout(io.StringIO() if source is setup else printed):
            exec(compile(source, LESSONS[number].name, "exec"), names)
    return printed.getvalue().strip()


@each_lesson
def test_each_lesson_has_one_exercise_with_a_folded_test(number):
    assert len(find_cells(number, "exercise")) == 1 and find_cells(number, "hidden-test")
    hidden = [cell for cell in read(number).cells if "hidden-test" in cell.metadata.get("tags", ())]
    assert all(cell.metadata.jupyter.source_hidden for cell in hidden)
    assert any("build it" in cell.source.lower() for cell in read(number).cells if cell.cell_type == "markdown")


@each_lesson
def test_unsolved_it_says_not_yet(number):
    assert check(number, find_cells(number, "exercise")[0]) == "not yet"


@each_lesson
def test_the_solution_is_right_and_keeps_the_names_of_the_exercise(number):
    solution = hand_out.find_solution(read(number))
    assert check(number, solution) == "right"
    assert solution.split("(")[0] == find_cells(number, "exercise")[0].split("(")[0]


MISTAKES = [  # lesson, what is written, what is written instead, a word of the answer
    ("00", " - logits.max(axis=-1, keepdims=True)", "", "overflows"),
    ("00", "axis=-1, keepdims=True)\n", "axis=0)\n", "add up to 1"),
    ("01", "rng.choice(names, size=round(share * len(names)), replace=False)", "names[:6]", "of 20 groups"),
    ("01", "np.isin(groups, chosen)", "rng.random(len(groups)) < share", "both sides"),
    ("01", "rng.choice(names, size=round(share * len(names)), replace=False)", "names[::4]", "generator"),
    ("02", "(middles * num_video_frames)", "np.linspace(0, num_video_frames - 1, num_frames)", "not [0, 33, 66, 99]"),
    ("03", "-(-len(self.x) // self.size)", "len(self.x) // self.size", "not 6"),
    ("03", "self.order = self.rng.permutation(len(self.x))", "self.order = np.arange(len(self.x))", "another order"),
    ("03", "self.y[chosen]", "self.y[chosen[::-1]]", "stay together"),
    ("03", "self.rng.permutation(len(self.x))", "self.rng.integers(len(self.x), size=len(self.x))", "come once"),
    ("04", "    optimizer.zero_grad()\n", "", "earlier step"),
    ("04", ', reduction="sum") / num_clips', ") / len(batches)", "7, 2 and 1"),
    ("04", ', reduction="sum") / num_clips', ', reduction="sum")', "single batch"),
    ("05", " / np.bincount(videos)[:, None]", "", "add up to 1"),
    ("05", "videos, probabilities)\n", "np.sort(videos), probabilities)\n", "mixes"),
    ("05", "probabilities.shape[1]))", "probabilities.shape[1]))[:2]\n    videos = videos % 2", "shape"),
    ("06", "(into[1] + kept[1])", "(into[1] - kept[1])", "first step"),
    ("06", "reset * kept[2]", "kept[2]", "first step differs"),
    ("06", "+ update * h", "", "carried on"),
    ("07", "size=(num_draws, len(count)))", "size=(num_draws, 3))", "quarters"),
    (
        "07",
        "rng.integers(len(count), size=(num_draws, len(count)))",
        "np.tile(np.arange(len(count)), (num_draws, 1))",
        "Draw with",
    ),
    (
        "07",
        "num_correct[drawn].sum(axis=1) / count[drawn].sum(axis=1)",
        "(num_correct / count)[drawn].mean(axis=1)",
        "large group",
    ),
    ("08", "(1 - share) * smoothed[-1]", "(1 - share) * rows[0]", ""),
    ("08", "if c > 0 else 1", "if c > 0 else 0", "nothing is smoothed"),
    ("08", "smoothed = 1", "smoothed = 2", "second row"),
    ("08", ", [rows[0]]", ", [0 * rows[0]]", "first row"),
    ("09", ".clamp(min=0)", "", "below zero"),
    ("09", "    hook.remove()\n", "", "remove()"),
    ("09", "gradient.mean(dim=(2, 3), keepdim=True)", "1", "elsewhere"),
    ("10", "rate=0.5", "rate=1e-3", "cross-entropy"),
    ("10", "num_steps=500", "num_steps=2", "cross-entropy"),
    ("11", "[..., ::-1, :].copy()", "[..., ::-1, :]", "changed"),
    ("11", "    mirrored[..., 0] = 255 - mirrored[..., 0]\n", "", "where does u go"),
    ("11", "255 - mirrored[..., 0]", "254 - mirrored[..., 0]", "255 - u"),
    ("12", "return len(losses)", "return len(losses) - 1", "end with the last epoch, so not after epoch 2"),
    ("12", "since == patience", "since > patience", "two is the patience"),
    ("12", "loss < best", "loss <= best", "an equal loss is no better"),
    ("12", "(loss, 0)", "(loss, since)", "counts again"),
    ("13", "group[group == group[second]]", "group[second]", "by way of others"),
    ("13", "= group[first]", "= first", "belong together"),
    ("13", "group[group == group[second]]", "group[:]", "do not belong together"),
]


@pytest.mark.parametrize(("number", "right", "wrong", "word"), MISTAKES)
def test_a_mistake_is_named(number, right, wrong, word):
    solution = hand_out.find_solution(read(number))
    assert solution.count(right) == 1
    answer = check(number, solution.replace(right, wrong))
    assert answer.startswith("no: ") and word in answer, answer


def test_lessons_are_handed_out_without_solutions(tmp_path):
    solutions = sum("<summary>Solution" in path.read_text() for path in LESSONS.values())
    assert hand_out.hand_out(tmp_path / "out", clear=True) >= solutions >= len(LESSONS)
    for path in LESSONS.values():
        copy, original = tmp_path / "out" / path.name, nbformat.read(path, as_version=4)
        assert "<summary>Solution" not in copy.read_text() and hand_out.find_solution(nbformat.read(copy, 4)) is None
        code = [cell for cell in nbformat.read(copy, 4).cells if cell.cell_type == "code"]
        assert [cell.source for cell in code] == [cell.source for cell in original.cells if cell.cell_type == "code"]
        assert not any(cell.outputs or cell.execution_count for cell in code)
        for cell in nbformat.read(copy, 4).cells:
            for target in re.findall(r"\]\((?!http)([^)#\s]+)\)", cell.source if cell.cell_type == "markdown" else ""):
                assert (copy.parent / target).exists(), target


def test_the_lessons_themselves_are_not_overwritten():
    with pytest.raises(ValueError, match="another folder"):
        hand_out.hand_out(tour.ROOT / "notebooks")
