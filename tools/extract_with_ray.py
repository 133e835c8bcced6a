"""Extract frames or features on a Ray cluster: what `actlib extract --shard` does, its shards dealt out by Ray Data.

    pip install -e ".[ray]"
    python tools/extract_with_ray.py --workers 2 -- --data DIR --preset vgg16_lrcn
    python tools/extract_with_ray.py --workers 8 --gpus 1 --address auto -- --data DIR --preset vgg16_lrcn

After `--` come the options of `actlib extract`. Each worker takes the next shard when it is done with one, and Ray
hands a shard to another worker where a machine dies. All of them write to one folder: data, weights and
ACTLIB_CACHE have to be on a disk that every machine sees, under absolute paths. What is there is not made again.
"""

import argparse
import os
import platform

import ray

from actlib.__main__ import app


def extract_shard(row, *, words, num_shards):
    """Extract one shard in a process of its own.

    Args:
        row: {"id": number of the shard, from 0}, as `ray.data.range` gives it.
        words: the options of `actlib extract`.
        num_shards: how many there are.

    Returns:
        The row, with the name of the machine.
    """
    app(["extract", *words, "--shard", f"{row['id'] + 1}/{num_shards}"], standalone_mode=False)
    return row | {"machine": platform.node()}


def main(arguments=None):
    """Deal out the shards and print how many each machine took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2, help="processes that extract at the same time")
    parser.add_argument("--shards", type=int, help="parts of the videos; else 8 a worker")
    parser.add_argument("--cpus", type=float, default=1, help="of each worker")
    parser.add_argument("--gpus", type=float, default=0, help="of each worker")
    parser.add_argument("--address", help="of a running cluster; else one is started on this machine")
    parser.add_argument("words", nargs="+", metavar="...", help="after --, the options of actlib extract")
    options = parser.parse_args(arguments)
    num_shards = options.shards or 8 * options.workers
    settings = {name: text for name, text in os.environ.items() if name.startswith(("ACTLIB_", "KERAS_", "OMP_"))}
    settings |= {"OMP_NUM_THREADS": str(max(1, int(options.cpus))), "TQDM_DISABLE": "1"}
    settings["ACTLIB_TRACEBACK"] = "1"  # a mistake is to end the work, not only that worker's command
    cluster = {"num_cpus": max(options.workers * options.cpus, 1)} if options.address is None else {}
    ray.init(address=options.address or "local", runtime_env={"env_vars": settings}, include_dashboard=False, **cluster)
    try:
        shards = ray.data.range(num_shards, override_num_blocks=num_shards).map(
            extract_shard,
            fn_kwargs={"words": options.words, "num_shards": num_shards},
            compute=ray.data.TaskPoolStrategy(size=options.workers),
            num_cpus=options.cpus,
            num_gpus=options.gpus,
        )
        machines = [row["machine"] for row in shards.take_all()]
    finally:
        ray.shutdown()
    for machine in sorted(set(machines)):
        print(f"{machines.count(machine)} of {num_shards} shards were extracted on {machine}")


if __name__ == "__main__":
    main()
