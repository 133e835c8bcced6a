"""Clips in feature space: which lie close to each other, and all of them on one map."""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize

from actlib.evaluation.baseline import global_average_pool
from actlib.schema import check_choice

NUM_COMPONENTS = 50  # of PCA, before t-SNE, as van der Maaten and Hinton do
PERPLEXITY = 20  # of t-SNE, about how many neighbours count; at most a third of the clips


def embed_clips(features, *, feature_shape=None) -> np.ndarray:
    """Describe each clip by one vector, the mean of its frames' features: float32 (n, D), or (n, channels).

    Args:
        features: sequence of float (T, D), such as a ``FeatureCache``; T may differ.
        feature_shape: a spec's ``vgg.feature_shape`` (h, w, channels), to take the mean over the picture too.
    """
    vectors = np.stack([np.asarray(features[index]).mean(axis=0, dtype=np.float32) for index in range(len(features))])
    return vectors if feature_shape is None else global_average_pool(vectors, feature_shape)


def find_neighbours(vectors, *, num_neighbours=5, groups=None) -> pd.DataFrame:
    """Find the nearest clips of each clip, by the cosine of the angle between vectors.

    Args:
        vectors, num_neighbours: float (n, D), of the clips; how many each, never the clip itself.
        groups: n values, such as (class, group) pairs; clips of the query's own are left out. None: any clip counts.

    Returns:
        A row a pair: query, rank (from 1), neighbour (a row of ``vectors``, as query is), similarity (cosine, -1..1).

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> find_neighbours(vectors, num_neighbours=1)["neighbour"].tolist()
        [1, 0, 1]
    """
    vectors = _normalize(vectors)
    groups = np.arange(len(vectors)) if groups is None else pd.factorize(pd.Series(list(groups)))[0]
    rows = []
    for query, vector in enumerate(vectors):
        others = np.flatnonzero(groups != groups[query])
        cosines = vectors[others] @ vector
        nearest = np.argsort(-cosines, kind="stable")[:num_neighbours]
        rows += [(query, rank, others[each], cosines[each]) for rank, each in enumerate(nearest, start=1)]
    return pd.DataFrame(rows, columns=["query", "rank", "neighbour", "similarity"])


def neighbour_accuracy(neighbours, labels) -> float:
    """Return how often a clip's nearest neighbour has its label: 0..1, before any training.

    Args:
        neighbours, labels: table of ``find_neighbours``; int (n,), of the clips.
    """
    nearest, labels = neighbours[neighbours["rank"] == 1], np.asarray(labels)
    return float((labels[nearest["query"]] == labels[nearest["neighbour"]]).mean())


def project_clips(vectors, *, method="pca", seed=0) -> np.ndarray:
    """Project clips into the plane so that close ones lie together: float32 (n, 2), without units.

    Args:
        vectors: float (n, D), of at least 2 clips; each is first scaled to length 1, so that angles count.
        method: "pca", whose distances count, or "tsne", which only keeps who is near whom.
        seed: of t-SNE's optimisation; PCA needs none.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 9, 2008.
    """
    check_choice("method", method, ("pca", "tsne"))
    vectors = _normalize(vectors)
    points = PCA(min(NUM_COMPONENTS, *vectors.shape), svd_solver="full").fit_transform(vectors)  # (n, at most 50)
    if method == "tsne" and len(points) > 3:
        perplexity = min(PERPLEXITY, (len(points) - 1) / 3)
        points = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    return points[:, :2].astype(np.float32)


def _normalize(vectors):
    """The vectors of two clips or more at length 1, float32."""
    if len(vectors) < 2:
        raise ValueError(f"Expected vectors of at least 2 clips. Received: {len(vectors)}. Read more of them.")
    return normalize(np.asarray(vectors, np.float32))
