"""The state in which tests and lessons are tested: the sample set, and no progress bars in outputs.

Kernels inherit it, so `pytest --nbval-lax notebooks` compares the same outputs wherever it is run.
"""

import os

os.environ["TQDM_DISABLE"] = "1"
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait do not spin
os.environ.pop("ACTLIB_DATA", None)
