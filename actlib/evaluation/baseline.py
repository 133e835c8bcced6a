"""The trivial baseline that a network has to beat: logistic regression on averaged features."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from threadpoolctl import threadpool_limits


def global_average_pool(features: np.ndarray, feature_shape: tuple[int, int, int]) -> np.ndarray:
    """Average flat features over the picture, float32 (..., channels): what was seen stays, where it was goes.

    Args:
        features: float (..., D), flattened in the order rows, columns, channels.
        feature_shape: (h, w, channels), a spec's ``vgg.feature_shape``.

    Example:
        >>> global_average_pool(np.arange(8.0), (2, 2, 2)).tolist()
        [3.0, 4.0]
    """
    features = np.asarray(features)
    return features.reshape(*features.shape[:-1], -1, feature_shape[2]).mean(axis=-2, dtype=np.float32)


def logistic_baseline(train, labels, *, test, num_classes: int) -> np.ndarray:
    """Fit logistic regression to the training frames, each of length 1; return the test frames' logits, (M, T, K).

    Args:
        train: float (N, T, D), features of the training clips' frames, such as ``global_average_pool`` gives.
        labels, test: int (N,), the label of each training clip; float (M, T, D), likewise for the test clips.
        num_classes: K; a class without training clips gets the lowest logit.
    """
    train, test = np.asarray(train, np.float32), np.asarray(test, np.float32)
    frame_labels = np.repeat(labels, train.shape[1])
    # Frames are scaled, not channels: a StandardScaler would blow up the weak ones, which are mostly noise.
    model = make_pipeline(Normalizer(), LogisticRegression(max_iter=1000))
    with threadpool_limits(1):  # products this small take longer on several cores, many times so where they are shared
        model.fit(train.reshape(-1, train.shape[-1]), frame_labels)
    probabilities = model.predict_proba(test.reshape(-1, test.shape[-1]))  # (M * T, classes in training)
    logits = np.full((len(probabilities), num_classes), np.log(1e-12), np.float32)
    logits[:, model.classes_] = np.log(np.maximum(probabilities, 1e-12))
    return logits.reshape(*test.shape[:-1], num_classes)
