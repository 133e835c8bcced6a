"""actlib: activity recognition in video, small enough to read, the same in Keras and in PyTorch.

The map, in the one direction in which modules import each other.

The core, what a reader reads::

    schema.py       JSON from anywhere, held against types with ranges
    specs.py        every number that the two frameworks share: networks, training, presets
    paths.py        environment variables and file names, each once
    files.py        write whole or not at all; lock; content hash
    video/          metadata, reader, writer, sampling, flow
    sample/         the sample set: drawn people doing seven activities
    dataset/        list of videos, splits, caches of frames and features, batches
    cards.py        what a checkpoint says of itself
    checkpoints.py  weights in safetensors, with a card in JSON
    machine.py      what a training runs on: processor, GPU, memory, versions of packages
    schedule.py     the learning rate of each epoch and layer, the best epoch, the end
    run.py          what a training leaves in its folder: state, history, curves; and its progress
    training.py     a training as far as both frameworks share it, initial weights included
    torch/          vgg, lrcn, weights, distributed, training, saliency
    keras/          the same files, names and arguments
    saliency.py     where a model of either looked, and when it decided
    evaluation/     metrics, intervals, comparison, calibration, fusion, neighbours
    experiment/     choices -> a trained model and its results: what lessons and the command line share

The show, what draws, fetches and plays::

    plots/          figures
    animation.py    GIF and APNG
    timeline.py     a model over the time of a video
    annotate/       films with a model's predictions in them
    widgets/        players and explorers for JupyterLab
    download/       UCF-101 and ImageNet's weights
    doctor.py       what is there, what is missing
    options.py      of the commands that take many
    settings.py     other values in a preset's fields, from text
    __main__.py     cut | extract | train | evaluate | fuse | annotate | fetch | doctor

The letters for axes, everywhere in code, comments and docstrings:

    N clips, T frames of a clip, H rows, W columns, C colours (RGB, 3), D features, K classes, F frames of a video

Frames are `uint8` RGB in 0..255 until they are inside a model; logits are what a model gives before the softmax.
Neither framework is imported until `actlib.keras` or `actlib.torch` is.
"""

__version__ = "0.1.0"
