"""Clips in feature space: which are alike to a model, and all of them on one map."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from actlib.evaluation.baseline import average_positions

MAPS = ("pca", "tsne")
NUM_COMPONENTS = 50  # of PCA, before t-SNE, as van der Maaten and Hinton do


def embed_clips(features, *, feature_shape=None) -> np.ndarray:
    """Describes each clip by one vector: the mean of its frames' features.

    Args:
        features: a sequence of float (T, D), such as a `FeatureCache`; T may differ. Only one is in memory at a time.
        feature_shape: (h, w, channels) of a frame's features, a spec's `vgg.feature_shape`: they are then averaged over
            the picture too, so that it counts what was seen, not where. None keeps all D.

    Returns:
        float32 (n, D), or (n, channels).

    Raises:
        ValueError: there are no clips, or a clip's features are not finite numbers (T, D).

    Example:
        >>> embed_clips([np.array([[0.0, 2.0], [4.0, 2.0]]), np.ones((1, 2))]).tolist()
        [[2.0, 2.0], [1.0, 1.0]]
    """
    vectors = [_mean_of(np.asarray(features[index]), index, feature_shape) for index in range(len(features))]
    if not vectors:
        raise ValueError("Expected features of at least 1 clip. Received: none. Fill the cache first.")
    return np.stack(vectors)


def find_neighbours(vectors, *, queries=None, num_neighbours=5, groups=None) -> pd.DataFrame:
    """Finds the clips that are most alike, by the angle between their vectors.

    Args:
        vectors: float (n, D), of the clips to choose from.
        queries: ints, which of them to find neighbours for; None for all.
        num_neighbours: how many each, never the clip itself.
        groups: n values that tell recordings apart, such as (class, group) pairs; clips of the query's own recording
            are then passed over, alike as they are for another reason than what is done in them. None: any clip counts.

    Returns:
        DataFrame, one row a pair: `query`, `rank` (from 1), `neighbour` (both row numbers of `vectors`), `similarity`
        (cosine, -1..1). A query has fewer rows if there are not enough clips.

    Raises:
        ValueError: shapes do not fit, or there are fewer than 2 clips.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> find_neighbours(vectors, queries=[0], num_neighbours=1)["neighbour"].tolist()
        [1]
    """
    vectors = _check_vectors(vectors, least=2)
    groups = np.arange(len(vectors)) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    if len(groups) != len(vectors):
        raise ValueError(f"Expected a group for each of {len(vectors)} clips. Received: {len(groups)}. Give one each.")
    queries = np.arange(len(vectors)) if queries is None else np.atleast_1d(queries)
    reach = min(len(vectors), num_neighbours + int(np.bincount(groups).max()))  # enough to pass over a whole recording
    search = NearestNeighbors(n_neighbors=reach, metric="cosine", algorithm="brute").fit(vectors)
    distances, indices = search.kneighbors(vectors[queries])
    rows = []
    for query, far, near in zip(queries, distances, indices, strict=True):
        keep = np.flatnonzero(groups[near] != groups[query])[:num_neighbours]
        rows += [(query, rank, near[place], 1 - far[place]) for rank, place in enumerate(keep, start=1)]
    return pd.DataFrame(rows, columns=["query", "rank", "neighbour", "similarity"])


def neighbour_accuracy(neighbours, labels) -> float:
    """Share of clips whose nearest neighbour is of the same class: what features are worth before anything is learnt.

    Args:
        neighbours: what `find_neighbours` gave.
        labels: int (n,), of all clips.

    Returns:
        0..1.

    Raises:
        ValueError: there are no neighbours.

    Example:
        >>> neighbours = pd.DataFrame({"query": [0, 1], "rank": [1, 1], "neighbour": [1, 2]})
        >>> neighbour_accuracy(neighbours, [7, 7, 8])
        0.5
    """
    nearest = neighbours[neighbours["rank"] == 1]
    if nearest.empty:
        raise ValueError("Expected at least 1 neighbour. Received: none. Give more clips than one recording has.")
    labels = np.asarray(labels)
    return float((labels[nearest["query"]] == labels[nearest["neighbour"]]).mean())


def project_clips(vectors, *, method="pca", seed=0, perplexity=20.0) -> np.ndarray:
    """Lays clips out in the plane so that alike ones lie together.

    Args:
        vectors: float (n, D), of at least 2 clips; each is first scaled to length 1, so that angles count.
        method: "pca", a straight projection whose distances count, or "tsne", which only keeps who is near whom.
        seed: of t-SNE's optimisation; PCA needs none.
        perplexity: of t-SNE, about how many neighbours count; at most a third of the clips is used.

    Returns:
        float32 (n, 2), without units.

    Raises:
        ValueError: an unknown method, or vectors that are not finite numbers (n, D).

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008.

    Example:
        >>> project_clips(np.eye(4)).shape
        (4, 2)
    """
    if method not in MAPS:
        raise ValueError(f"Expected method to be one of {MAPS}. Received: {method!r}. Choose one of them.")
    vectors = normalize(_check_vectors(vectors, least=2))
    num_components = min(2 if method == "pca" else NUM_COMPONENTS, *vectors.shape)
    points = PCA(num_components, svd_solver="full").fit_transform(vectors)  # (n, at most 50)
    points = _fix_signs(np.pad(points, ((0, 0), (0, max(0, 2 - num_components)))))
    if method == "tsne" and len(points) > 3:
        perplexity = min(perplexity, (len(points) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    return points[:, :2].astype(np.float32)


def _mean_of(features, index, feature_shape):
    if features.ndim != 2 or not len(features):
        raise ValueError(f"Expected features (T, D). Received: {features.shape} of clip {index}. Give one row a frame.")
    mean = features.mean(axis=0, dtype=np.float32)
    return mean if feature_shape is None else average_positions(mean, feature_shape)


def _check_vectors(vectors, *, least):
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or len(vectors) < least or not np.isfinite(vectors).all():
        raise ValueError(
            f"Expected finite vectors (n, D) of at least {least} clips. Received: {vectors.shape}. See embed_clips."
        )
    return vectors


def _fix_signs(points):
    """Turns each axis so that its farthest point is positive: the same map on every machine."""
    farthest = points[np.abs(points).argmax(axis=0), np.arange(points.shape[1])]
    return points * np.where(farthest < 0, -1, 1)
