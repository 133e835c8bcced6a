"""The PyTorch twin: the same files, names, arguments and docstrings as `actlib.keras`, on the same weights.

The flow::

    vgg -> lrcn, distributed -> weights -> precision, dataset, augmentation -> trainer -> training; saliency

Models take uint8 RGB (N, T, H, W, C) and give float32 logits (N, T, K) or (N, K); `training` takes and gives NumPy
arrays, and computes where the model is.
"""
