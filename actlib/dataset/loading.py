"""Two ways to feed a model: all clips in arrays at once, or batches read ahead by workers that never hang.

Workers are threads or processes. One that raises raises here; one that is killed is noticed at once; one that is stuck
is given up after a while. Workers end with the program, even when it is killed.
"""

import multiprocessing
import pickle
import queue
import signal
import threading
import time
import weakref
from concurrent.futures import Future

import numpy as np


def count_bytes(batches) -> int:
    """Says how much memory all clips take as one array.

    Args:
        batches: a `ClipBatches`.

    Returns:
        Bytes of the clips of one epoch.

    Example:
        >>> from actlib.dataset import ClipBatches
        >>> from actlib.video import make_sampler
        >>> count_bytes(ClipBatches([np.zeros((9, 2, 2, 3), np.uint8)] * 5, range(5), make_sampler("uniform", 4)))
        240
    """
    clips, _ = batches.batch(0, 0)  # (N, T, ...)
    return len(batches.videos(0)) * clips[0].nbytes


def load_arrays(batches, *, limit_bytes=2e9):
    """Loads all clips of an epoch into memory: the classic way, for data that fits.

    Args:
        batches: a `ClipBatches`.
        limit_bytes: refuse to load more than this.

    Returns:
        (clips, labels): (N, T, ...) in the type of the source, and int64 (N,), N the number of all clips.

    Raises:
        MemoryError: they would take more than the limit; says how much, before anything is loaded.

    Example:
        >>> from actlib.dataset import ClipBatches
        >>> from actlib.video import make_sampler
        >>> batches = ClipBatches([np.zeros((9, 2, 2, 3), np.uint8)] * 5, range(5), make_sampler("uniform", 4))
        >>> clips, labels = load_arrays(batches)
        >>> clips.shape, labels.tolist()
        ((5, 4, 2, 2, 3), [0, 1, 2, 3, 4])
    """
    needed, num_clips = count_bytes(batches), len(batches.videos(0))
    if needed > limit_bytes:
        raise MemoryError(
            f"Expected clips of at most {limit_bytes / 1e6:,.0f} MB. Received: {num_clips:,} clips of "
            f"{needed / num_clips / 1e6:.2f} MB, {needed / 1e6:,.0f} MB in all. Stream them in batches instead, "
            "take smaller or fewer frames, or raise limit_bytes if there is memory for it."
        )
    first = batches.batch(0, 0)[0]
    clips = np.empty((num_clips, *first.shape[1:]), first.dtype)  # filled batch by batch: nothing is held twice
    labels, place = np.empty(num_clips, np.int64), 0
    for part, part_labels in batches.epoch(0):
        clips[place : place + len(part)], labels[place : place + len(part)] = part, part_labels
        place += len(part)
    return clips, labels


class Loader:
    """Reads batches of an epoch ahead of whoever asks for them.

    Threads are the default: decoding video and reading caches release Python's lock, and nothing is copied.
    Processes are for rules or sources that are slow Python; batches then travel through pipes.

    Args:
        batches: a `ClipBatches`, or anything with `len` and `batch(epoch, index)`; picklable if processes are used.
        workers: how many read at a time; 0 reads when asked, in the caller's thread.
        processes: use processes, not threads.
        ahead: how many batches are read ahead at most: what bounds memory.
        timeout_seconds: after how long a batch is given up.

    Attributes:
        waited_seconds: how long callers have waited for batches, all together.

    Example:
        >>> class Squares:
        ...     def __len__(self): return 3
        ...     def batch(self, epoch, index): return index ** 2
        >>> loader = Loader(Squares())
        >>> [loader.get(0, index) for index in range(3)]
        [0, 1, 4]
    """

    def __init__(self, batches, *, workers=2, processes=False, ahead=4, timeout_seconds=300):
        self.batches, self.workers, self.processes = batches, workers, processes
        self.ahead, self.timeout_seconds, self.waited_seconds = ahead, timeout_seconds, 0.0
        self._requests, self._pending, self._lock = queue.SimpleQueue(), {}, threading.Lock()
        for _ in range(workers):
            threading.Thread(target=_serve, args=(self._requests, batches, processes), daemon=True).start()
        self.close = weakref.finalize(self, _dismiss, self._requests, workers)  # or with the last reference

    def get(self, epoch, index):
        """Gives a batch, and has the next ones read.

        Args:
            epoch: number of the epoch, from 0.
            index: number of the batch in it.

        Returns:
            What `batches.batch(epoch, index)` returns.

        Raises:
            RuntimeError: the worker process was killed.
            TimeoutError: the batch took longer than `timeout_seconds`.
            Exception: whatever the worker raised.
        """
        start = time.perf_counter()
        try:
            if self.workers == 0:
                return self.batches.batch(epoch, index)
            return self._ask(epoch, index).result(self.timeout_seconds)
        except TimeoutError as error:
            raise TimeoutError(
                f"Expected batch {index} of epoch {epoch} within {self.timeout_seconds} s. Received: nothing yet. "
                "Is the disk reachable? Raise timeout_seconds if it is only slow."
            ) from error
        finally:
            self.waited_seconds += time.perf_counter() - start

    def _ask(self, epoch, index):
        with self._lock:  # a framework may ask from several threads
            for key in [key for key in self._pending if key[0] != epoch or key[1] < index]:
                self._pending.pop(key).cancel()  # of an epoch that was left
            for number in range(index, min(index + 1 + self.ahead, len(self.batches))):
                if (epoch, number) not in self._pending:
                    future = self._pending[epoch, number] = Future()
                    self._requests.put((future, epoch, number))
            return self._pending.pop((epoch, index))


def _serve(requests, batches, processes):
    """A worker's thread: answers requests, itself or through its process, until it is dismissed."""
    read = _Process(batches) if processes else batches.batch
    while (request := requests.get()) is not None:
        future, epoch, index = request
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(read(epoch, index))
            except BaseException as error:
                future.set_exception(error)
    if processes:
        read.end()


def _dismiss(requests, workers):
    for _ in range(workers):
        requests.put(None)


class _Process:
    """A process that reads batches; called like `batches.batch`."""

    def __init__(self, batches):
        self.batches, self.process = batches, None

    def __call__(self, epoch, index):
        try:
            if self.process is None:
                self._start()
            self.connection.send((epoch, index))
            batch, error = self.connection.recv()
        except (EOFError, ConnectionError) as lost:
            self.process.join()
            raise RuntimeError(
                f"Expected batch {index} of epoch {epoch} from a worker process. Received: its end, with exit code "
                f"{self.process.exitcode} (negative: killed by that signal; 9 is often a lack of memory). "
                "Use threads (processes=False), fewer workers or smaller batches."
            ) from lost
        if error is not None:
            raise error
        return batch

    def end(self):
        if self.process is not None:
            self.connection.close()  # it reads the end and leaves

    def _start(self):
        context = multiprocessing.get_context("spawn")  # a forked framework may dead-lock
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_read_for, args=(theirs, self.batches), daemon=True)
        self.process.start()
        theirs.close()  # so that its death reads as the end here


def _read_for(connection, batches):
    """The worker process: reads what it is asked for until nobody is left to ask."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who asks
    while True:
        try:
            epoch, index = connection.recv()
        except EOFError:  # the asker is gone, killed perhaps
            return
        try:
            answer = batches.batch(epoch, index), None
        except Exception as error:
            answer = None, _portable(error)
        connection.send(answer)


def _portable(error):
    """The error, or one that says the same where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
