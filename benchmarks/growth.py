"""Cost per message as the number of live pairs grows, in memory and over SQLite with a small cache.

Method: N pairs are opened for each N; then batches of 8,000 messages, one in twenty with a cue, go to pairs drawn at random,
the sizes in turn, five rounds; the best round's CPU time per message (process_time) counts, so that what else the
machine does falls on all sizes alike. Over SQLite the cache holds 50,000 entries of each kind whatever N is. The
garbage collector is set as the service sets it.
"""

import argparse
import gc
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.progress import track

from underwing.engine import Engine, MemoryState, Runner
from underwing.model import Message
from underwing.packs import load_packs
from underwing.policy import load_policy

CALM = ["hello there", "see you tomorrow at training", "nice one", "what did you get for question four"]
CUE = "are you home alone right now"
CUES = 20
"""One message in so many holds a cue, as in chitchat-dataset."""
BATCH, ROUNDS, CACHED = 2_000, 5, 50_000
START = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int, pair: int) -> Message:
    """Message `number` between the two accounts of `pair`."""
    return Message(
        id=f"m{number}", at=START + timedelta(seconds=number // 50), surface="dm", conversation=f"c{pair}",
        sender=f"a{pair}", to=[f"b{pair}"], text=CUE if number % CUES == 0 else CALM[number % len(CALM)],
    )  # fmt: skip


class Grown:
    """A state with `pairs` live pairs, in memory or over SQLite, and the next batches of messages for it."""

    def __init__(self, engine: Engine, pairs: int, folder: Path | None) -> None:
        self.pairs, self._number, self._chance = pairs, 0, random.Random(1)
        runner = (
            Runner(engine, folder / f"{pairs}.db", capacity=CACHED, durability="normal") if folder else None
        )
        state = MemoryState(capacity=2_000_000)
        self._take = (
            runner.process if runner else lambda batch: [engine.step(state, event) for event in batch]
        )
        self.close = runner.close if runner else lambda: None
        self.times: list[float] = []
        for at in range(0, pairs, BATCH):
            self._take(self._batch(range(at, min(pairs, at + BATCH))))

    def _batch(self, pairs: Iterable[int]) -> list[Message]:
        made = [message(self._number + n, pair) for n, pair in enumerate(pairs)]
        self._number += len(made)
        return made

    def measure(self) -> None:
        """Time four batches for pairs drawn at random."""
        batches = [self._batch(self._chance.randrange(self.pairs) for _ in range(BATCH)) for _ in range(4)]
        start = time.process_time()
        for batch in batches:
            self._take(batch)
        self.times.append((time.process_time() - start) / (4 * BATCH) * 1e6)


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
        for name, place in (("in memory", None), ("SQLite", Path(folder))):
            grown = [
                Grown(engine, pairs, place)
                for pairs in track(arguments.pairs, name, disable=not sys.stderr.isatty())
            ]
            for _ in range(ROUNDS):
                for one in grown:
                    one.measure()
            base = min(grown[0].times)
            for one in grown:
                best = min(one.times)
                print(
                    f"{name:9s} {one.pairs:>9,} pairs: {best:6.1f} µs a message ({best / base:.2f}×)",
                    flush=True,
                )
                one.close()
    print(f"peak memory of all together {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
