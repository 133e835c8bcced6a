"""actlib: activity recognition in video, small enough to read, the same in Keras and in PyTorch.

The flow, and the one direction in which modules import each other::

    specs -> videos -> synthetic -> clips -> batches -> caches -> checkpoints -> runs
          -> keras | torch -> evaluation -> pictures -> timeline -> annotate -> experiments -> widgets

The letters for axes, everywhere in code, comments and docstrings:

    N clips, T frames of a clip, H rows, W columns, C colours (RGB, 3), D features, K classes, F frames of a video

Frames are ``uint8`` RGB in 0..255 until they are inside a model; logits are what a model says before the softmax.
Neither framework is imported until ``actlib.keras`` or ``actlib.torch`` is.
"""

__version__ = "0.1.0"
