"""What else can be noticed in a stream: text on its screen, words spoken in it, a classifier's guess about a frame.

Each is a plug-in behind a small protocol, none is needed, and none judges: words go into the fold that messages go through,
a guess counts only beside words. They run for streams whose streamer is, or may be, a child.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from underwing.model.media import MediaScore

Pixels = NDArray[np.uint8]
"""A picture in RGB: height × width × 3."""
Sound = NDArray[np.float32]
"""Samples from -1 to 1, `RATE` a second, one channel."""
RATE = 16_000
VOICE_STEP = 512
SURE = 0.7
"""What is read with less confidence than this is nothing: RapidOCR gives 0.9 and more to clean text."""
SURE_OF_WORDS = 0.37
"""The same of what is heard: Whisper's own threshold, a mean log-likelihood of -1 a word part."""


class SenseMissingError(RuntimeError):
    """What a sense needs is not installed; says which extra brings it."""

    def __init__(self, what: str, extra: str, why: object) -> None:
        super().__init__(f"{what} is not installed: pip install 'underwing[{extra}]' ({why})")


class Line(Struct, frozen=True):
    """A line of text in a picture: how sure its reader is (0 to 1), and left, top, right, bottom as parts of the picture."""

    text: str
    sure: float
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


class Reader(Protocol):
    """Reads text in a picture."""

    name: str

    def read(self, picture: Pixels) -> Sequence[Line]:
        """The lines of text in it. It may raise whatever it likes: then nothing was read."""
        ...


class VoiceFinder(Protocol):
    """Tells voices from other sounds."""

    name: str

    def voiced(self, sound: Sound) -> NDArray[np.bool_]:
        """Whether somebody speaks, for each `VOICE_STEP` samples of a sound that is a multiple of that long."""
        ...


class Recogniser(Protocol):
    """Makes words of speech."""

    name: str

    def words(self, sound: Sound) -> tuple[str, float]:
        """(what is said in at most 30 s of sound, how sure it is, 0 to 1); an empty text for none."""
        ...


class Words(Struct, frozen=True, kw_only=True, tag="words"):
    """Words that were noticed at a second of the stream; `at` is our clock then (epoch seconds)."""

    source: Literal["screen", "speech"]
    text: str
    second: float
    at: float


class Guess(Struct, frozen=True, kw_only=True, tag="guess"):
    """A classifier's score of the frame at a second of the stream."""

    score: MediaScore
    second: float
    at: float


Noticed = Words | Guess
