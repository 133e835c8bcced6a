"""What a training depends on besides its data: the machine, the versions of packages, the place among processes."""

import functools
import subprocess
from contextlib import suppress
from importlib import metadata as packages
from pathlib import Path


def has_fast_bf16():
    """Tell whether this CPU multiplies bfloat16 in hardware (AVX512-BF16, AMX); False where it does not tell."""
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


@functools.cache
def gpu_has_bf16():
    """Tell whether the first NVIDIA GPU multiplies bfloat16 in hardware: compute capability 8.0 or later."""
    with suppress(IndexError, ValueError):
        return float(read_output("nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader")[0]) >= 8
    return False


def read_output(*command) -> list[str]:
    """Return the lines that a program prints; none if it fails, is not there or takes two minutes."""
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return answer.stdout.strip().splitlines()
    return []


def peak_memory() -> int:
    """Return the most memory in bytes that this process has held; what it holds now where the system does not tell."""
    import psutil

    with suppress(ImportError):  # Windows has no such module
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if psutil.MACOS else 1024)
    return psutil.Process().memory_info().rss


def package_versions(*names):
    """Return name -> version of those of these packages that are installed."""
    return {name: package.version for name in names for package in packages.distributions(name=name)}
