"""False alarms on ordinary chat: every conversation of chitchat-dataset (MIT), nobody's age known.

Method: 7,168 one-to-one conversations of students, replayed as direct messages into an empty engine each; counts of
conversations that reach each level, and alarms per 10,000 with the exact one-sided 95 % upper bound (3/n at zero).
"""

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

from chitchat_dataset import Dataset
from rich.progress import track

from underwing.engine import Engine, MemoryState
from underwing.evaluation.metrics import upper_bound
from underwing.model import Level, Message
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning

START = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    print(__doc__.strip() + "\n")
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load())
    reached: Counter[str] = Counter()
    signals: Counter[str] = Counter()
    total = messages = 0
    for conversation in track(list(Dataset().values()), disable=not sys.stderr.isatty()):
        state, people, highest, number = MemoryState(), dict[str, str](), Level.none, 0
        for turn in conversation["messages"]:
            for said in turn if isinstance(turn, list) else [turn]:
                who = people.setdefault(said["sender"], f"p{len(people)}")
                message = Message(
                    id=f"m{number}", at=START + timedelta(seconds=20 * number), surface="dm", conversation="c",
                    sender=who, to=["p1" if who == "p0" else "p0"], text=said["text"],
                )  # fmt: skip
                number += 1
                decision = engine.step(state, message)
                if Level[decision.level] > highest:
                    highest = Level[decision.level]
                    if highest >= Level.review:
                        signals.update(r.signal for r in decision.reasons)
        total += 1
        messages += number
        reached[highest.name] += 1
    alarms = reached["review"] + reached["urgent"]
    print(
        f"{total:,} conversations, {messages:,} messages: "
        + ", ".join(f"{reached[level.name]} {level.name}" for level in Level)
    )
    print(
        f"review or urgent: {alarms / total * 1e4:.1f} per 10,000, at most {upper_bound(alarms, total) * 1e4:.1f} (95 %)"
    )
    if signals:
        print("signals in them: " + ", ".join(f"{s} {n}" for s, n in signals.most_common(12)))


if __name__ == "__main__":
    main()
