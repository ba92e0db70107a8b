"""Train the meaning layer: a sentence encoder learns from labelled conversations, and a small table learns from it.

    uv run --group train python scripts/train_meaning.py [--also FILE ...] [--check FILE] [--cache FILE]

The teacher (`teacher.py`) costs some 14 ms a message, the student (`student.py`) two millionths of a second. The
student learns from the labelled conversations and from texts without labels: parts of their messages, lines of small
talk; and from conversations of ordinary chat (chitchat-dataset), which count as safe. Vectors are kept in the cache
file, so that a second run is quick.
"""

import argparse
import gzip
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from chitchat_dataset import Dataset
from scipy.sparse import csr_matrix
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from student import Course, Lesson, learn, pieces, say
from teacher import ROOT, Teacher, small_talk, teach, vectors_of

from underwing.packs import load_packs
from underwing.risk import Settings
from underwing.text.meaning import MODEL_FILE, ModelFile, spoken

VERSION = "8"
EVERY, LABELLED, ALIKE = 13, 5, 500
"""Of ordinary chat every 13th conversation from the 6th (at most 500) is known to be safe. The teacher is not asked of it,
for it takes one in eight of them for risky; the others stay unseen, for measuring."""
SPANS, PARTS = 14_000, (0.35, 0.7)
"""Parts of messages that the teacher reads, and their share of a message's words: they tell which words weigh."""
STAGE_BITS, STAGE_PENALTY = 14, 1.0


def ordinary(offset: int) -> list[list[tuple[str, str]]]:
    """Conversations of ordinary chat: (sender, text) of each message."""
    return [
        [
            (m["sender"], m["text"])
            for turn in c["messages"]
            for m in (turn if isinstance(turn, list) else [turn])
        ]
        for c in list(Dataset().values())[offset::EVERY]
    ]


def spans(conversations: list[dict[str, Any]], view: dict[str, str]) -> list[str]:
    """A part of each different message of four words and more, some of them, always the same."""
    chance = random.Random(3)  # noqa: S311 (a repeatable choice, nothing secret)
    found: list[str] = []
    for whole in dict.fromkeys(view[m["text"]] for c in conversations for m in c["messages"]):
        words = whole.split()
        if len(words) >= 4:
            size = max(2, round(len(words) * chance.uniform(*PARTS)))
            start = chance.randrange(len(words) - size + 1)
            found.append(" ".join(words[start : start + size]))
    chance.shuffle(found)
    return found[:SPANS]


def lesson(
    said: list[tuple[str, str]],
    labels: list[int],
    view: dict[str, str],
    teacher: Teacher | None,
    vectors: Any,
) -> Lesson:
    """A conversation as the student learns it."""
    people: dict[str, int] = {}
    views = [view[text] for _, text in said]
    speakers = [people.setdefault(who, len(people)) for who, _ in said]
    taught = teacher.says([vectors[v] for v in views]) if teacher is not None else None
    return Lesson(views, speakers, labels, taught)


def stage_table(teacher: Teacher, views: list[str], vectors: dict[str, Any]) -> tuple[Any, Any]:
    """(table, constants): which stage a view reads like, learned from the teacher's heads for stages."""
    rows, ends, scale = pieces(views, STAGE_BITS)
    matrix = csr_matrix((np.repeat(scale, np.diff(ends)), rows, ends), shape=(len(views), 2**STAGE_BITS))
    told = np.stack([vectors[v] for v in views]) @ teacher.kinds.T + teacher.kind_constants
    model = Ridge(alpha=STAGE_PENALTY, solver="sag", tol=1e-3, random_state=1).fit(matrix, told)
    share = (model.predict(matrix).argmax(1) == told.argmax(1)).mean()
    print(f"stages: {share:.0%} as the teacher says")
    return model.coef_.T, model.intercept_


def small_numbers(weights: Any) -> tuple[Any, list[float]]:
    """A table in 8 bits and what a step is worth in each column; one weight in ten thousand is cut off."""
    steps = np.quantile(np.abs(weights[np.abs(weights).sum(1) > 0]), 0.9999, axis=0) / 127
    return np.clip(np.rint(weights / steps), -127, 127).astype(np.int8), [float(s) for s in steps]


def main() -> None:
    """Train, print what was measured, write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="further conversations to train on")
    parser.add_argument("--check", type=Path, nargs="*", default=[], help="conversations to measure on only")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "underwing-vectors.db")
    arguments = parser.parse_args()

    def read(path: Path) -> list[dict[str, Any]]:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    own, more = (read(ROOT / "corpus" / f"{name}.jsonl") for name in ("tuning", "further"))
    labelled = [*own, *more, *(c for path in arguments.also for c in read(path))]
    checked = [c for path in arguments.check for c in read(path)]
    found, written = small_talk()
    safe_chat = ordinary(LABELLED)[:ALIKE]
    scan, fade = load_packs().scanner.scan, Settings().reading_fade
    texts = {m["text"] for c in (*labelled, *checked) for m in c["messages"]} | {*found, *written}
    texts |= {text for c in safe_chat for _, text in c}
    view = {text: spoken(scan(text).plain) for text in texts}
    parts = spans(own, view)
    to_read = [view[m["text"]] for c in (*labelled, *checked) for m in c["messages"]]
    to_read += [view[t] for t in (*found, *written)] + parts
    vectors = vectors_of(to_read, arguments.cache)
    by_text = {text: vectors[view[text]] for text in texts if view[text] in vectors}
    teacher = teach(labelled, by_text, fade)

    def said(conversation: dict[str, Any]) -> list[tuple[str, str]]:
        return [(m["from"], m["text"]) for m in conversation["messages"]]

    lessons = [
        lesson(
            said(c),
            [0 if c["label"] == "safe" else 1 if m.get("stage") else -1 for m in c["messages"]],
            view,
            teacher,
            vectors,
        )
        for c in labelled
    ]
    lessons += [Lesson([v], [0], [-1], teacher.says([vectors[v]])) for v in parts]
    lessons += [Lesson([view[t]], [0], [-1], teacher.says([by_text[t]])) for t in (*found, *written)]
    lessons += [lesson(c, [0] * len(c), view, None, vectors) for c in safe_chat]
    course = Course()
    weights, constants = learn(lessons, course, fade)
    numbers, steps = small_numbers(weights)
    views = [view[m["text"]] for c in labelled for m in c["messages"] if m.get("stage")]
    stage_weights, stage_constants = stage_table(teacher, views, vectors)
    stage_numbers, stage_steps = small_numbers(stage_weights)
    file = ModelFile(
        version=VERSION, bits=course.bits, numbers=numbers.tobytes(), steps=steps, constants=constants.tolist(),
        stages=teacher.stages, stage_bits=STAGE_BITS, stage_numbers=stage_numbers.tobytes(),
        stage_steps=stage_steps, stage_constants=stage_constants.tolist(),
        second_heads=teacher.heads[:3].astype("<f4").tobytes(), second_constants=teacher.constants[:3].tolist(),
    )  # fmt: skip
    data = gzip.compress(msgspec.msgpack.encode(file), 9, mtime=0)
    MODEL_FILE.write_bytes(data)
    print(f"{len(lessons)} lessons; written: {MODEL_FILE.name}, {len(data)} bytes")
    for name, conversations in (("trained on", own), ("not trained on", checked)):
        if conversations:
            old = alone(conversations, view, lambda v: teacher.says([vectors[x] for x in v]))
            new = alone(
                conversations, view, lambda v: say(v, numbers * np.array(steps), constants, course.bits)
            )
            print(f"{name}: AUC of messages alone: teacher {old:.3f}, student {new:.3f}")


def alone(conversations: list[dict[str, Any]], view: dict[str, str], mouth: Any) -> float:
    """Area under the curve of what is said of messages without their context, staged against safe."""
    kept = [
        (view[m["text"]], c["label"] == "risk")
        for c in conversations
        for m in c["messages"]
        if c["label"] == "safe" or m.get("stage")
    ]
    return float(roc_auc_score([risk for _, risk in kept], mouth([v for v, _ in kept])[:, 0]))


if __name__ == "__main__":
    main()
