"""What a run notes about the machine, the installed packages and its batches."""

from importlib import metadata
from pathlib import Path

import numpy as np


def has_fast_bf16():
    """Says whether this CPU multiplies bfloat16 in hardware; elsewhere float32 is faster.

    Returns:
        True with AVX512-BF16 or AMX; False also where the system does not tell (not Linux).
    """
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def versions(*names):
    """Lists installed versions, for a checkpoint's card.

    Args:
        *names: Names of packages.

    Returns:
        Name -> version, without those that are not installed.

    Example:
        >>> list(versions("numpy", "no-such-package"))
        ['numpy']
    """
    installed = {}
    for name in names:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def first_batch(batches):
    """Takes the first batch of an epoch.

    Args:
        batches: Any batches.

    Returns:
        (x, labels).

    Raises:
        ValueError: There is none.
    """
    for x, labels in batches.epoch(0):
        return x, labels
    raise ValueError("Expected at least one batch. Received: none. Check that videos were found for this part.")


def describe_batches(batches, first):
    """Says enough of batches to notice that a run goes on with others.

    Args:
        batches: The batches, or None.
        first: Their first (x, labels), or None.

    Returns:
        A dict for `Run`'s settings.
    """
    if batches is None:
        return None
    x, labels = first
    return {"number": len(batches), "first": f"{x.dtype} {x.shape}", "labels": np.asarray(labels).tolist()}
