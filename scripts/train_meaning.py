"""Train the meaning layer from the tuning conversations: character n-grams, linear, tiny.

    uv run --group train python scripts/train_meaning.py [--check FILE]

Positive messages are those of a labelled actor that carry a stage; negative ones are all messages of safe
conversations. Weights are fitted with L2 logistic regression; what is shipped is the n-grams that carry weight,
8 bits each. With `--check` the same measure is printed for conversations that were not trained on.
"""

import argparse
import gzip
import json
from pathlib import Path

import msgspec
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from underwing.model import ACTOR_STAGES
from underwing.text import canonical
from underwing.text.meaning import MODEL_FILE, Meaning, ModelFile

ROOT = Path(__file__).parent.parent
KEEP = 24_000
SMALLEST, LARGEST = 3, 8


def grams(view: str) -> list[str]:
    """Substrings of a light view that begin and end inside it, 3 to 8 characters, by their presence."""
    found = set()
    for size in range(SMALLEST, LARGEST + 1):
        for start in range(len(view) - size + 1):
            piece = view[start : start + size]
            if piece.strip() and piece.count(" ") <= 2:
                found.add(piece)
    return sorted(found)


def conversations(path: Path) -> list[tuple[str, str | None]]:
    """(text, stage or None for safe) of every message that teaches something."""
    rows: list[tuple[str, str | None]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        conversation = json.loads(line)
        for message in conversation["messages"]:
            if conversation["label"] == "safe":
                rows.append((message["text"], None))
            elif message.get("stage"):
                rows.append((message["text"], message["stage"]))
    return rows


def main() -> None:
    """Train, print what was measured, write the model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", type=Path, help="conversations to measure on, never trained on")
    parser.add_argument("--ordinary", type=Path, help="more innocent lines, one a line")
    arguments = parser.parse_args()
    rows = conversations(ROOT / "corpus" / "tuning.jsonl")
    if arguments.ordinary:
        rows += [(line, None) for line in arguments.ordinary.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if len(canonical(row[0]).split()) >= 2]
    views = [canonical(text) for text, _ in rows]
    truth = np.array([stage is not None for _, stage in rows])
    print(f"{len(rows)} messages, {truth.sum()} with a stage")
    vectorizer = CountVectorizer(analyzer=grams, min_df=4, binary=True)
    matrix = vectorizer.fit_transform(views).tocsr().astype(np.float32)
    norms = 1 / np.sqrt(np.maximum(1, np.asarray(matrix.sum(axis=1)).ravel()))
    from scipy.sparse import diags

    scaled = diags(norms) @ matrix
    model = LogisticRegression(C=20, max_iter=3000, class_weight="balanced")
    held = cross_val_predict(model, scaled, truth, cv=5, method="decision_function")
    print(f"cross-validated AUC {roc_auc_score(truth, held):.3f}")
    model.fit(scaled, truth)
    strength = np.abs(model.coef_[0]) * np.sqrt(np.asarray(matrix.sum(axis=0)).ravel())
    chosen = np.argsort(-strength)[:KEEP]
    names = vectorizer.get_feature_names_out()[chosen]
    small = matrix[:, chosen]
    norms = 1 / np.sqrt(np.maximum(1, np.asarray(small.sum(axis=1)).ravel()))
    scaled = diags(norms) @ small
    held = cross_val_predict(model, scaled, truth, cv=5, method="decision_function")
    print(f"with {KEEP} n-grams: cross-validated AUC {roc_auc_score(truth, held):.3f}")
    model.fit(scaled, truth)
    # Platt scaling of the cross-validated scores, balanced: its logit is a log-likelihood ratio.
    platt = LogisticRegression(class_weight="balanced").fit(held.reshape(-1, 1), truth)
    stages = [s for s in ACTOR_STAGES if sum(stage == s for _, stage in rows) >= 20]
    label = np.array([stages.index(stage) if stage in stages else -1 for _, stage in rows])
    kinds = LogisticRegression(C=5, max_iter=1000).fit(scaled[label >= 0], label[label >= 0])
    weights = model.coef_[0]
    step = float(np.abs(weights).max() / 127)
    kind_step = float(np.abs(kinds.coef_).max() / 127)
    order = np.argsort(names)
    file = ModelFile(
        version="2",
        grams=[str(n) for n in names[order]],
        weights=np.round(weights[order] / step).astype(np.int8).tobytes(),
        step=step,
        bias=float(model.intercept_[0]),
        slope=float(platt.coef_[0][0]),
        shift=float(platt.intercept_[0]),
        stages=stages,
        kinds=np.round(kinds.coef_[:, order] / kind_step).astype(np.int8).tobytes(),
        kind_step=kind_step,
        kind_bias=[float(b) for b in kinds.intercept_],
    )
    data = gzip.compress(msgspec.msgpack.encode(file), 9, mtime=0)
    MODEL_FILE.write_bytes(data)
    print(f"written: {MODEL_FILE.name}, {len(data)} bytes")
    meaning = Meaning.load()
    if arguments.check:
        checked = conversations(arguments.check)
        scores = np.array([meaning.score(canonical(text)) for text, _ in checked])
        real = np.array([stage is not None for _, stage in checked])
        limit = np.quantile(scores[~real], 0.98)
        print(
            f"not trained on: AUC {roc_auc_score(real, scores):.3f}, found at 2 % false: {(scores[real] > limit).mean():.3f}"
        )


if __name__ == "__main__":
    main()
