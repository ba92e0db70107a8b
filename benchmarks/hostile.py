"""Hostile media: ten thousand mutated files through the pool of workers; each is answered, and nothing outgrows its bound.

The files are good ones of every format (`tests/media_mutants.py`: 22 seeds), changed by flipped bits, extreme numbers,
random bytes, cuts, splices and repeats, half of them in the headers; and bombs, good headers with little behind. They go
through `Pool` with its usual bounds. Counted: answers with hashes, with an error, deaths of workers (each is replaced,
and its file answered), and the greatest resident and address space of a worker, from the system's own records.

    python benchmarks/hostile.py [--files 10000] [--seed 1] [--json]
"""

import argparse
import io
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from media_mutants import mutants
from underwing.media.pool import Pool
from underwing.media.workers import Bounds

MIB = 2**20


def main() -> int:
    """Measure and print; fails when a file is not answered or a worker outgrows its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    wanted = parser.parse_args()
    result = measure(wanted.files, wanted.seed)
    if wanted.json:
        print(json.dumps(result))
    else:
        print(__doc__)
        for name, value in result.items():
            print(f"{name:<44}{value}")
    return int(result["not answered"] > 0 or result["resident at the most, MiB"] > 512)


def measure(files: int, seed: int) -> dict[str, Any]:
    """Hand in all files, a hundred at a time."""
    bounds = Bounds()
    peaks = {"VmHWM": 0.0, "VmPeak": 0.0}
    baseline: dict[str, float] = {}
    answers: Counter[str] = Counter()
    began = time.monotonic()
    with Pool(bounds=bounds) as pool:
        pool.look(b"")
        for _ in pool.pids():
            pool.look(b"")
        baseline = _most(pool, {"VmSize": 0.0})
        waiting: list[Any] = []
        for number, data in enumerate(_all(files, seed)):
            waiting.append(pool.submit(data))
            if len(waiting) == 100 or number == files - 1:
                for future in waiting:
                    found = future.result()
                    answers[
                        "with an error"
                        if found.error
                        else "with views"
                        if found.views or found.frames
                        else "neither"
                    ] += 1
                waiting.clear()
                peaks = _most(pool, peaks)
        deaths = pool.deaths
    return {
        "files": files,
        "answered with hashes": answers["with views"],
        "answered with an error": answers["with an error"],
        "not answered": files - answers["with views"] - answers["with an error"],
        "workers that died over a file": deaths,
        "resident at the most, MiB": round(peaks["VmHWM"] / MIB),
        "address space before the first file, MiB": round(baseline["VmSize"] / MIB),
        "address space at the most, MiB": round(peaks["VmPeak"] / MIB),
        "address space above the baseline, MiB": round((peaks["VmPeak"] - baseline["VmSize"]) / MIB),
        "seconds": round(time.monotonic() - began, 1),
    }


def _all(files: int, seed: int) -> Any:
    """Mutants, and after every thousandth a bomb."""
    bombs = [_bomb(mode, size) for mode in ("L", "RGB", "RGBA", "P", "1") for size in (6_500, 9_000)]
    for number, data in enumerate(mutants(random.Random(seed), files)):
        yield bombs[number // 1000 % len(bombs)] if number % 1000 == 999 else data


def _bomb(mode: str, side: int) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (side, side)).save(out, "PNG")
    return out.getvalue()


def _most(pool: Pool, peaks: dict[str, float]) -> dict[str, float]:
    """The greatest of these figures among the workers now, in bytes, and what was known before."""
    most = dict(peaks)
    for pid in pool.pids():
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        for line in status.splitlines():
            name, _, value = line.partition(":")
            if name in most:
                most[name] = max(most[name], int(value.split()[0]) * 1024.0)
    return most


if __name__ == "__main__":
    sys.exit(main())
