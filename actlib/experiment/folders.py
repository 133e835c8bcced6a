"""What suits a data folder: presets, weights, where runs go; and the table of its videos, in subsets."""

from pathlib import Path

import numpy as np

from actlib import dataset, files, paths, sample, specs


def choose_preset(model, folder):
    """Return the preset that trains a model well: slim for the sample set, VGG-16 for real clips.

    Args:
        model, folder: "frames" or "lrcn"; the data folder.

    Example:
        >>> choose_preset("frames", "/data/UCF-101").name
        'vgg16_frames'
    """
    return specs.PRESETS[f"{'slim' if sample.is_sample(folder) else 'vgg16'}_{model}"]


def choose_weights(folder):
    """Return what a frame classifier starts from: "none" on the sample set, "imagenet" on real clips.

    Args:
        folder: The data folder.
    """
    return "none" if sample.is_sample(folder) else "imagenet"


def runs_folder(folder):
    """Return where lessons write what they train on this data: ``runs/lessons/sample``, or the data folder's name.

    A table of labels, or a folder that is called "sample" but isn't, is named together with the folder it is in.

    Args:
        folder: The data folder.
    """
    if sample.is_sample(folder := Path(folder)):
        return paths.runs_root() / "sample"
    shared = folder.is_file() or folder.name == "sample"  # every other table is called labels.csv
    return paths.runs_root() / (f"{folder.parent.name}_{folder.stem}" if shared else folder.name)


def prepare_videos(folder, *, classes=None, group_pattern=None, limit=None, **options):
    """List the videos of ``list_videos`` with the subsets of ``assign_subsets``, and refuse a group in two of them.

    Args:
        folder, classes, group_pattern: As for ``list_videos``.
        limit: At most this many videos of a class in each subset, spread over its groups; None for all.
        options: ``split``, ``validation_groups`` and ``split_seed``, as for ``assign_subsets``.
    """
    videos = dataset.list_videos(folder, classes=classes, group_pattern=group_pattern)
    table = dataset.assign_subsets(videos, folder, **options)
    for subset in ("validation", "test"):
        dataset.check_leakage(table[table.subset != subset], table[table.subset == subset])
    if limit is None:
        return table
    return table.loc[np.sort(table.sort_values(["clip", "group"]).groupby(["class_name", "subset"]).head(limit).index)]


def prepare_table(experiment):
    """List the videos of an experiment, see ``prepare_videos``.

    Args:
        experiment: The ``Experiment``.
    """
    names = ("split", "classes", "split_seed", "validation_groups", "limit", "group_pattern")
    return prepare_videos(experiment.data, **{name: getattr(experiment, name) for name in names})


def refuse_inputs(experiment, run):
    """Refuse a run, a folder or None, that would write over what it reads: a table of videos, or the first weights."""
    start = paths.vgg16_file() if experiment.weights in ("imagenet", "none") else Path(experiment.weights)
    inputs = (experiment.data, start, *(start / part / paths.BEST for part in ("", "choosing")))
    for folder in (Path(run), Path(run, "choosing")) if run else ():
        for name in ("", paths.BEST, paths.STATE, paths.SPLIT, paths.HISTORY_TABLE):
            files.refuse_inputs(folder / name, *inputs)
