"""Clips in feature space: who is near whom, and where they lie on a map."""

import numpy as np
import pytest

from actlib.evaluation.neighbours import embed_clips, find_neighbours, neighbour_accuracy, project_clips


def three_heaps(per_class=12, width=40, spread=0.15):
    """Vectors of three classes around three directions, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), per_class)
    return np.eye(width)[labels * 5] + rng.normal(0, spread / np.sqrt(width), (len(labels), width)), labels


def test_clips_are_described_by_the_mean_of_their_frames():
    rng = np.random.default_rng(0)
    features = [rng.normal(size=(frames, 6)).astype(np.float16) for frames in (1, 4, 9)]
    vectors = embed_clips(features)
    assert vectors.dtype == np.float32
    for vector, clip in zip(vectors, features, strict=True):
        assert np.allclose(vector, clip.astype(np.float64).mean(axis=0), atol=1e-6)


def test_features_are_averaged_over_the_picture_when_asked():
    features = np.random.default_rng(0).normal(size=(2, 3, 5 * 4 * 6)).astype(np.float32)
    vectors = embed_clips(features, feature_shape=(5, 4, 6))
    assert np.allclose(vectors, features.reshape(2, 3, 5, 4, 6).mean(axis=(1, 2, 3)), atol=1e-6)


def test_large_halves_do_not_overflow():
    assert np.isfinite(embed_clips([np.full((64, 3), 60000, np.float16)])).all()


def test_neighbours_are_those_of_the_smallest_angle():
    vectors, _ = three_heaps()
    found = find_neighbours(vectors, num_neighbours=4)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    np.fill_diagonal(cosines, -2)
    for query, rows in found.groupby("query"):
        assert rows["neighbour"].tolist() == np.argsort(-cosines[query])[:4].tolist()
        assert np.allclose(rows["similarity"], np.sort(cosines[query])[::-1][:4], atol=1e-5)
        assert rows["rank"].tolist() == [1, 2, 3, 4]


def test_copies_of_a_clip_never_push_it_among_its_own_neighbours():
    vectors = np.repeat(np.eye(3), 4, axis=0)
    found = find_neighbours(vectors, num_neighbours=3)
    assert (found["query"] != found["neighbour"]).all()
    assert np.allclose(found["similarity"], 1)


def test_clips_of_the_same_recording_are_passed_over():
    vectors, _ = three_heaps()
    groups = [("Class", number // 4) for number in range(len(vectors))]
    found = find_neighbours(vectors, num_neighbours=5, groups=groups)
    assert found["query"].tolist() == np.repeat(np.arange(36), 5).tolist()
    assert all(groups[query] != groups[near] for query, near in zip(found["query"], found["neighbour"], strict=True))
    assert find_neighbours(vectors, num_neighbours=3, groups=["one"] * len(vectors)).empty


def test_neighbour_accuracy():
    vectors, labels = three_heaps()
    assert neighbour_accuracy(find_neighbours(vectors), labels) == 1.0
    swapped = np.array(labels)
    swapped[0] = 2
    found = find_neighbours(vectors, num_neighbours=1)
    involved = (found["query"] == 0) | (found["neighbour"] == 0)
    assert neighbour_accuracy(found, swapped) == pytest.approx(1 - involved.mean())


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_on_a_map_classes_lie_together(method):
    vectors, labels = three_heaps()
    points = project_clips(vectors, method=method)
    assert points.shape == (36, 2)
    assert np.isfinite(points).all()
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    same = labels[:, None] == labels[None]
    assert distances[same].max() < distances[~same].min()
    assert np.array_equal(points, project_clips(vectors, method=method))


@pytest.mark.parametrize("method", ["pca", "tsne"])
@pytest.mark.parametrize("shape", [(2, 5), (4, 300), (7, 3)])
def test_maps_of_few_clips(method, shape):
    points = project_clips(np.random.default_rng(0).normal(size=shape), method=method)
    assert points.shape == (shape[0], 2)
    assert np.isfinite(points).all()


def test_the_length_of_a_vector_does_not_matter():
    vectors, _ = three_heaps()
    scales = np.linspace(1, 100, len(vectors))[:, None]
    assert np.allclose(project_clips(vectors), project_clips(vectors * scales), atol=1e-4)


def test_wrong_input_is_refused():
    vectors, _ = three_heaps()
    with pytest.raises(ValueError, match="Expected method to be one of"):
        project_clips(vectors, method="umap")
    with pytest.raises(ValueError, match="at least 2 clips"):
        find_neighbours(vectors[:1])
    with pytest.raises(ValueError, match="NaN"):
        project_clips(np.full((3, 3), np.nan))
