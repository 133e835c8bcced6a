"""What an evaluation found: three accuracies, every video's prediction, and the tables made of them."""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from actlib.evaluation.metrics import Accuracy

LEVELS = ("frame", "clip", "video")


def tabulate_predictions(names, labels, *, groups, probabilities, predicted, classes) -> pd.DataFrame:
    """Put every video's prediction in one row.

    Args:
        names: V strings, the videos' names.
        labels: int (V,), the true labels.
        groups: int (V,), the number of each video's group (gNN).
        probabilities: float (V, K), in 0..1.
        predicted: int (V,), the predicted labels.
        classes: K class names.

    Returns:
        A table with the columns name, class_name, label, group, predicted, predicted_class, probability (of the
        predicted class), correct, and probabilities (float32 (K,) in each row).
    """
    labels, predicted = np.asarray(labels, np.int64), np.asarray(predicted, np.int64)
    probabilities = np.asarray(probabilities, np.float32).reshape(len(labels), len(classes))
    return pd.DataFrame(
        {
            "name": list(names),
            "class_name": [classes[label] for label in labels],
            "label": labels,
            "group": np.asarray(groups, np.int64),
            "predicted": predicted,
            "predicted_class": [classes[label] for label in predicted],
            "probability": probabilities[np.arange(len(labels)), predicted],
            "correct": labels == predicted,
            "probabilities": list(probabilities),
        }
    )


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """Everything that one evaluation says about one model; shows itself as a table in a notebook and in print."""

    classes: tuple[str, ...]
    frame: Accuracy  # every step of every clip judged alone
    clip: Accuracy
    video: Accuracy  # the mean of a video's clips: the level at which papers report
    predictions: pd.DataFrame  # one row a video, see tabulate_predictions
    readout: str  # how a clip's steps became one answer
    num_groups: int  # (class, group) pairs, the units of the bootstrap

    @property
    def probabilities(self) -> np.ndarray:
        """float32 (V, K), one row a video."""
        return np.stack(list(self.predictions["probabilities"]))

    @cached_property
    def confusion(self) -> np.ndarray:
        """int64 (K, K): rows are true classes, columns predicted ones, entries numbers of videos."""
        labels = np.arange(len(self.classes))
        return confusion_matrix(self.predictions["label"], self.predictions["predicted"], labels=labels)

    @cached_property
    def per_class(self) -> pd.DataFrame:
        """Precision, recall, F1 (0..1) and the number of videos of each class; NaN where nothing was there to judge."""
        precision, recall, f1, videos = precision_recall_fscore_support(
            self.predictions["label"],
            self.predictions["predicted"],
            labels=np.arange(len(self.classes)),
            zero_division=np.nan,
        )
        index = pd.Index(self.classes, name="class_name")
        return pd.DataFrame({"precision": precision, "recall": recall, "f1": f1, "videos": videos}, index=index)

    def top_k(self, k: int = 5) -> float:
        """Say in which share of the videos the true class is among the k most probable ones.

        Args:
            k: how many classes count, at least 1. Of equal probabilities the lower label comes first, so that
                ``top_k(1)`` is the video accuracy.

        Returns:
            The share, 0..1.
        """
        if k < 1:
            raise ValueError(f"Expected k to be at least 1. Received: {k}. Use 1 for the plain accuracy.")
        order = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return float((order == self.predictions["label"].to_numpy()[:, None]).any(axis=1).mean())

    def most_confused(self, count: int = 10) -> pd.DataFrame:
        """List the pairs of classes that were taken for each other most often.

        Args:
            count: the largest number of rows.

        Returns:
            A table with the columns true_class, predicted_class, videos (how many) and share (of the true class, 0..1).
        """
        wrong = self.confusion * (1 - np.eye(len(self.classes), dtype=np.int64))
        true, predicted = np.nonzero(wrong)
        names = np.array(self.classes, dtype=object)
        videos = wrong[true, predicted]
        share = videos / self.confusion.sum(axis=1)[true]
        table = {"true_class": names[true], "predicted_class": names[predicted], "videos": videos, "share": share}
        ordered = pd.DataFrame(table).sort_values(["videos", "share"], ascending=False, kind="stable")
        return ordered.head(count).reset_index(drop=True)

    def summary(self) -> pd.DataFrame:
        """One row a level: accuracy, its 95 % interval, and how many answers were judged, as text for reading."""
        levels = [getattr(self, level) for level in LEVELS]
        table = {
            "accuracy": [f"{100 * level.value:.1f} %" for level in levels],
            "95 % interval": [f"{100 * level.low:.1f}–{100 * level.high:.1f} %" for level in levels],
            "judged": [f"{level.count:,} {name}s" for level, name in zip(levels, LEVELS, strict=True)],
        }
        return pd.DataFrame(table, index=pd.Index(LEVELS, name="level"))

    def __str__(self) -> str:
        return f"{self.summary().to_string()}\n{self._note()}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"{self.summary().to_html(border=0)}<p><small>{self._note()}</small></p>"

    def _note(self) -> str:
        """One line below the table: what the numbers are about."""
        return f"{len(self.classes)} classes; intervals over {self.num_groups} groups; read-out: {self.readout}"

    def to_json(self) -> dict:
        """Turn the results into plain lists, numbers and strings, ready for ``json.dump``.

        Returns:
            A dict with frame_accuracy, clip_accuracy, video_accuracy (each value, low, high, count), top_5, per_class,
            confusion, num_videos, num_clips, num_frames, num_groups, classes, readout and predictions (probabilities
            rounded to 5 decimals). What cannot be judged (NaN) is None.
        """
        per_class = self.per_class.astype(object).where(self.per_class.notna(), None)
        columns = self.predictions[["name", "label", "group", "predicted"]].to_dict(orient="list")
        probabilities = np.round(self.probabilities.astype(np.float64), 5).tolist()
        return {
            **{f"{level}_accuracy": asdict(getattr(self, level)) for level in LEVELS},
            "top_5": self.top_k(5),
            **{f"num_{level}s": getattr(self, level).count for level in LEVELS},
            "num_groups": self.num_groups,
            "classes": list(self.classes),
            "readout": self.readout,
            "per_class": per_class.to_dict(orient="index"),
            "confusion": self.confusion.tolist(),
            "predictions": {**columns, "probabilities": probabilities},
        }

    @classmethod
    def from_json(cls, record: dict) -> "Results":
        """Rebuild results from what ``to_json`` gave.

        Args:
            record: the dict; keys that others added to it are passed over.

        Returns:
            Results whose accuracies, confusion and tables are those that were saved.

        Raises:
            ValueError: if a key is missing.
        """
        needed = [*(f"{level}_accuracy" for level in LEVELS), "classes", "readout", "num_groups", "predictions"]
        missing = [key for key in needed if key not in record]
        if missing:
            raise ValueError(
                f"Expected results of an evaluation. Received: a record without {missing}. Evaluate again."
            )
        columns, classes = dict(record["predictions"]), tuple(record["classes"])
        predictions = tabulate_predictions(
            columns["name"],
            columns["label"],
            groups=columns["group"],
            probabilities=columns["probabilities"],
            predicted=columns["predicted"],
            classes=classes,
        )
        levels = {level: Accuracy(**record[f"{level}_accuracy"]) for level in LEVELS}
        facts = {key: record[key] for key in ("readout", "num_groups")}
        return cls(classes, **levels, predictions=predictions, **facts)
