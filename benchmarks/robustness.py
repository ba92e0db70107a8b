"""Recall when conversations are diluted or their key words hidden, beside the plain ones.

Method: a corpus file; 200 small-talk messages put between the messages that carry a stage, or the actor's messages
rewritten (leet, look-alikes, zero-width, spacing, emoji); safe conversations are rewritten whole. Each variant is judged
from an empty state.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from underwing.engine import Engine, judge_in_memory
from underwing.evaluation import Conversation, evaluate, read
from underwing.evaluation.inserts import WAYS, dilute, obfuscate
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning

SMALL_TALK = [
    "haha yes",
    "what are you up to",
    "nice weather today",
    "did you see the match",
    "brb food",
    "same here",
]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "corpus", type=Path, nargs="?", default=Path(__file__).parent.parent / "corpus" / "heldout.jsonl"
    )
    arguments = parser.parse_args()
    print(__doc__.strip() + "\n")
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load())
    conversations = list(read(arguments.corpus))
    variants: dict[str, Callable[[Conversation], Conversation]] = {
        "plain": lambda c: c,
        "200 small talk": lambda c: dilute(c, SMALL_TALK, 200),
        **{way: lambda c, way=way: obfuscate(c, way, seed=1) for way in WAYS},  # type: ignore[misc]
    }
    for name, change in variants.items():
        result = evaluate(
            [change(c) for c in conversations], lambda events: judge_in_memory(engine, events)
        ).jsonable()
        print(f"{name:16s} recall {result['recall']:.3f}   safe alarms {result['safe_alarm_rate']:.3f}")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
