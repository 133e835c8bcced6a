"""Clips -> seeded batches of NumPy arrays: frames stay uint8, features stay float16.

The same seed and epoch give the same batches, in whatever order and from however many threads they are asked for.
"""

from dataclasses import KW_ONLY, dataclass

import numpy as np

from actlib.dataset.augmentation import augment_clip, split_augmentation
from actlib.schema import check_choice
from actlib.specs import CONTROLS


@dataclass
class ClipBatches:
    """Batches of clips from arrays of frames or of features, one array a video.

    A cache is filled when its first clips are asked for. Videos without frames give no clips.

    Args:
        source: sequence of (F, ...) arrays, one a video: a cache, or a list; F may differ.
        labels: int (num_videos,).
        sampler: which frames make a clip: what `make_sampler` gives, or a function of your own.
        batch_size: N, clips; the last batch of an epoch may be smaller.
        shuffle: put the clips of each epoch in another order.
        seed: of all that is random: sampling, order, augmentation.
        augment: False, True for `augment_clip` at the frames' own size, or `function(clip, *, rng)`; for frames only.
        control: what stands in place of each clip's frames, to see what a model reads from them; None for the frames:
            "shuffled" (in random order), "reversed", "first" (that one at every step), or "first_last" (the first for
            half of the steps, then the last).
        crops: functions of a clip, as `list_crops` gives them: each clip comes once through each; for testing.
        kind: "frames" or "features"; None asks a cache for its own, and takes a list for frames.

    Example:
        >>> from actlib.video import make_sampler
        >>> frames = [np.full((6, 4, 4, 3), shade, np.uint8) for shade in range(5)]
        >>> batches = ClipBatches(frames, [0, 1, 0, 1, 0], make_sampler("uniform", 2), batch_size=2)
        >>> [(clips.shape, labels.tolist()) for clips, labels in batches.epoch(0)]
        [((2, 2, 4, 4, 3), [0, 1]), ((2, 2, 4, 4, 3), [0, 1]), ((1, 2, 4, 4, 3), [0])]
    """

    source: object
    labels: object
    sampler: object
    _: KW_ONLY
    batch_size: int = 16
    shuffle: bool = False
    seed: int = 0
    augment: object = False
    control: str | None = None
    crops: object = ()
    kind: str | None = None

    def __post_init__(self):
        self.labels = np.asarray(self.labels, dtype=np.int64)
        if self.labels.shape != (len(self.source),) or self.batch_size < 1:
            found = f"labels {self.labels.shape} for {len(self.source)} videos, batch size {self.batch_size}"
            raise ValueError(f"Expected one label a video, batches of at least 1. Received: {found}. Correct them.")
        if self.crops and self.shuffle:
            raise ValueError("Expected crops without shuffle. Received: both. Augment what you shuffle.")
        check_choice("control", self.control, (None, *CONTROLS))
        self.kind = self.kind or getattr(self.source, "kind", "frames")
        self._lengths, self._epochs = None, {}

    def __getstate__(self):
        self.clips(0)  # fills a cache before it goes to another process
        return self.__dict__ | {"_epochs": {}}

    def __len__(self):
        return self._num_batches(0)

    def epoch(self, number=0):
        """Give the batches of an epoch (from 0) in order, each as `batch` makes it."""
        return (self.batch(number, index) for index in range(self._num_batches(number)))

    def batch(self, number, index, *, rows=slice(None), apart=False):
        """Make one batch of an epoch, both from 0, or some of its rows: clips (N, T, ...) and labels (N,).

        With `apart`, for a framework's `crop_clips`: (clips as they are, their boxes), and labels.
        """
        if index not in range(num_batches := self._num_batches(number)):
            raise IndexError(f"Expected a batch in 0..{num_batches - 1}. Received: {index}. See len(batches).")
        drawn = self.clips(number)
        places = range(len(drawn))[index * self.batch_size : (index + 1) * self.batch_size][rows]
        labels = self.labels[[drawn[place][0] for place in places]]  # (N,)
        clips, boxes = None, []  # (N, T, ...)
        augment, crops = (False, ()) if apart else (self.augment, self.crops)
        for row, place in enumerate(places):
            (video, frames), array = drawn[place], self.source[drawn[place][0]]
            rng = self.augment and np.random.default_rng((self.seed, number, 3, place))  # whoever reads the clip
            if apart:
                boxes.append(split_augmentation(self.augment)[0](array, rng=rng))
            if not (augment or crops) and len(array) == self._lengths[video]:  # straight to where it goes, copied once
                clips = np.empty((len(places), len(frames), *array.shape[1:]), array.dtype) if clips is None else clips
                array.take(frames, axis=0, out=clips[row], mode="clip")  # "raise" would copy it twice
                continue
            clip = array[frames]
            if augment:
                clip = (augment_clip if augment is True else augment)(clip, rng=rng)
            if crops:  # of a clip they follow one another
                clip = crops[place % len(crops)](clip)
            clips = np.empty((len(places), *clip.shape), clip.dtype) if clips is None else clips
            clips[row] = clip
        return ((clips, np.array(boxes, np.int32)) if apart else clips), labels

    def clips(self, number=0):
        """List the clips of an epoch in order: (row of the video in the source, int64 (T,) frames) each."""
        key = (number, self.sampler, self.seed, self.shuffle, self.control)
        clips = self._epochs.get(key) or self._draw_epoch(number)
        # The last two that were asked for: the length is that of epoch 0.
        self._epochs = dict([item for item in self._epochs.items() if item[0] != key][-1:]) | {key: clips}
        return clips

    def videos(self, number=0):
        """Return int64 (num_clips,): the video of every clip of an epoch in order, as rows in the source."""
        return np.array([video for video, _ in self.clips(number)], dtype=np.int64)

    def _num_batches(self, number):
        return -(-len(self.clips(number)) // self.batch_size)

    def _draw_epoch(self, number):
        sampling, order, frames = (np.random.default_rng((self.seed, number, stream)) for stream in range(3))
        if self._lengths is None:  # filling a cache first
            lengths = self.source.fill().lengths if hasattr(self.source, "lengths") else map(len, self.source)
            self._lengths = [int(length) for length in lengths]
        clips = []
        for video, length in [(video, length) for video, length in enumerate(self._lengths) if length]:
            for indices in np.array(self.sampler(length, sampling), ndmin=2, copy=None):  # of (M, T)
                clips.append((video, indices))
                if len(indices) != len(clips[0][1]) or not 0 <= min(given := indices.tolist()) <= max(given) < length:
                    wanted = f"Expected clips of {len(clips[0][1])} frames in 0..{length - 1}"
                    raise ValueError(f"{wanted}. Received: {indices.tolist()} for video {video}. Correct the sampler.")
        if self.control:
            clips = [(video, _replace_frames(indices, self.control, frames)) for video, indices in clips]
        clips = [clip for clip in clips for _ in self.crops or "1"]
        return [clips[row] for row in order.permutation(len(clips))] if self.shuffle else clips


def _replace_frames(indices, control, rng):
    """What a control shows in place of a clip's frames, int (T,)."""
    halves = np.where(np.arange(len(indices)) < len(indices) / 2, indices[0], indices[-1])
    others = {"first": np.full_like(indices, indices[0]), "first_last": halves, "reversed": indices[::-1]}
    return rng.permutation(indices) if control == "shuffled" else others[control]
