"""The PyTorch half: the same files, names and arguments as ``actlib.keras``, on the same weights.

The flow::

    vgg -> lrcn -> weights -> training -> saliency

Models take uint8 RGB tensors (N, T, H, W, C) and give float32 logits (N, T, K) or (N, K); ``training`` takes and gives
NumPy arrays, and finds the GPU by itself.
"""
