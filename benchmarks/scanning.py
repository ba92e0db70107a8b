"""Ways to find every language's patterns in one pass, side by side on ordinary chat.

Method: the shipped packs' search literals and patterns over 20,000 messages of chitchat-dataset (light views); CPU time
per message of the second pass over messages, the first pass named apart where a lazy automaton warms up.
"""

import time
from collections.abc import Callable

import hyperscan
import re2
from chitchat_dataset import Dataset

from underwing.packs import load_packs
from underwing.text import canonical


def views(count: int) -> list[str]:
    """Light views of ordinary messages."""
    made: list[str] = []
    for conversation in Dataset().values():
        for turn in conversation["messages"]:
            for message in turn if isinstance(turn, list) else [turn]:
                made.append(canonical(message["text"]))
                if len(made) == count:
                    return made
    return made


def timed(name: str, work: Callable[[str], object], lines: list[str]) -> None:
    """Print the microseconds a message of a first and a second pass."""
    passes = []
    for _ in range(2):
        start = time.process_time()
        for line in lines:
            work(line)
        passes.append((time.process_time() - start) / len(lines) * 1e6)
    print(f"{name:44s} first {passes[0]:8.1f} µs   second {passes[1]:6.1f} µs")


def main() -> None:
    """Measure and print."""
    print(__doc__.strip() + "\n")
    packs = load_packs()
    lines = views(20_000)
    patterns = [p.regex for e in packs.entries for p in e.patterns]
    literals = sorted(
        {li for e in packs.entries for p in e.patterns for element in p.required for li in element}
    )
    print(f"{len(packs.entries)} entries, {len(patterns)} patterns, {len(literals)} literals")
    timed("the sieve: literals and conjunctions", packs.scanner.sieve, lines)
    database = hyperscan.Database()
    database.compile(
        expressions=[_quoted(li) for li in literals], ids=list(range(len(literals))), elements=len(literals),
        flags=[hyperscan.HS_FLAG_SINGLEMATCH] * len(literals),
    )  # fmt: skip

    def ignore(*_: object) -> None:
        return None

    timed("Hyperscan, literals only", lambda v: database.scan(v.encode(), match_event_handler=ignore), lines)
    timed("the sieve, then RE2 (what ships)", packs.scanner.matches, lines)
    options = re2.Options()
    options.max_mem = 1 << 30
    options.never_capture = True
    whole = re2.Set.SearchSet(options)
    for pattern in patterns:
        whole.Add(pattern)
    whole.Compile()
    timed("one RE2 set of all patterns (2,000 messages)", whole.Match, lines[:2_000])


def _quoted(literal: str) -> bytes:
    return "".join(f"\\x{{{ord(c):x}}}" if ord(c) < 128 and not c.isalnum() else c for c in literal).encode()


if __name__ == "__main__":
    main()
