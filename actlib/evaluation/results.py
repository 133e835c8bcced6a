"""Logits and labels -> what an evaluation found: three accuracies, every video's prediction, tables made of them."""

import html
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Annotated, Literal, NotRequired

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from typing_extensions import TypedDict

from actlib import schema, specs
from actlib.evaluation.intervals import bootstrap_groups, number_groups
from actlib.evaluation.metrics import Accuracy, pool_clips, pool_videos

LEVELS = ("frame", "clip", "video")


_Labels, _Levels = list[Annotated[int, Field(ge=0)]], {f"{level}_accuracy": Accuracy | None for level in LEVELS}
_Texts = {"name": list[str], "label": _Labels, "group": list[int | str], "predicted": _Labels}
_Predictions = TypedDict("_Predictions", _Texts | {"probabilities": list[list[specs.Share]]})
_Options = {"groups_span_classes": bool, "control": Literal[specs.CONTROLS] | None, "leakage": tuple[str, ...]}
_Needed = {"classes": tuple[str, ...], "readout": str, "predictions": _Predictions}
_Record = TypedDict("_Record", _Levels | _Needed | {name: NotRequired[kind] for name, kind in _Options.items()})


def tabulate_predictions(videos, probabilities, *, classes, predicted=None) -> pd.DataFrame:
    """Put every video's prediction and probabilities in one row.

    Args:
        videos, classes: V rows with columns name, label and group; K names.
        probabilities, predicted: float (V, K); int (V,), or None for the most probable class.
    """
    names = np.array(classes, object)
    predicted = np.argmax(probabilities, axis=1) if predicted is None else np.asarray(predicted, np.int64)
    probabilities = np.asarray(probabilities, np.float32).reshape(len(videos), len(classes))
    table = videos[["name", "label", "group"]].reset_index(drop=True)
    table.insert(1, "class_name", names[table["label"]])
    chosen = probabilities[np.arange(len(table)), predicted]
    table = table.assign(predicted=predicted, predicted_class=names[predicted], probability=chosen)
    return table.assign(correct=table["label"] == predicted, probabilities=list(probabilities))


@dataclass(eq=False, repr=False)
class Results:
    """What one evaluation found about one model; shows itself as a table in a notebook and in print.

    It has `probabilities`, float32 (V, K), one row a video; `groups`, int (V,), which group each video is of: the units
    of the bootstrap and of the paired test; and `num_groups`.
    """

    classes: tuple[str, ...]
    frame: Accuracy | None  # of every step of every clip alone; None where two models are fused
    clip: Accuracy | None  # likewise
    video: Accuracy  # the mean of a video's clips: the level at which papers report
    predictions: pd.DataFrame  # one row a video: true and predicted label and class, whether correct, probabilities
    readout: str  # how a clip's steps were pooled
    groups_span_classes: bool = False  # whether a group is the same people and place in every class
    control: str | None = None  # what stood in place of the clips' frames, see ``dataset.ClipBatches``
    leakage: tuple[str, ...] = ()  # groups that the model has seen and should not have

    def __post_init__(self):
        self.probabilities = np.stack([*self.predictions["probabilities"]])
        self.groups = number_groups(self.predictions, groups_span_classes=self.groups_span_classes)
        self.num_groups = int(self.groups.max()) + 1

    @cached_property
    def top5(self) -> Accuracy | None:
        """Share of videos whose class is among the five most probable; None where there are ten classes or fewer."""
        if len(self.classes) <= 10:
            return None
        labels = self.predictions["label"].to_numpy()
        best = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :5]  # (V, 5)
        return bootstrap_groups((best == labels[:, None]).any(axis=1), self.groups, labels)

    @cached_property
    def confusion(self) -> np.ndarray:
        """int64 (K, K): rows are true classes, columns predicted ones, entries numbers of videos."""
        return confusion_matrix(*self.predictions[["label", "predicted"]].to_numpy().T, labels=range(len(self.classes)))

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """Precision, recall, F1 (0..1) and the number of videos of each class; NaN where there was none."""
        true, predicted, labels = self.predictions["label"], self.predictions["predicted"], range(len(self.classes))
        columns = precision_recall_fscore_support(true, predicted, labels=labels, zero_division=np.nan)
        index = pd.Index(self.classes, name="class_name")
        return pd.DataFrame(dict(zip(("precision", "recall", "f1", "videos"), columns, strict=True)), index=index)

    def align(self, other: "Results") -> pd.DataFrame:
        """Return the predictions of another model in the order of these; ValueError if its videos or classes differ."""
        names, table = self.predictions["name"], other.predictions.set_index("name", drop=False)
        different = len(table.index.symmetric_difference(names))
        if different or self.classes != other.classes:
            found = f"{len(names)} and {len(table)} videos, {different} of them in only one"
            found += f"; classes {self.classes} and {other.classes}" * (self.classes != other.classes)
            raise ValueError(f"Expected the same videos and classes. Received: {found}. Evaluate both on one subset.")
        return table.loc[names].reset_index(drop=True)

    def most_confused(self, count: int = 10) -> pd.DataFrame:
        """List the pairs confused most often: true_class, predicted_class, videos, share of the true class."""
        wrong = self.predictions[~self.predictions["correct"]].rename(columns={"class_name": "true_class"})
        table = wrong.groupby(["true_class", "predicted_class"]).size().reset_index(name="videos")
        table["share"] = table["videos"] / table["true_class"].map(self.per_class["videos"])
        return table.sort_values(["videos", "share"], ascending=False, kind="stable").head(count).reset_index(drop=True)

    def _summarize(self) -> tuple[pd.DataFrame, str]:
        """Each level's accuracy and interval as text, and what they rest on."""
        levels = {level: found for level in LEVELS if (found := getattr(self, level))}
        levels |= {"video, top 5": self.top5} if self.top5 else {}
        rows = [
            [*str(each).replace(")", " %").split(" ("), f"{each.count:,} {level.split(',')[0]}s"]
            for level, each in levels.items()
        ]
        table = pd.DataFrame(rows, pd.Index(levels, name="level"), ("accuracy", "95 % interval", "number"))
        note = f"{len(self.classes)} classes; intervals over {self.num_groups} groups; read-out: {self.readout}"
        note += f"; control: {self.control}" * bool(self.control)
        note += f"; LEAKAGE: seen in training: {', '.join(self.leakage)}" * bool(self.leakage)
        return table, note

    def __repr__(self) -> str:
        table, note = self._summarize()
        return f"{table.to_string()}\n{note}"

    def _repr_html_(self) -> str:
        table, note = self._summarize()
        return f"{table.to_html(border=0)}<p><small>{html.escape(note)}</small></p>"

    def to_json(self) -> dict:
        """Turn the results into plain lists, numbers and strings for ``json.dump``; NaN becomes None."""
        per_class = self.per_class.astype(object).where(self.per_class.notna(), None)
        columns = self.predictions[["name", "label", "group", "predicted"]].to_dict(orient="list")
        columns["probabilities"] = np.round(self.probabilities.astype(np.float64), 5).tolist()
        accuracies = {f"{level}_accuracy": getattr(self, level) for level in (*LEVELS, "top5")}
        record = {name: found and asdict(found) for name, found in accuracies.items()}
        record |= {name: getattr(self, name) for name in ("num_groups", "groups_span_classes", "control", "readout")}
        record |= {"leakage": list(self.leakage), "classes": list(self.classes), "confusion": self.confusion.tolist()}
        return record | {"per_class": per_class.to_dict(orient="index"), "predictions": columns}

    @classmethod
    def from_json(cls, record, source="a record") -> "Results":
        """Rebuild results from what ``to_json`` gave, a dict or JSON text, which may come from anywhere.

        Keys that others added are ignored; a ValueError names the source of what is damaged, or does not fit together.
        """
        text = json.dumps(record, ensure_ascii=False).encode(errors="replace") if isinstance(record, dict) else record
        record = schema.parse_json(text, _Record, source)
        columns, classes = record["predictions"], record["classes"]
        probabilities, labels = columns.pop("probabilities"), {*columns["label"], *columns["predicted"]}
        lengths = {len(probabilities), *map(len, columns.values())}, {len(classes), *map(len, probabilities)}
        if [*map(len, lengths)] != [1, 1] or not labels <= {*range(len(classes))} or not columns["label"]:
            raise ValueError(f"Expected a row a video. Received: others in {source}. Evaluate again.")
        predicted = columns.pop("predicted")
        table = tabulate_predictions(pd.DataFrame(columns), probabilities, predicted=predicted, classes=classes)
        options = {name: record[name] for name in _Options if name in record}
        return cls(classes, *(record[f"{level}_accuracy"] for level in LEVELS), table, record["readout"], **options)


def evaluate(logits, clip_videos, videos, *, classes, readout="mean") -> Results:
    """Measure the accuracy of a model's logits over frames, clips and videos.

    Of equal probabilities the lower label wins. Classes without videos are in the tables, as NaN.

    Args:
        logits: float (N, T, K), before the softmax, at every step of every clip.
        clip_videos: int (N,), the row of ``videos`` that each clip is of.
        videos: V rows with the columns name, label (0..K-1) and group. A group is one of its class, unless
            ``videos.attrs["groups_span_classes"]`` says that it is the same people and place in every class.
        classes: K names, in the order of the labels.
        readout: how the steps of a clip are pooled: "last", "mean" or "steps", see ``pool_clips``.

    Raises:
        ValueError: shapes do not fit, a video has no clip, or a logit is not finite.

    Source: Donahue et al., arXiv 1411.4389, section 4, is clips of 16 frames every 8 and ``readout="steps"``.
    """
    logits, clip_videos = np.asarray(logits), np.asarray(clip_videos)
    _check_logits(logits, clip_videos, videos, classes)
    clips = pool_clips(logits, readout)  # (N, K)
    table = tabulate_predictions(videos, pool_videos(clips, clip_videos), classes=classes)
    span = bool(videos.attrs.get("groups_span_classes", False))
    groups, labels = number_groups(videos, groups_span_classes=span), table["label"].to_numpy()
    frame = logits.argmax(axis=2).ravel(), np.repeat(clip_videos, logits.shape[1])  # predictions, of which videos
    clip, video = (clips.argmax(axis=1), clip_videos), (table["predicted"].to_numpy(), np.arange(len(videos)))
    levels = [bootstrap_groups(found == labels[of], groups[of], labels[of]) for found, of in (frame, clip, video)]
    return Results(tuple(classes), *levels, table, readout, span)


def _check_logits(logits, clip_videos, videos, classes):
    """Raise ValueError where evaluate's arguments do not belong together."""
    labels = videos["label"]
    if logits.ndim != 3 or logits.shape[2] != len(classes) or 0 in logits.shape:
        problem = f"logits (N, T, {len(classes)} classes). Received: {logits.shape}. Make (N, K) logits[:, None]."
    elif len(clip_videos) != len(logits) or set(clip_videos.tolist()) != set(range(len(videos))):
        numbers = f"{len(clip_videos)} numbers of {len(np.unique(clip_videos))} videos, up to {clip_videos.max()}"
        problem = f"{len(logits)} clips of all {len(videos)} videos. Received: {numbers}. Use batches.videos()."
    elif not labels.between(0, len(classes) - 1).all():
        problem = f"labels in 0..{len(classes) - 1}. Received: {labels.min()}..{labels.max()}. Give training's classes."
    elif len(bad := clip_videos[~np.isfinite(logits).all(axis=(1, 2))]):
        received = f"NaN or infinity in {len(bad)} of {len(logits)} clips, the first of {videos['name'].iloc[bad[0]]}"
        problem = f"finite logits. Received: {received}. The training may have diverged: lower its learning rate."
    else:
        return
    raise ValueError(f"Expected {problem}")
