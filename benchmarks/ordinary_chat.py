"""False alarms on ordinary chat: conversations of chitchat-dataset (MIT) between students.

Method: one-to-one conversations, replayed as direct messages into an empty engine each; counts of conversations that
reach each level, and alarms per 10,000 with the exact one-sided 95 % upper bound (3/n at zero). First all 7,168 with
nobody's age known; then every 13th from the 8th with one of the two a known child, where the meaning layer reads. It was
trained on every 13th from the 6th, so on none of these; the packs were tuned on all of them.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from chitchat_dataset import Dataset
from rich.progress import track

from underwing.engine import Engine, MemoryState
from underwing.evaluation.metrics import upper_bound
from underwing.model import Account, Level, Message
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning

START = datetime(2026, 1, 1, tzinfo=UTC)
UNTAUGHT = slice(7, None, 13)


def replay(engine: Engine, conversations: Sequence[Any], *, child: bool) -> None:
    """Replay and print what was reached; `child` says whether the first speaker is a known child."""
    reached: Counter[str] = Counter()
    signals: Counter[str] = Counter()
    messages = 0
    for conversation in track(conversations, disable=not sys.stderr.isatty()):
        state, people, highest, number = MemoryState(), dict[str, str](), Level.none, 0
        if child:
            engine.step(state, Account(id="p0", minor=True))
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
        messages += number
        reached[highest.name] += 1
    total, alarms = len(conversations), reached["review"] + reached["urgent"]
    print(f"\n{'one a known child' if child else 'ages unknown'}:")
    print(
        f"{total:,} conversations, {messages:,} messages: "
        + ", ".join(f"{reached[level.name]} {level.name}" for level in Level)
    )
    print(
        f"review or urgent: {alarms / total * 1e4:.1f} per 10,000, at most {upper_bound(alarms, total) * 1e4:.1f} (95 %)"
    )
    if signals:
        print("signals in them: " + ", ".join(f"{s} {n}" for s, n in signals.most_common(12)))
    sys.stdout.flush()


def main() -> None:
    """Measure and print."""
    print(__doc__.strip())
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load())
    conversations = list(Dataset().values())
    replay(engine, conversations, child=False)
    replay(engine, conversations[UNTAUGHT], child=True)


if __name__ == "__main__":
    main()
