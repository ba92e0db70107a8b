"""The meaning layer: a small linear model over character n-grams, for phrasings that no pack has yet.

It runs behind a gate (only where a known young account is written to), its evidence is capped, it never
alarms alone, and it can be switched off. One Aho-Corasick pass finds the n-grams, so it costs little, and
the n-grams that spoke can be shown. Trained by `scripts/train_meaning.py` on the project's own tuning
conversations (`docs/decisions/0007-meaning.md` compares it with vectors that packages ship).
"""

import gzip
from math import sqrt
from pathlib import Path

import msgspec
from ahocorasick_rs import AhoCorasick, MatchKind

MODEL_FILE = Path(__file__).parent / "meaning.model"
SMALLEST_WORDS = 3
"""Messages of fewer words say too little."""


class ModelFile(msgspec.Struct, frozen=True):
    """What the file holds: n-grams with 8-bit weights, and for each stage the same."""

    version: str
    grams: list[str]
    weights: bytes
    step: float
    bias: float
    slope: float
    shift: float
    stages: list[str]
    kinds: bytes
    kind_step: float
    kind_bias: list[float]


class Meaning:
    """Scores a light view: log-likelihood ratio that it is a staged message of an actor, and which stage."""

    def __init__(self, file: ModelFile) -> None:
        self.version = file.version
        self._weights = [(b - 256 if b > 127 else b) * file.step for b in file.weights]
        self._bias, self._slope, self._shift = file.bias, file.slope, file.shift
        self._file = file
        self._find = AhoCorasick(
            file.grams, matchkind=MatchKind.Standard, store_patterns=False
        ).find_matches_as_indexes

    @classmethod
    def load(cls, path: Path = MODEL_FILE) -> "Meaning":
        """Read the model that ships with the package."""
        return cls(msgspec.msgpack.decode(gzip.decompress(path.read_bytes()), type=ModelFile))

    def score(self, view: str) -> float:
        """Log-likelihood ratio in nats, balanced; negative for ordinary talk, 0 for very short views."""
        if view.count(" ") <= SMALLEST_WORDS:
            return 0.0
        seen = {index for index, _, _ in self._find(view, overlapping=True)}
        if not seen:
            return 0.0
        weights = self._weights
        raw = sum([weights[i] for i in seen]) / sqrt(len(seen)) + self._bias
        return raw * self._slope + self._shift

    def stage(self, view: str) -> str:
        """The stage that a view is most like."""
        file = self._file
        seen = {index for index, _, _ in self._find(view, overlapping=True)}
        size = len(file.grams)
        norm = sqrt(max(1, len(seen)))
        best, most = "", float("-inf")
        for number, (name, bias) in enumerate(zip(file.stages, file.kind_bias, strict=True)):
            row = file.kinds[number * size : (number + 1) * size]
            total = (
                sum((row[i] - 256 if row[i] > 127 else row[i]) for i in seen) * file.kind_step / norm + bias
            )
            if total > most:
                best, most = name, total
        return best
