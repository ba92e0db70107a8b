"""Cost per message as the number of live pairs grows, in memory and over SQLite with a small cache.

Method: N pairs are opened, then 40,000 messages go to pairs drawn at random; CPU time per message (process_time)
and peak memory (ru_maxrss). Over SQLite the cache holds 50,000 entries of each kind whatever N is.
"""

import argparse
import random
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from underwing.engine import Engine, MemoryState, Runner
from underwing.model import Message
from underwing.packs import load_packs
from underwing.policy import load_policy

TEXTS = [
    "hello there",
    "are you home alone right now",
    "see you tomorrow at training",
    "nice one",
    "what did you get for question four",
]
START = datetime(2026, 1, 1, tzinfo=UTC)


def message(number: int, pair: int) -> Message:
    """Message `number` between the two accounts of `pair`."""
    return Message(
        id=f"m{number}", at=START + timedelta(seconds=number // 50), surface="dm", conversation=f"c{pair}",
        sender=f"a{pair}", to=[f"b{pair}"], text=TEXTS[number % len(TEXTS)],
    )  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, nargs="*", default=[1_000, 10_000, 100_000, 1_000_000])
    arguments = parser.parse_args()
    print(__doc__.strip() + "\n")
    engine = Engine(load_packs(), load_policy())
    chance = random.Random(1)
    base = None
    for pairs in arguments.pairs:
        state, number = MemoryState(capacity=2_000_000), 0
        for pair in range(pairs):
            engine.step(state, message(number, pair))
            number += 1
        batch = [message(number + n, chance.randrange(pairs)) for n in range(40_000)]
        best = None
        for half in (batch[:20_000], batch[20_000:]):
            start = time.process_time()
            for event in half:
                engine.step(state, event)
            took = (time.process_time() - start) / len(half) * 1e6
            best = took if best is None else min(best, took)
        base = base or best
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"in memory, {pairs:>9,} pairs: {best:6.1f} µs a message ({best / base:.2f}×), peak {memory:,.0f} MiB"
        )
    for pairs in [p for p in arguments.pairs if p <= 100_000]:
        with (
            tempfile.TemporaryDirectory() as folder,
            Runner(engine, Path(folder) / "a.db", capacity=50_000, durability="normal") as runner,
        ):
            number = 0
            for at in range(0, pairs, 2_000):
                runner.process([message(number + n, at + n) for n in range(min(2_000, pairs - at))])
                number += 2_000
            start = time.process_time()
            for at in range(0, 40_000, 2_000):
                runner.process([message(number + at + n, chance.randrange(pairs)) for n in range(2_000)])
            took = (time.process_time() - start) / 40_000 * 1e6
            print(f"SQLite,    {pairs:>9,} pairs: {took:6.1f} µs a message")


if __name__ == "__main__":
    main()
