"""Weigh the cues of the shipped packs by how often they stand in conversations with risk and in safe ones.

    uv run python scripts/weigh_packs.py [--share 0.8] [--write]

A kind of cue (`isolate.secrecy`, in every language together) is worth the logarithm of the share of conversations with
risk that have it over the share of safe ones that do, in nats: the log-likelihood ratio that the folds add up. Counted in
`corpus/tuning.jsonl`, `further.jsonl` and `hard.jsonl`, each kind once a conversation, without the meaning layer. The weight
that an author gave is moved towards that by `--share`, times n / (n + 10) for a kind that stands in n conversations.

These conversations are denser than life: half of the safe ones were written to look alike, and none is idle talk. So what
weighs less is believed in full, what weighs more by 0.3 at the most, and not at all of what ordinary chat is full of
(flattery, gifts, a refusal). Kinds in fewer than eight conversations keep their weight, and so do those that take weight
away and the acute ones (threats, demands of money, pressure, going live): what is done at once is set on these, and words
from a live stream have little else. A cue that was telling (0.5) stays so, for its stage to stand.

To be done once for new phrases: done twice it moves twice. `--write` changes the packs; the table is printed in any case.
"""

import argparse
import math
import re
from collections import Counter
from pathlib import Path

from rich.progress import track

from underwing.engine import Engine, MemoryState
from underwing.evaluation import read, to_events
from underwing.model import VICTIM_STAGES
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.risk import Settings

ROOT = Path(__file__).parent.parent
COUNTED = ("tuning", "further", "hard")
FEWEST, HALF, RISE = 8, 10, 0.3
ACUTE = frozenset({"threat", "payment", "pressure", "go_live"})
NEVER_MORE = frozenset((*VICTIM_STAGES, "befriend"))


def kind_of(entry: str) -> str:
    """`en.isolate.secrecy` → `isolate.secrecy`."""
    return entry.partition(".")[2]


def counted(engine: Engine, entries: set[str]) -> tuple[Counter[str], Counter[str], int, int]:
    """(conversations with risk that have a kind, safe ones, how many with risk, how many safe)."""
    risk, safe = Counter[str](), Counter[str]()
    many = {"risk": 0, "safe": 0}
    conversations = [c for name in COUNTED for c in read(ROOT / "corpus" / f"{name}.jsonl")]
    for conversation in track(conversations, "Reading"):
        state, found = MemoryState(), set[str]()
        for event in to_events(conversation):
            reasons = engine.step(state, event).reasons
            found |= {kind_of(r.signal) for r in reasons if r.signal in entries and r.weight > 0}
        many[conversation.label] += 1
        (risk if conversation.label == "risk" else safe).update(found)
    return risk, safe, many["risk"], many["safe"]


def main() -> None:
    """Count, print, and write if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=0.8, help="how far a weight is moved, 0 to 1")
    parser.add_argument("--write", action="store_true", help="change the packs")
    given = parser.parse_args()
    packs, telling = load_packs(), Settings().telling
    weights = {entry.id: entry.weight for entry in packs.entries}
    stages = {entry.id: entry.stage for entry in packs.entries}
    never_more = {entry.id for entry in packs.entries if entry.stage in NEVER_MORE}
    risk, safe, risky, harmless = counted(Engine(packs, load_policy()), set(weights))
    moved: dict[str, float] = {}
    for id, weight in weights.items():
        kind = kind_of(id)
        many = risk[kind] + safe[kind]
        if weight <= 0 or many < FEWEST or stages[id] in ACUTE:
            continue
        worth = math.log((risk[kind] + 0.5) / (risky + 1)) - math.log((safe[kind] + 0.5) / (harmless + 1))
        new = weight + given.share * many / (many + HALF) * (worth - weight)
        least = telling if weight >= telling else min(weight, 0.1)
        most = weight + (0.0 if id in never_more else RISE)
        moved[id] = round(min(most, max(least, new)), 2)
        print(f"{id:32} {risk[kind]:5} {safe[kind]:5} {worth:6.2f} {weight:6.2f} → {moved[id]:.2f}")
    if given.write:
        for path in sorted((ROOT / "src/underwing/packs/data").glob("*.toml")):
            path.write_text(rewritten(path.read_text(), path.name.partition(".")[0], moved))


def rewritten(text: str, language: str, weights: dict[str, float]) -> str:
    """A pack's file with other weights."""
    lines, entry = [], ""
    for line in text.splitlines(keepends=True):
        if found := re.match(r'id = "([^"]+)"', line):
            entry = f"{language}.{found[1]}"
        if re.match(r"weight = ", line) and entry in weights:
            line = f"weight = {weights[entry]}\n"
        lines.append(line)
    return "".join(lines)


if __name__ == "__main__":
    main()
