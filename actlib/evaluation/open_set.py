"""Open-set recognition, "none of these": which videos are unlike every class that was learnt, by their features."""

import base64
from dataclasses import astuple, dataclass

import numpy as np
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import normalize

from actlib.evaluation.intervals import bootstrap_groups
from actlib.evaluation.metrics import Accuracy

NONE_OF_THESE = "none of these"
NUM_COMPONENTS, SHRINKAGE = 16, 0.7  # of each Gaussian: principal components, and how far it is shrunk to a sphere


@dataclass(frozen=True, eq=False)
class KnownClasses:
    """The classes that were learnt, as Gaussians of frames' features, and how much like them a video has to be."""

    means: np.ndarray  # float16 (K + 1, D): of each class, then of all frames
    directions: tuple  # of two, float16 (r, D): scaled principal components within classes, and of all frames
    variances: tuple[float, float]  # of the spheres, likewise
    threshold: float = -np.inf  # of scores
    kept: Accuracy | None = None  # share of known videos, each scored without its group, that reach the threshold

    def score(self, features) -> np.ndarray:
        """Score how much videos are like the nearest of the classes, float64 (N,): their relative Mahalanobis distance.

        Features are float (N, T, D), each channel's mean over the frame, from 0, for each of a video's T frames.

        Source: Ren et al., A Simple Fix to Mahalanobis Distance, arXiv 2106.09022.
        """
        frames = _normalize(features)
        nearest = np.min([self._measure_distance(frames, mean, 0) for mean in self.means[:-1]], axis=0)
        return self._measure_distance(frames, self.means[-1], 1) - nearest

    def to_json(self) -> dict:
        """Turn it into what a checkpoint's card holds; the arrays are in base64."""
        arrays = [base64.b64encode(each.astype("<f2").tobytes()).decode() for each in (self.means, *self.directions)]
        return {"float16": arrays, "variances": self.variances, "threshold": self.threshold, "kept": astuple(self.kept)}

    @classmethod
    def from_json(cls, record, num_features, source="a card") -> "KnownClasses":
        """Rebuild what ``to_json`` gave, for D features; ValueError, naming the source, where arrays are damaged."""
        try:
            arrays = [np.frombuffer(base64.b64decode(each, validate=True), "<f2") for each in record["float16"]]
            arrays = [np.asarray_chkfinite(each).reshape(-1, num_features) for each in arrays]
        except ValueError as error:
            raise ValueError(f"Expected known classes. Received: {error}, in {source}. Make it again.") from error
        return cls(arrays[0], arrays[1:], record["variances"], record["threshold"], Accuracy(*record["kept"]))

    def _measure_distance(self, frames, mean, place):
        """Mean over a video's frames of the squared Mahalanobis distance to a Gaussian."""
        residuals = frames - mean
        along = residuals @ self.directions[place].T
        return ((residuals**2).sum(axis=2) / self.variances[place] - (along**2).sum(axis=2)).mean(axis=1)


def fit_known(features, labels) -> KnownClasses:
    """Fit the Gaussians of known classes, one covariance for all, and one Gaussian of all videos; no threshold yet.

    Args:
        features, labels: float (N, T, D), see ``KnownClasses.score``; int (N,), of two classes at least.
    """
    frames, (classes, numbers) = _normalize(features), np.unique(labels, return_inverse=True)
    means = [frames[numbers == number].mean(axis=(0, 1)) for number in range(len(classes))]
    means, overall = np.stack(means), frames.mean(axis=(0, 1))
    directions, variances = zip(*map(_fit_gaussian, (frames - means[numbers, None], frames - overall)), strict=True)
    return KnownClasses(np.float16([*means, overall]), np.float16(directions), variances)


def choose_threshold(fit, features, labels, groups, *, keep=0.95) -> tuple[float, Accuracy]:
    """Choose the threshold that keeps a share of known videos, scored by fits without their groups; return both.

    Args:
        fit: function of features and labels, such as ``fit_known``; gives what has a method ``score``.
        features: float (N, T, D), of all training groups, a tenth of which is left out after another.
        labels: int (N,).
        groups: (N,) any values, equal for videos of one recording.
        keep: the share, 0..1.
    """
    scores, folds = np.empty(len(labels)), GroupKFold(min(10, len(np.unique(groups))))
    for rest, part in folds.split(features, labels, groups):
        scores[part] = fit(features[rest], labels[rest]).score(features[part])
    threshold = float(np.quantile(scores, 1 - keep, method="lower"))
    return threshold, bootstrap_groups(scores >= threshold, groups, labels)


def explain_rejection(kept, threshold=0.0) -> str:
    """Say in a line which score calls a video "none of these".

    Args:
        kept: ``KnownClasses.kept`` of a model; None where its card has none.
        threshold: probability below which the prediction is "none of these" too.
    """
    ways = [f"if its features are unlike those of every class, which keeps about {kept} of known videos,"] * bool(kept)
    ways += [f"if its highest probability is below {threshold:g}"] * (threshold > 0)
    if not ways:
        return f"No video is {NONE_OF_THESE!r}: only RGB and frozen ImageNet weights have a score; or give --threshold."
    return f"A video is {NONE_OF_THESE!r} {' or '.join(ways).removesuffix(',')}."


def _normalize(features):
    """Each frame's square roots at length 1, float64 (N, T, D): channels that are on a lot count for less."""
    features = np.sqrt(np.maximum(np.asarray(features, float), 0))
    return normalize(features.reshape(-1, features.shape[-1])).reshape(features.shape)


def _fit_gaussian(residuals):
    """The scaled principal components (r, D) and the variance of the sphere of a shrunk covariance."""
    residuals = residuals.reshape(-1, residuals.shape[-1])
    covariance = residuals.T @ residuals / len(residuals)
    values, vectors = np.linalg.eigh(covariance)
    values = (1 - SHRINKAGE) * np.maximum(values[-NUM_COMPONENTS:], 0)
    sphere = SHRINKAGE * np.trace(covariance) / len(covariance) + 1e-9
    return (vectors[:, -NUM_COMPONENTS:] * np.sqrt(values / (sphere * (sphere + values)))).T, sphere
