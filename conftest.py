"""The state in which tests and lessons are tested: the sample set, and no progress bars in outputs.

Kernels inherit it, so `pytest --nbval-lax notebooks` compares the same outputs wherever it is run.
"""

import os
import signal

import pytest
from hypothesis import settings

os.environ["TQDM_DISABLE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not spin
os.environ.pop("ACTLIB_DATA", None)
settings.register_profile("patient", deadline=None)  # a busy machine is no fault
settings.load_profile("patient")

SECONDS = 60  # in which a test ends that may otherwise wait for ever, for a pipe say


@pytest.fixture
def in_time():
    """Let a test fail that waits for ever, where the system has alarms."""

    def stop(*_):
        raise TimeoutError(f"Expected an end within {SECONDS} s. Received: none.")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
