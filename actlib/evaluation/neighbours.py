"""Clips in feature space: which lie close to each other, and all of them on one map."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from actlib.evaluation.baseline import global_average_pool

NUM_COMPONENTS = 50  # of PCA, before t-SNE, as van der Maaten and Hinton do


def embed_clips(features, *, feature_shape=None) -> np.ndarray:
    """Describe each clip by one vector, the mean of its frames' features: float32 (n, D), or (n, channels).

    Args:
        features: a sequence of float (T, D), such as a ``FeatureCache``; T may differ. One is in memory at a time.
        feature_shape: (h, w, channels), a spec's ``vgg.feature_shape``, for the mean over the picture too.
    """
    vectors = []
    for index in range(len(features)):
        clip = np.asarray(features[index])
        if clip.ndim != 2 or not len(clip):
            raise ValueError(f"Expected features (T, D). Received: {clip.shape} of clip {index}. Give one row a frame.")
        mean = clip.mean(axis=0, dtype=np.float32)
        vectors.append(mean if feature_shape is None else global_average_pool(mean, feature_shape))
    if not vectors:
        raise ValueError("Expected features of at least 1 clip. Received: none. Fill the cache first.")
    return np.stack(vectors)


def find_neighbours(vectors, *, queries=None, num_neighbours=5, groups=None) -> pd.DataFrame:
    """Find the nearest clips, by the cosine of the angle between vectors.

    Args:
        vectors: float (n, D), of the clips to choose from.
        queries: ints, which of them to find neighbours for; None for all.
        num_neighbours: how many each, never the clip itself.
        groups: n values, such as (class, group) pairs; clips of the query's own are left out. None: any clip counts.

    Returns:
        DataFrame, one row a pair: ``query``, ``rank`` (from 1), ``neighbour`` (both row numbers of ``vectors``),
        ``similarity`` (cosine, -1..1). A query has fewer rows if there are not enough clips.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> find_neighbours(vectors, queries=[0], num_neighbours=1)["neighbour"].tolist()
        [1]
    """
    vectors = _check_vectors(vectors)
    groups = np.arange(len(vectors)) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    if len(groups) != len(vectors):
        raise ValueError(f"Expected a group for each of {len(vectors)} clips. Received: {len(groups)}. Give one each.")
    queries = np.arange(len(vectors)) if queries is None else np.atleast_1d(queries)
    num_found = min(len(vectors), num_neighbours + int(np.bincount(groups).max()))  # a whole recording may fall out
    search = NearestNeighbors(n_neighbors=num_found, metric="cosine", algorithm="brute").fit(vectors)
    rows = []
    for query, distances, found in zip(queries, *search.kneighbors(vectors[queries]), strict=True):
        kept = np.flatnonzero(groups[found] != groups[query])[:num_neighbours]
        rows += [(query, rank, found[place], 1 - distances[place]) for rank, place in enumerate(kept, start=1)]
    return pd.DataFrame(rows, columns=["query", "rank", "neighbour", "similarity"])


def neighbour_accuracy(neighbours, labels) -> float:
    """Return the accuracy of a nearest-neighbour classifier, 0..1: what features are worth before any training.

    Args:
        neighbours: what ``find_neighbours`` gave.
        labels: int (n,), of all clips.
    """
    nearest = neighbours[neighbours["rank"] == 1]
    if nearest.empty:
        raise ValueError("Expected at least 1 neighbour. Received: none. Give more clips than one recording has.")
    labels = np.asarray(labels)
    return float((labels[nearest["query"]] == labels[nearest["neighbour"]]).mean())


def project_clips(vectors, *, method="pca", seed=0, perplexity=20.0) -> np.ndarray:
    """Project clips into the plane so that close ones lie together: float32 (n, 2), without units.

    Args:
        vectors: float (n, D), of at least 2 clips; each is first scaled to length 1, so that angles count.
        method: "pca", whose distances count, or "tsne", which only keeps who is near whom.
        seed: of t-SNE's optimisation; PCA needs none.
        perplexity: of t-SNE, about how many neighbours count; at most a third of the clips is used.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008.
    """
    if method not in ("pca", "tsne"):
        raise ValueError(f"Expected method to be one of ('pca', 'tsne'). Received: {method!r}. Choose one of them.")
    vectors = normalize(_check_vectors(vectors))
    num_components = min(2 if method == "pca" else NUM_COMPONENTS, *vectors.shape)
    points = PCA(num_components, svd_solver="full").fit_transform(vectors)  # (n, at most 50)
    points = np.pad(points, ((0, 0), (0, max(0, 2 - num_components))))
    farthest = points[np.abs(points).argmax(axis=0), np.arange(points.shape[1])]
    points = points * np.where(farthest < 0, -1, 1)  # the same map on every machine
    if method == "tsne" and len(points) > 3:
        perplexity = min(perplexity, (len(points) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    return points[:, :2].astype(np.float32)


def _check_vectors(vectors):
    """The vectors as float32; ValueError where they are not finite numbers of two clips at least."""
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or len(vectors) < 2 or not np.isfinite(vectors).all():
        raise ValueError(
            f"Expected finite vectors (n, D) of at least 2 clips. Received: {vectors.shape}. See embed_clips."
        )
    return vectors
