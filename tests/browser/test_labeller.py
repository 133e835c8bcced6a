"""ClipLabeller in JupyterLab: clips labelled by key and by button, a part cut out, one corrected; the table at once."""

from screens import list_nameless, read_count, wait_until

SETUP = """
import os
from pathlib import Path
from actlib.widgets import ClipLabeller
films, table = Path(os.environ["ACTLIB_TEST_VIDEOS"]) / "Wave", Path(TABLE)
"""
LABELLER = "labeller = ClipLabeller(films, table, ['wave', 'sit'])\nlabeller"


def open_labeller(open_notebook, table, *cells):
    notebook = open_notebook([SETUP.replace("TABLE", repr(str(table))), LABELLER, *cells])
    for number in (0, 1):
        notebook.run_cell(number)
    labeller = notebook.widget("labeller")
    labeller.wait_for()
    return notebook, labeller


def wait_for_clip(notebook, labeller, number):
    """Waits until this clip of the folder, from 1, can be labelled."""
    name = f"v_Wave_g{(number + 1) // 2:02}_c{2 - number % 2:02}.avi"
    wait_until(notebook.page, name, lambda: labeller.locator(".head").inner_text(), lambda text: name in text)
    status = labeller.locator("[role=status]").last.inner_text
    wait_until(notebook.page, f"clip {number}", status, lambda text: f"Clip {number} of 4" in text)


def wait_for_lines(notebook, table, *lines):
    read = lambda: table.read_text().splitlines() if table.exists() else []  # noqa: E731
    wait_until(notebook.page, "the table", read, ["path,label,start,end", *lines])


def name_clip(number):
    return f"videos/Wave/v_Wave_g{(number + 1) // 2:02}_c{2 - number % 2:02}.avi"


def test_each_label_is_in_the_table_at_once(open_notebook, videos, lab):
    table = lab["home"] / "labels.csv"
    notebook, labeller = open_labeller(open_notebook, table)
    wait_for_clip(notebook, labeller, 1)
    labeller.locator(".actlib-stage").focus()
    for number, key in ((1, "1"), (2, "2"), (3, "1")):
        wait_for_clip(notebook, labeller, number)
        notebook.page.keyboard.press(key)
    first = [f"{name_clip(number)},{label},," for number, label in ((1, "wave"), (2, "sit"), (3, "wave"))]
    wait_for_lines(notebook, table, *first)
    wait_for_clip(notebook, labeller, 4)  # a part of it
    notebook.page.keyboard.press("Home")
    for key in ("ArrowUp", "i", "ArrowUp", "ArrowUp", "ArrowRight", "o"):
        notebook.page.keyboard.press(key)
    assert read_count(labeller) == 31
    labeller.get_by_role("button", name="2: sit (1)").click()
    wait_for_lines(notebook, table, *first, part := f"{name_clip(4)},sit,0.400,1.280")
    for key in ("p", "p"):  # the focus is the player's again
        notebook.page.keyboard.press(key)
    wait_for_clip(notebook, labeller, 2)
    assert labeller.get_by_role("button", name="2: sit (2)").get_attribute("aria-pressed") == "true"
    notebook.page.keyboard.press("1")  # corrected
    first[1] = first[1].replace("sit", "wave")
    wait_for_lines(notebook, table, *first, part)
    assert not list_nameless(labeller)
    notebook.picture("labeller")


def test_a_new_kernel_goes_on_with_what_was_labelled(open_notebook, videos, lab):
    table = lab["home"] / "more.csv"
    notebook, labeller = open_labeller(open_notebook, table, "import os; os.kill(os.getpid(), 9)")
    wait_for_clip(notebook, labeller, 1)
    labeller.get_by_role("button", name="2: sit (0)").click()
    wait_for_clip(notebook, labeller, 2)
    labeller.get_by_role("button", name="1: wave (0)").click()
    first = [f"{name_clip(number)},{label},," for number, label in ((1, "sit"), (2, "wave"))]
    wait_for_lines(notebook, table, *first)
    notebook.run_cell(2, wait=False)  # and its kernel is gone
    part = f"{name_clip(4)},sit,0.400,1.280"
    with open(table, "a") as file:
        file.write(f"{part}\n")
    notebook, labeller = open_labeller(open_notebook, table)
    wait_for_clip(notebook, labeller, 3)  # the first without a label
    labeller.get_by_role("button", name="P: previous").click()
    wait_for_clip(notebook, labeller, 2)
    labeller.get_by_role("button", name="wave", exact=True).click()  # its label, chosen
    notebook.page.keyboard.press("Delete")
    wait_for_lines(notebook, table, first[0], part)
    for key in ("n", "n"):
        notebook.page.keyboard.press(key)
    wait_for_clip(notebook, labeller, 4)
    labeller.get_by_role("button", name="sit 0.400 1.280").click()
    assert labeller.get_by_role("button", name="O: to 1.280").count() == 1
    wait_until(notebook.page, "its start", lambda: read_count(labeller), 10)
    labeller.get_by_role("button", name="1: wave (0)").click()
    wait_for_lines(notebook, table, first[0], part.replace("sit", "wave"))


def test_a_label_that_cannot_be_written_is_said(open_notebook, videos, lab):
    table = lab["home"] / "bad.csv"
    notebook, labeller = open_labeller(open_notebook, table)
    wait_for_clip(notebook, labeller, 1)
    labeller.locator(".actlib-stage").focus()
    for key in ("End", "i", "Home", "o", "1"):
        notebook.page.keyboard.press(key)
    status = labeller.locator("[role=status]").last.inner_text
    wait_until(notebook.page, "the reason", status, lambda text: "a start before the end" in text)
    assert not table.exists()
