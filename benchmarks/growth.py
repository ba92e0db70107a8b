"""Cost per message as the number of live pairs grows: in memory, over SQLite with room for all, and with a small cache.

Method: N pairs are opened for each N; then batches of 8,000 messages of ordinary chat (chitchat-dataset, 40,000 different
ones) and one in twenty with a cue go to pairs drawn at random, as JSON in and decisions as JSON out,
the sizes in turn, five rounds; the best round's CPU time per message (process_time) counts, so that what else the
machine does falls on all sizes alike. Over SQLite each round ends with
all that was logged written to its place in the file (a checkpoint), so that none is the best because it left that to
another; `capacity` entries of each kind are kept in memory, first enough for all pairs, then 50,000 whatever N is. Memory
is what holding the states of the largest N added to the process. The garbage collector is set as the service sets it.
"""

import argparse
import gc
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from chitchat_dataset import Dataset
from rich.progress import track

from underwing.engine import Engine, MemoryState, Runner
from underwing.model import Message, decode_event, encode
from underwing.packs import load_packs
from underwing.policy import load_policy

CUE = "are you home alone right now"
CUES = 20
"""One message in so many holds a cue, as in chitchat-dataset."""
BATCH, ROUNDS, CACHED, ALL = 2_000, 5, 50_000, 2_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def chat() -> list[str]:
    """Ordinary messages, each once."""
    said = (
        message["text"]
        for conversation in Dataset().values()
        for turn in conversation["messages"]
        for message in (turn if isinstance(turn, list) else [turn])
    )
    return list(islice(dict.fromkeys(said), 40_000))


CALM = chat()


def message(number: int, pair: int) -> bytes:
    """Message `number` between the two accounts of `pair`, as a platform sends it."""
    return encode(
        Message(
            id=f"m{number}", at=START + timedelta(seconds=number // 50), surface="dm", conversation=f"c{pair}",
            sender=f"a{pair}", to=[f"b{pair}"], text=CUE if number % CUES == 0 else CALM[number % len(CALM)],
        )
    )  # fmt: skip


class Grown:
    """A state with `pairs` live pairs, in memory or over SQLite, and the next batches of messages for it."""

    def __init__(self, engine: Engine, pairs: int, folder: Path | None, capacity: int) -> None:
        self.pairs, self._number, self._chance = pairs, 0, random.Random(1)
        path = folder / f"{pairs}-{capacity}.db" if folder else None
        runner = Runner(engine, path, capacity=capacity, durability="normal") if path else None
        self._file = sqlite3.connect(path) if path else None
        state = MemoryState(capacity=capacity)
        self._take = (
            runner.process_lines
            if runner
            else lambda lines: [encode(engine.step(state, decode_event(line))) for line in lines]
        )
        self.close = runner.close if runner else lambda: None
        self.times: list[float] = []
        for at in range(0, pairs, BATCH):
            self._take(self._batch(range(at, min(pairs, at + BATCH))))

    def _batch(self, pairs: Iterable[int]) -> list[bytes]:
        made = [message(self._number + n, pair) for n, pair in enumerate(pairs)]
        self._number += len(made)
        return made

    def measure(self) -> None:
        """Time four batches for pairs drawn at random, and what they leave to be written."""
        batches = [self._batch(self._chance.randrange(self.pairs) for _ in range(BATCH)) for _ in range(4)]
        start = time.process_time()
        for batch in batches:
            self._take(batch)
        if self._file is not None:
            self._file.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self.times.append((time.process_time() - start) / (4 * BATCH) * 1e6)


def resident() -> int:
    """Bytes of memory that the process holds, mapped files left out."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(__doc__.strip() + "\n")
    engine = Engine(load_packs(), load_policy())
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    with tempfile.TemporaryDirectory() as folder:
        ways = (
            ("in memory", None, ALL),
            ("SQLite, room for all", Path(folder), ALL),
            (f"SQLite, {CACHED:,} cached", Path(folder), CACHED),
        )
        for name, place, capacity in ways:
            grown, held = [], resident()
            for pairs in track(arguments.pairs, name, disable=not sys.stderr.isatty()):
                before = resident()
                grown.append(Grown(engine, pairs, place, capacity))
                held = resident() - before
            for _ in range(ROUNDS):
                for one in grown:
                    one.measure()
            base = min(grown[0].times)
            for one in grown:
                best = min(one.times)
                print(
                    f"{name:21s} {one.pairs:>9,} pairs: {best:6.1f} µs a message ({best / base:.2f}×)",
                    flush=True,
                )
                one.close()
            print(f"{name:21s} memory added by the last: {held / 2**20:,.0f} MiB", flush=True)
            del grown, one
            gc.collect()


if __name__ == "__main__":
    main()
