"""The picture of README: the confusion explorer of lesson 07, with the sample set and the models that come with it."""

from screens import PICTURES, settle, wait_until

EXPLORER = """
import json
import numpy as np
from actlib import evaluation, sample
from actlib.experiment import cache_inputs, load_model, make_batches, prepare_table, read_experiment
from actlib.paths import shipped_runs
from actlib.torch.training import predict
from actlib.widgets import ConfusionExplorer, build_timelines
folder, models, timelines = sample.data_folder(), {}, {}
for name, run in (("frame average", "torch_frames"), ("LRCN", "torch_lrcn")):
    model, card = load_model(shipped_runs("sample") / run)
    choices = read_experiment(card, folder, framework="torch")
    table = prepare_table(choices)
    test = table[table.subset == "test"].reset_index(drop=True)
    batches = make_batches(cache_inputs(test, model, choices), test, choices, train=False)
    models[name] = evaluation.Results.from_json(json.loads((shipped_runs("sample") / run / "results.json").read_text()))
    options = {"classes": models[name].classes, "readout": models[name].readout}
    options["num_frames"] = choices.preset.num_frames
    timelines[name] = build_timelines(predict(model, batches), batches.clips(0), test, **options)
ConfusionExplorer(models, test, timelines=timelines)
"""


def test_the_explorer_of_the_sample_set(open_notebook):
    notebook = open_notebook([EXPLORER], height=1500)
    notebook.run_all()
    explorer = notebook.widget("confusion").first
    explorer.wait_for()
    wait_until(notebook.page, "the first list", explorer.locator(".cell").count, lambda count: count > 0)
    wait_until(notebook.page, "two timelines", explorer.locator(".actlib-timeline").count, 2)
    explorer.locator(".cell").first.click()
    pause = explorer.get_by_role("button", name="Pause (space)")
    wait_until(notebook.page, "the clip to play", pause.count, 1)
    pause.click()
    settle(notebook.page)
    PICTURES.mkdir(parents=True, exist_ok=True)
    explorer.screenshot(path=PICTURES / "explorer.png")
    assert (PICTURES / "explorer.png").stat().st_size > 20_000
