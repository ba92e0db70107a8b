"""Train the heads of the meaning layer from labelled conversations.

    uv run --group train python scripts/train_meaning.py [--also FILE ...] [--check FILE]

A row is a message: its vector, the fading mean of its sender's earlier vectors and that of the others'. Positive
rows are messages of a labelled actor that carry a stage, negative ones all messages of safe conversations.
L2 logistic regression on standardised rows; since it is linear, each part becomes one number a message,
and the mean over earlier messages a mean over numbers (`risk/reading.py`).
"""

import argparse
import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from underwing.model import ACTOR_STAGES
from underwing.packs import load_packs
from underwing.risk import Settings
from underwing.text.meaning import LONGEST, MODEL_FILE, ModelFile, encoder

ROOT = Path(__file__).parent.parent
STRENGTH = 0.001
"""Inverse of the L2 penalty: chosen by cross-validation and on conversations by another author."""
WIDTH = 384


def rows_of(conversation: dict[str, Any], vectors: dict[str, Any], fade: float) -> Any:
    """One row a message: vector, mean of own earlier, mean of the others' earlier, and whether there are such."""
    messages = conversation["messages"]
    who = {m["from"] for m in messages}
    sums, weights = {w: np.zeros(WIDTH) for w in who}, dict.fromkeys(who, 0.0)
    rows = np.zeros((len(messages), 3 * WIDTH + 2), np.float32)
    for row, message in zip(rows, messages, strict=True):
        sender = message["from"]
        row[:WIDTH] = vectors[message["text"]]
        if weights[sender]:
            row[WIDTH : 2 * WIDTH] = sums[sender] / weights[sender]
            row[3 * WIDTH] = 1
        others = [sums[w] / weights[w] for w in who if w != sender and weights[w]]
        if others:
            row[2 * WIDTH : 3 * WIDTH] = np.mean(others, 0)
            row[3 * WIDTH + 1] = 1
        sums[sender] = fade * sums[sender] + row[:WIDTH]
        weights[sender] = fade * weights[sender] + 1
    return rows


def main() -> None:
    """Train, print what was measured, write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further conversations to train on")
    parser.add_argument("--check", type=Path, help="conversations to measure on, never trained on")
    arguments = parser.parse_args()
    files = [ROOT / "corpus" / "tuning.jsonl", *arguments.also]
    taught = [json.loads(line) for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    checked = (
        [json.loads(line) for line in arguments.check.read_text(encoding="utf-8").splitlines()]
        if arguments.check
        else []
    )
    scanner, encode = load_packs().scanner, encoder().query
    texts = {m["text"] for c in (*taught, *checked) for m in c["messages"]}
    vectors = {t: encode(scanner.scan(t).plain.strip()[:LONGEST]) for t in sorted(texts)}
    fade = Settings().reading_fade

    def table(conversations: list[dict[str, Any]]) -> tuple[Any, Any, list[str | None]]:
        rows = np.concatenate([rows_of(c, vectors, fade) for c in conversations])
        stages = [
            m.get("stage") if c["label"] == "risk" else None for c in conversations for m in c["messages"]
        ]
        safe = [c["label"] == "safe" for c in conversations for _ in c["messages"]]
        keep = np.array([s or stage is not None for s, stage in zip(safe, stages, strict=True)])
        staged = np.array([s is not None for s in stages])
        return rows[keep], staged[keep], [s for s, k in zip(stages, keep, strict=True) if k]

    rows, truth, stages = table(taught)
    print(f"{len(taught)} conversations, {len(truth)} messages, {truth.sum()} with a stage")
    middle, spread = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced")
    model.fit((rows - middle) / spread, truth)
    slope = model.coef_[0] / spread
    start = float(model.intercept_[0] - (slope * middle).sum())
    names = [s for s in ACTOR_STAGES if sum(stage == s for stage in stages) >= 20]
    which = np.array([names.index(s) if s in names else -1 for s in stages])
    mine = (rows[:, :WIDTH] - middle[:WIDTH]) / spread[:WIDTH]
    kinds = LogisticRegression(C=STRENGTH * 5, max_iter=500).fit(mine[which >= 0], which[which >= 0])
    kind_slope = kinds.coef_ / spread[:WIDTH]
    kind_start = kinds.intercept_ - kind_slope @ middle[:WIDTH]
    weights = np.concatenate([slope[: 3 * WIDTH].reshape(3, WIDTH), kind_slope]).astype("<f4")
    constants = [start, float(slope[-2]), float(slope[-1]), *map(float, kind_start)]
    file = ModelFile(version="3", stages=list(names), weights=weights.tobytes(), constants=constants)
    data = gzip.compress(msgspec.msgpack.encode(file), 9, mtime=0)
    MODEL_FILE.write_bytes(data)
    print(f"written: {MODEL_FILE.name}, {len(data)} bytes")
    if checked:
        rows, truth, _ = table(checked)
        area = roc_auc_score(truth, model.decision_function((rows - middle) / spread))
        print(f"not trained on: AUC of messages {area:.3f}")


if __name__ == "__main__":
    main()
