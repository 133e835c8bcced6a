"""Attack the library with damaged and lying files, cards, servers, and kills, and count what gets through.

    PYTHONPATH=tests python -m hostile --minutes 4             as `make test-hostile` does
    PYTHONPATH=tests python -m hostile --hours 8 --keep found  goes on with new seeds and keeps the files of what failed

Each kind of attack is a module here with `cases(rng, folder)`, which yields (name, function); a function returns None
where the library survived, else a text that says what went wrong. Each runs in a process of its own, whose time and
memory are bounded. The exit status is 1 if anything failed.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import numpy as np

KINDS = {  # name -> (share of the time, seconds a case may take, bytes of memory that it may take)
    "videos": (1, 60, 1e9),
    "films": (1, 60, 1e9),
    "cards": (1, 20, 3e8),
    "weights": (1, 20, 6e8),
    "archives": (1, 30, 3e8),
    "tables": (1, 20, 3e8),
    "disks": (1, 30, 6e8),
    "shows": (1, 30, 6e8),
    "lines": (1, 20, 6e8),
    "servers": (1, 30, 3e8),
    "kills": (2, 180, None),
}
BESIDE = ("servers", "kills")  # which mostly wait: in a process of its own beside the others


ROOM = 8 * 2**30  # bytes of addresses beyond which a case is stopped, so that the machine lives


def run_case(function, *, seconds, memory):
    """Run a function in a process of its own; return None, or what went wrong."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_call, args=(function, theirs, memory))
    child.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(seconds) else f"took longer than {seconds} s"
    except EOFError:
        child.join()
        answer = f"the process died with {child.exitcode}"
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.join()
    return answer


def _call(function, pipe, memory):
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    watched = memory and Path("/proc/self/clear_refs").exists()  # Linux alone
    if watched:
        import resource

        taken = _read_status("VmSize") + ROOM
        resource.setrlimit(resource.RLIMIT_AS, (taken, taken))
        Path("/proc/self/clear_refs").write_text("5")  # begins the peak again
        before = _read_status("VmRSS")
    try:
        answer = function()
        if watched and (grown := _read_status("VmHWM") - before) > memory:
            answer = f"took {grown / 1e9:.2f} GB of memory; {answer}"
        pipe.send(answer)
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        pipe.send(f"{type(error).__name__}: {str(error)[:500]} ({where.filename}:{where.lineno})")
    os._exit(0)


def _read_status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])


class Attack:
    """The cases of one kind, with new seeds when they come to an end, and what became of them."""

    def __init__(self, kind, seed, folder):
        self.kind, self.seed, self.folder = kind, seed, folder
        self.module = importlib.import_module(f"hostile.{kind}")
        self.share, self.seconds, self.memory = KINDS[kind]
        self.count, self.spent, self.rounds, self.failures = Counter(), 0.0, 0, []
        self.cases = self.make_cases()

    def make_cases(self):
        """Yield cases without end."""
        while True:
            place = self.folder / f"{self.kind}-{self.seed + self.rounds}"
            place.mkdir(parents=True)
            yield from self.module.cases(np.random.default_rng(self.seed + self.rounds), place)
            if not any(place == where for where, *_ in self.failures):
                shutil.rmtree(place)
            self.rounds += 1

    def step(self):
        """Run the next case."""
        begin = time.monotonic()
        name, function = next(self.cases)
        answer = run_case(function, seconds=self.seconds, memory=self.memory)
        self.spent += (time.monotonic() - begin) / self.share
        self.count["failed" if answer else "survived"] += 1
        if answer:
            self.failures.append((self.folder / f"{self.kind}-{self.seed + self.rounds}", name, answer))
            print(f"FAILED {self.kind} {self.seed + self.rounds} {name}: {answer}", flush=True)

    def describe(self):
        """One line."""
        tried, rounds = self.count.total(), f"{self.rounds} whole rounds from seed {self.seed}"
        return f"{self.kind:10} {tried:6} {self.count['survived']:9} {self.count['failed']:7}  {rounds}"


def main():
    """Read the command line and attack, with all kinds in two processes; the exit status is 1 if anything failed."""
    options, words = _parse(), sys.argv[1:]
    if options.kinds:
        return attack_with(options)
    with subprocess.Popen([sys.executable, "-m", "hostile", *words, *BESIDE], start_new_session=True) as beside:
        options.kinds = [kind for kind in KINDS if kind not in BESIDE]
        try:
            failed = attack_with(options)
            return beside.wait() or failed
        finally:
            if beside.poll() is None:
                os.killpg(beside.pid, signal.SIGKILL)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--hours", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", type=int, default=None, help="of each kind, at most")
    parser.add_argument("--keep", type=Path, default=Path("runs/hostile"), help="folder for the files of what failed")
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; all without any")
    return parser.parse_args()


def attack_with(options):
    """Attack with some kinds, and report."""
    os.environ |= {"TQDM_DISABLE": "1", "OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    deadline = time.monotonic() + 60 * options.minutes if not options.hours else time.monotonic() + 3600 * options.hours
    with tempfile.TemporaryDirectory() as folder:
        attacks = [Attack(kind, options.seed, Path(folder)) for kind in options.kinds]
        live = list(attacks)
        while live and time.monotonic() < deadline:
            min(live, key=lambda attack: attack.spent).step()
            live = [each for each in attacks if options.cases is None or each.count.total() < options.cases]
        for place in {place for attack in attacks for place, *_ in attack.failures}:
            shutil.copytree(place, options.keep / place.name, dirs_exist_ok=True, ignore=_list_special)
    print(f"{'kind':10} {'tried':>6} {'survived':>9} {'failed':>7}")
    print("\n".join(attack.describe() for attack in attacks))
    failed = any(attack.failures for attack in attacks)
    if failed:
        print(f"The files of what failed are in {options.keep}.")
    return int(failed)


def _list_special(folder, names):
    """Names of what is neither file nor folder: pipes cannot be copied, and what a link leads to may have no end."""
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if path.is_symlink() or not (path.is_file() or path.is_dir())]


if __name__ == "__main__":
    sys.exit(main())
