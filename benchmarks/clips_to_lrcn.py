"""From videos to an evaluated LRCN, three ways, on the same clips: ours, one `predict` a frame, and every window again.

Ours: a frame is decoded once, convolved once, in bfloat16 where the machine gains from it, and the head trains on what
is kept. The second is how the CNN-RNN recipe among Keras' examples goes: OpenCV reads each whole video, and `predict`
is called for each frame. The third is how the original study went: each overlapping window of frames goes through the
network in each epoch; all epochs take as long, so one is timed and the others are counted. Network (VGG-16, LSTM),
frames, number of epochs and framework (Keras) are the same, so only the way differs.

    python benchmarks/clips_to_lrcn.py                                       # the sample set, at 224 pixels
    python benchmarks/clips_to_lrcn.py --data DIR --weights FILE             # the folder that holds UCF-101/
"""

import argparse
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from actlib import sample, specs
from actlib.dataset import ClipBatches
from actlib.experiment import (
    Experiment,
    cache_inputs,
    evaluate_model,
    load_initial_weights,
    make_batches,
    prepare_videos,
    train_model,
)
from actlib.keras.training import build_model, train
from actlib.video import make_sampler, sample_uniform

NUM_FRAMES, WINDOW, STRIDE = 16, 8, 4


def prepare(options):
    """Choose videos of a few classes: (table, experiment, a new model)."""
    data, preset = options.data or sample.data_folder(), specs.PRESETS["vgg16_lrcn"]
    table = prepare_videos(data, limit=options.limit)
    classes = table.attrs["classes"][: options.classes]
    table = prepare_videos(data, classes=tuple(classes), limit=options.limit)
    table = table[table.subset != "validation"].reset_index(drop=True)
    training = replace(preset.training, num_epochs=options.epochs, patience=None)
    preset = replace(preset, num_frames=NUM_FRAMES, clip_frames=WINDOW, training=training)
    experiment = Experiment(data, preset, framework="keras", weights=options.weights, validation_groups=0)
    weights = load_initial_weights(options.weights)
    return table, experiment, lambda: build_model(preset.model, len(classes), weights=weights)


def split(table):
    """Return the rows that train and the rows that test."""
    return [table[table.subset == subset].reset_index(drop=True) for subset in ("train", "test")]


def go_our_way(table, experiment, model):
    """Train and test as the library does; return the share of test videos that are right."""
    rows, test = split(table)
    batches = make_batches(cache_inputs(rows, model, experiment), rows, experiment, train=True)
    train_model(model, batches, None, experiment, table=table, run=None)
    batches = make_batches(cache_inputs(test, model, experiment), test, experiment, train=False)
    return evaluate_model(model, batches, test).video.value


def read_whole(path):
    """Read all frames of a video, cropped to the square in its middle and shrunk, and keep some: uint8 (F, H, W, 3)."""
    reader, frames = cv2.VideoCapture(str(path)), []
    while (found := reader.read())[0]:
        height, width = found[1].shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = cv2.resize(found[1][top : top + side, left : left + side], (224, 224))
        frames.append(square[:, :, ::-1])
    reader.release()
    return np.stack(frames)[sample_uniform(len(frames), NUM_FRAMES)]


def predict_each_frame(table, experiment, model):
    """Call `predict` for each frame, train the head on what it gives, test; return the share that is right."""
    features = []
    for row in table.itertuples():
        each = [model.convolutions.predict(frame[None], verbose=0)[0] for frame in read_whole(row.path)]
        features.append(np.stack(each).astype(np.float16))
    parts = [
        [each for each, one in zip(features, table.subset, strict=True) if one == name] for name in ("train", "test")
    ]
    (rows, test), options = split(table), {"kind": "features", "batch_size": experiment.preset.training.batch_size}
    sampler = make_sampler("segments", WINDOW)
    batches = ClipBatches(parts[0], rows.label.to_numpy(), sampler, shuffle=True, **options)
    train(model, batches, None, experiment.preset.training)
    batches = ClipBatches(parts[1], test.label.to_numpy(), make_sampler("strided", WINDOW), **options)
    return evaluate_model(model, batches, test).video.value


def convolve_each_window(table, experiment, model):
    """Send every window through the whole network: (seconds of reading and testing, seconds of an epoch)."""
    rows, test = split(table)
    begin = time.perf_counter()
    videos = [[read_whole(path) for path in part.path] for part in (rows, test)]
    reading = time.perf_counter() - begin
    sampler = make_sampler("windows", WINDOW, stride=STRIDE)
    batches = [
        ClipBatches(frames, part.label.to_numpy(), sampler, batch_size=4, kind="frames")
        for frames, part in zip(videos, (rows, test), strict=True)
    ]
    recipe = replace(experiment.preset.training, num_epochs=1)
    epoch = train(model, batches[0], None, recipe)["seconds"][0]
    begin = time.perf_counter()
    evaluate_model(model, batches[1], test)
    return reading + time.perf_counter() - begin, epoch


def main():
    """Go all three ways and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--weights", default="none", help="a file, or imagenet; else random ones, which are as fast")
    parser.add_argument("--classes", type=int, default=2)
    parser.add_argument("--limit", type=int, default=4, help="videos of a class in each subset")
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    table, experiment, build = prepare(options)
    model = build()
    model.convolutions.predict(np.zeros((1, 224, 224, 3), np.uint8), verbose=0)  # what compiles once does not count
    ours, seconds = build(), {}
    with tempfile.TemporaryDirectory() as cache:
        os.environ["ACTLIB_CACHE"] = cache
        begin = time.perf_counter()
        right = go_our_way(table, experiment, ours)
        seconds["ours"] = time.perf_counter() - begin
    begin = time.perf_counter()
    other = predict_each_frame(table, experiment, model)
    seconds["one predict a frame"] = time.perf_counter() - begin
    once, epoch = convolve_each_window(table, experiment, build())
    seconds["every window again"] = once + options.epochs * epoch
    frames = f"{len(table)} videos, {NUM_FRAMES} frames of each, {options.epochs} epochs"
    print(f"{frames}: {right:.0%} of the test videos right our way, {other:.0%} the second")
    for name, value in seconds.items():
        print(f"{name:20} {value:8.1f} s  {value / seconds['ours']:6.1f} times as long")
    print(f"(of the last, an epoch took {epoch:.1f} s, reading and testing {once:.1f} s; the sum is by count)")


if __name__ == "__main__":
    main()
