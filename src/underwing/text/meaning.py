"""The meaning layer: what a message means in its conversation, for phrasings that no pack has.

A table of word and character pieces (`grams.py`) makes three numbers of a message: how it reads by itself, and what it
says as context for later messages of its sender and of everybody else. A further number knows small talk: plain
small talk is passed over, however much of it there is, and what is near it adds nothing. Only these numbers go on; no
text is kept.
The table was taught by a sentence encoder that is some thousand times slower (`scripts/train_meaning.py`,
`docs/decisions/0017-reader.md`); where that is asked for and a message is not dull, it reads too (`encoder.py`), and the
mean of both counts. What they say is capped, never alarms alone, and can be switched off.
"""

import gzip
import warnings
from pathlib import Path

import msgspec
import numpy as np

from underwing.text.encoder import EncoderUnavailable, SecondReader, encoder
from underwing.text.grams import add_up, code_points

MODEL_FILE = Path(__file__).parent / "meaning.model"
LONGEST = 400
"""Characters of a view that are read; what follows would say little."""
DULL = -1.0
"""Above this the number for small talk says that a message tells little: it is no context, adds nothing and is not read
again (above 0 it is passed over). Chosen on two splits by author (docs/decisions/0017-reader.md)."""
_HEADS = 4


class ModelFile(msgspec.Struct, frozen=True):
    """Two tables of 8-bit numbers, what a step of each column is worth, and the columns' constants; the second
    reader's heads.

    `numbers` has 2 ** `bits` rows of now, own, other, idle; `stage_numbers` 2 ** `stage_bits` rows of a column a stage.
    """

    version: str
    bits: int
    numbers: bytes
    steps: list[float]
    constants: list[float]
    stages: list[str]
    stage_bits: int
    stage_numbers: bytes
    stage_steps: list[float]
    stage_constants: list[float]
    second_heads: bytes
    second_constants: list[float]


class Sense(msgspec.Struct, frozen=True, gc=False):
    """What one message says, in nats: by itself, as its sender's context, as context for the others."""

    now: float
    own: float
    other: float
    idle: bool = False
    """Plain small talk, which says nothing of a conversation."""
    dull: bool = False
    """Near enough to small talk that it adds nothing and needs no second reading."""
    what: int = -1
    """A 16-bit hash of the message, to know it again."""


class Meaning:
    """Reads light views. Pure; the quick reading is the same on every machine: sums of whole numbers, then one
    multiplication. Not for several threads at once: it has room to work in.
    """

    def __init__(self, file: ModelFile, second: SecondReader | None = None) -> None:
        self.version = f"{file.version}+e5" if second else file.version
        self._second = second
        self._bits, self._stage_bits, self._stages = file.bits, file.stage_bits, file.stages
        self._table = np.frombuffer(file.numbers, np.int8).reshape(-1, _HEADS)
        self._stage_table = np.frombuffer(file.stage_numbers, np.int8).reshape(-1, len(file.stages))
        self._columns = np.array([file.steps, file.constants])
        self._stage_columns = np.array([file.stage_steps, file.stage_constants])
        self._said = np.zeros(_HEADS)
        self._stage_said = np.zeros(len(file.stages))

    @classmethod
    def load(cls, path: Path = MODEL_FILE, *, second: bool = False) -> "Meaning":
        """Read the tables that ship with the package and start the `second` reader, if it is wanted and can run here
        (a warning says where it cannot)."""
        file = msgspec.msgpack.decode(gzip.decompress(path.read_bytes()), type=ModelFile)
        try:
            slow = SecondReader(file.second_heads, file.second_constants, encoder()) if second else None
        except EncoderUnavailable as error:
            warnings.warn(
                f"without the second reader a little less is found: {error}", RuntimeWarning, stacklevel=2
            )
            slow = None
        return cls(file, slow)

    def read(self, view: str) -> Sense:
        """The sense of a light view, in a few microseconds."""
        what = add_up(code_points(spoken(view)), self._table, self._bits, self._columns, self._said)
        now, own, other, idle = self._said.tolist()
        return Sense(round(now, 2), round(own, 2), round(other, 2), idle > 0, idle > DULL, what)

    def read_again(self, view: str, first: Sense) -> Sense:
        """The mean of a first reading and the second reader's; the first where there is no second, or it is dull."""
        if self._second is None or first.dull:
            return first
        now, own, other = self._second.read(spoken(view))
        return Sense(
            round((first.now + now) / 2, 3),
            round((first.own + own) / 2, 3),
            round((first.other + other) / 2, 3),
            what=first.what,
        )

    def stage(self, view: str) -> str:
        """The stage that a light view reads most like."""
        points = code_points(spoken(view))
        add_up(points, self._stage_table, self._stage_bits, self._stage_columns, self._stage_said)
        return self._stages[int(self._stage_said.argmax())]


def spoken(view: str) -> str:
    """What is read of a light view: its words, and pictures (emoji) only where there is nothing else. They are as often
    ornament as meaning, and easily strewn in."""
    view = view.strip()
    if not view.isascii():
        view = " ".join(t for t in view.split() if t.isascii() or any(map(str.isalnum, t))) or view
    return view[:LONGEST]
