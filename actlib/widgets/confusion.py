"""ConfusionExplorer: the confusion matrix of one model or two, and the videos behind each of its cells, watched."""

import traitlets

from actlib.evaluation import Results
from actlib.plots import plot_confusion
from actlib.widgets.browser import name_models
from actlib.widgets.player import STAGE_SCRIPTS, STAGE_STYLES
from actlib.widgets.serving import ClipWidget, join_files
from actlib.widgets.stills import join_pictures
from actlib.widgets.timelines import judge_clip


class ConfusionExplorer(ClipWidget):
    """Lists the videos of a cell of the confusion matrix, worst first; a click on one plays it with its timeline.

    Args:
        results: Results, or {model: Results} of two models on the same videos.
        videos: DataFrame as `list_videos` gives it, with every video that was judged.
        timelines: {name: Timeline}, or {model: {name: Timeline}} with the models of `results`, or None.
        traits: `cell` ([true label, predicted label] or []), `model` and `selected` (a video's name) to begin with.

    Raises:
        ValueError: more than two models, models of other videos, or judged videos that the table lacks.
    """

    _esm = join_files(*STAGE_SCRIPTS, "thumbnails.js", "grid.js", "matrix.js", "confusion.js")
    _css = join_files(*STAGE_STYLES, "grid.css", "confusion.css")

    questions = ("clip", "thumbnail", "table")

    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    classes = traitlets.List(traitlets.Unicode()).tag(sync=True)
    counts = traitlets.List().tag(sync=True)  # (K, K) of each model
    cell = traitlets.List(traitlets.Int(min=0), maxlen=2).tag(sync=True)
    model = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(self, results, videos, *, timelines=None, **traits):
        self.results = {"": results} if isinstance(results, Results) else dict(results)
        timelines = name_models(timelines)
        if len(self.results) == 1 and len(timelines) == 1:
            timelines = dict(zip(self.results, timelines.values(), strict=True))
        self.said = align_results(self.results)
        first = next(iter(self.results.values()))
        super().__init__(
            pick_rows(videos, self.said[0]["name"]),
            timelines=timelines,
            models=list(self.results),
            classes=list(first.classes),
            counts=[each.confusion.tolist() for each in self.results.values()],
            **{"model": next(iter(self.results)), **traits},
        )

    @property
    def listed(self):
        """Names of the chosen cell's videos, worst first; empty when no cell is chosen."""
        if len(self.cell) != 2:
            return []
        said = self.said[self.models.index(self.model)]
        chosen = said[(said["label"] == self.cell[0]) & (said["predicted"] == self.cell[1])]
        right = self.cell[0] == self.cell[1]
        return chosen.sort_values("probability", ascending=right, kind="stable")["name"].tolist()

    @traitlets.validate("cell")
    def _know_cell(self, proposal):
        cell = proposal["value"]
        if len(cell) == 1 or any(label >= len(self.classes) for label in cell):
            message = f"Expected [true label, predicted label] below {len(self.classes)}, or []. Received: {cell}."
            raise traitlets.TraitError(message)
        return cell

    @traitlets.validate("model")
    def _know_model(self, proposal):
        if proposal["value"] not in self.results:
            raise traitlets.TraitError(f"Expected one of {list(self.results)}. Received: {proposal['value']!r}.")
        return proposal["value"]

    def judge(self, row, name):
        """Say what each model says of a video: its prediction from the results, its timeline if there is one.

        Args:
            row: number of the row, from 0.
            name: the video's name.

        Returns:
            One dict a model, see `judge_clip`.
        """
        fps, judged = float(self.videos["fps"].iloc[row]), []
        for model, said in zip(self.models, self.said, strict=True):
            answer = said.iloc[row]
            timeline = self.timelines.get(model, {}).get(name)
            facts = {
                "fps": fps,
                "true_name": answer["class_name"],
                "said": (answer["predicted"], answer["probability"]),
            }
            judged.append(judge_clip(model, timeline, tuple(self.classes), **facts))
        return judged

    def answer_table(self, _content):
        """Answer with every video's true label and what each model said.

        Args:
            _content: the question.

        Returns:
            The answer and no buffers.
        """
        names = self.said[0]["name"].tolist()
        table = {"name": names, "file": [name.rpartition("/")[2] for name in names]}
        table["label"] = self.said[0]["label"].tolist()
        table["predicted"] = [said["predicted"].tolist() for said in self.said]
        table["probability"] = [said["probability"].astype(float).round(4).tolist() for said in self.said]
        return {"table": table}, []

    def draw_still(self):
        """Draw the confusion matrix of each model.

        Returns:
            PIL image.
        """
        return join_pictures([plot_confusion(each, title=name or None) for name, each in self.results.items()])

    def __repr__(self):
        models = " and ".join(name for name in self.models if name)
        return f"ConfusionExplorer: {len(self.videos):,} videos{' judged by ' + models if models else ''}"


def align_results(results):
    """Bring the predictions of one model or two into one order of videos.

    Args:
        results: {model: Results}.

    Returns:
        One DataFrame of predictions a model, row i about the same video in each.

    Raises:
        ValueError: there are no models or more than two, or their videos or classes differ.
    """
    if len(results) not in (1, 2):
        raise ValueError(f"Expected one model or two. Received: {list(results)}. Leave out the others.")
    tables = [each.predictions.set_index("name", drop=False) for each in results.values()]
    first, last = tables[0], tables[-1]
    if set(first.index) != set(last.index) or len({tuple(each.classes) for each in results.values()}) > 1:
        raise ValueError(
            f"Expected the same videos and classes for both models. Received: {len(first)} and {len(last)} videos, "
            f"{len(set(first.index) & set(last.index))} shared. Evaluate both on the same part."
        )
    return [table.loc[first.index].reset_index(drop=True) for table in tables]


def pick_rows(videos, names):
    """Pick the rows of a table by name, in the order of the names.

    Args:
        videos: DataFrame with `name`.
        names: of videos.

    Returns:
        DataFrame.

    Raises:
        ValueError: the table lacks some of them.

    Example:
        >>> import pandas as pd
        >>> pick_rows(pd.DataFrame({"name": ["a", "b", "c"]}), ["c", "a"])["name"].tolist()
        ['c', 'a']
    """
    missing = sorted(set(names) - set(videos["name"]))
    if missing:
        raise ValueError(
            f"Expected a table with all {len(names)} judged videos. Received: one without {len(missing)} of them, the "
            f"first {missing[0]}. Pass the table that was evaluated."
        )
    chosen = videos.set_index("name", drop=False).loc[list(names)].reset_index(drop=True)
    chosen.attrs = dict(videos.attrs)
    return chosen
