"""ConfusionExplorer: the confusion matrix of one model or two, and the videos behind each of its cells."""

import numpy as np
import traitlets

from actlib import evaluation, plots, timeline
from actlib.widgets.clips import GALLERY_SCRIPTS, GALLERY_STYLES, ClipWidget
from actlib.widgets.notebook import join_files


class ConfusionExplorer(ClipWidget):
    """Lists the videos of a cell of the confusion matrix, worst first; a click on one plays it with its timeline.

    Args:
        results: Results, or {model: Results} of two models on the same videos.
        videos: DataFrame as `list_videos` gives it, with every video that was evaluated.
        timelines: {name: Timeline}, or {model: {name: Timeline}} with the models of `results`, or None.
        traits: `cell` ([true label, predicted label] or []), `model` and `selected` (a video's name) to begin with.

    Raises:
        ValueError: more than two models, models of other videos, or evaluated videos that the table lacks.
    """

    _esm = join_files(*GALLERY_SCRIPTS, "matrix.js", "confusion.js")
    _css = join_files(*GALLERY_STYLES, "confusion.css")

    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List().tag(sync=True)  # (K, K) of each model
    cell = traitlets.List(traitlets.Int(min=0), maxlen=2).tag(sync=True)
    model = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(self, results, videos, *, timelines=None, **traits):
        self.results = {"": results} if isinstance(results, evaluation.Results) else dict(results)
        if len(self.results) not in (1, 2):
            raise ValueError(f"Expected one model or two. Received: {list(self.results)}. Leave out the others.")
        models, (first, *_) = list(self.results), self.results.values()
        self.predictions = [first.align(each) for each in self.results.values()]  # row i: the same video in each
        shown = {"models": models, "model": models[0], "classes": list(first.classes)}
        shown["counts"] = [each.confusion.tolist() for each in self.results.values()]
        names = self.predictions[0]["name"]
        if missing := sorted(set(names) - set(videos["name"])):
            lacking = f"{len(missing)}, the first {missing[0]}, are not in it. Pass the table that was evaluated."
            raise ValueError(f"Expected a table with all {len(names)} evaluated videos. Received: {lacking}")
        evaluated = videos.set_index("name", drop=False).loc[names]
        super().__init__(evaluated, timelines=timelines, **{**shown, **traits})
        if len(self.results) == 1:  # its timelines need not name it
            self.timelines = dict(zip(self.results, self.timelines.values(), strict=False))
        for model, each in self.results.items():  # videos without a timeline have a prediction all the same
            steps = self.timelines.get(model, {})
            none = timeline.Timeline(np.empty(0), np.empty((0, len(each.classes))), each.classes)
            pooled = zip(each.predictions["name"], each.probabilities, strict=True)
            self.timelines[model] = {name: steps.get(name, none)._replace(pooled=row) for name, row in pooled}

    @traitlets.validate("cell", "model")
    def _validate_choice(self, proposal):
        value, limit = proposal["value"], len(self.classes)
        chosen = value in self.results if isinstance(value, str) else len(value) != 1 and max(value, default=0) < limit
        if not chosen:
            wanted = f"[true label, predicted label] below {limit}, or one of {list(self.results)}"
            raise traitlets.TraitError(f"Expected {wanted}. Received: {value!r}.")
        return value

    def handle_table(self, _content):
        """Reply with every video's true label and each model's prediction, one list a column."""
        table = {column: self.predictions[0][column].tolist() for column in ("name", "label")}
        table["file"] = [name.rpartition("/")[2] for name in table["name"]]
        table["predicted"] = [each["predicted"].tolist() for each in self.predictions]
        table["probability"] = [each["probability"].astype(float).round(4).tolist() for each in self.predictions]
        return {"table": table}, []

    def draw_still(self):
        """Draw the confusion matrix of each model."""
        return [plots.plot_confusion(each, title=name or None) for name, each in self.results.items()]

    def __repr__(self):
        return f"{super().__repr__()}, predicted by {' and '.join(filter(None, self.results)) or 'one model'}"
