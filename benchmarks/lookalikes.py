"""How often innocent lines and short scenes that look like the signs are warned of, by language.

Each of `corpus/lookalikes.jsonl` is a talk of its own: A is an account of unknown age, B (who may say nothing) a known
child, others are unknown. Lines of parents, teachers, friends, helpers, sellers, moderators; nothing has learned from
them, but whoever widened the German and French packs last had read those of these languages. A line alone seldom has
evidence enough for a warning, whatever it says: scenes are told apart.

    python benchmarks/lookalikes.py
"""

import json
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from underwing.engine import Engine, MemoryState
from underwing.model import Account, Level, Message
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning

FILE = Path(__file__).parent.parent / "corpus" / "lookalikes.jsonl"
START = datetime(2026, 1, 1, 16, tzinfo=UTC)


def highest(engine: Engine, said: list[dict[str, str]]) -> Level:
    """The highest level that a talk reaches."""
    state, level = MemoryState(), Level.none
    engine.step(state, Account(id="B", minor=True))
    many = len({one["from"] for one in said}) > 2
    for number, one in enumerate(said):
        other = "A" if one["from"] == "B" else "B"
        message = Message(
            id=f"m{number}", at=START + timedelta(seconds=20 * number), surface="group" if many else "dm",
            conversation="c", sender=one["from"], to=[] if many else [other], text=one["text"],
        )  # fmt: skip
        level = max(level, Level[engine.step(state, message).level])
    return level


def main() -> int:
    """Measure and print."""
    print(__doc__.strip())
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load())
    reached: dict[str, Counter[str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        talk = json.loads(line)
        kind = "scenes" if len(talk["messages"]) > 1 else "lines"
        level = highest(engine, talk["messages"])
        for name in (f"{talk['lang']} {kind}", f"all {kind}"):
            reached.setdefault(name, Counter())[level.name] += 1
    print(f"\n{'':16} {'talks':>6} {'watch':>6} {'review':>6} {'urgent':>6}")
    for name, levels in sorted(reached.items(), key=lambda item: (item[0].startswith("all"), item[0])):
        print(f"{name:16} {levels.total():6} {levels['watch']:6} {levels['review']:6} {levels['urgent']:6}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
