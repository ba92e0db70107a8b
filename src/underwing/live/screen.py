"""What stands on a stream's screen: which frames are read, and which of their lines are new."""

from collections.abc import Sequence

import numpy as np
from av.video.frame import VideoFrame

from underwing.live.senses import SURE, Line, Pixels

SIDE = 1280
"""Pixels of the longer side of a picture that is read or scored, at the most."""
AGAIN_AFTER = 300.0
"""A line that stands there is told again only after so many seconds of the stream without it."""
MOST_LINES, MOST_CHARACTERS = 40, 500
_REMEMBERED = 200
_LETTERS = 3


def pixels_of(frame: VideoFrame, side: int = SIDE) -> Pixels:
    """A frame in RGB, no larger than `side`."""
    scale = min(1.0, side / max(frame.width, frame.height))
    width, height = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
    return np.asarray(
        frame.reformat(width=width, height=height, format="rgb24", threads=1).to_ndarray(), np.uint8
    )


class Standing:
    """The lines that stand on a screen: `new` gives those that did not stand there before, lines of one block joined."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def new(self, lines: Sequence[Line], second: float) -> list[str]:
        """What is new at a second of the stream, from top to bottom."""
        fresh: list[Line] = []
        for line in lines[:MOST_LINES]:
            key = "".join(char for char in line.text.casefold() if char.isalnum())
            if line.sure < SURE or sum(char.isalpha() for char in key) < _LETTERS:
                continue
            before = self._told.pop(key, None)
            self._told[key] = second
            if before is None or not 0 <= second - before < AGAIN_AFTER:
                fresh.append(line)
        while len(self._told) > _REMEMBERED:
            del self._told[next(iter(self._told))]
        return [" ".join(line.text for line in block)[:MOST_CHARACTERS] for block in blocks(fresh)]


def blocks(lines: Sequence[Line]) -> list[list[Line]]:
    """Lines that stand beneath each other, near and with about the same left edge, belong together: a wrapped sentence."""
    made: list[list[Line]] = []
    for line in lines:
        for block in made:
            if _continues(block[-1], line):
                block.append(line)
                break
        else:
            made.append([line])
    return made


def _continues(above: Line, below: Line) -> bool:
    left, top, _, bottom = above.box
    tall = bottom - top
    return 0 <= below.box[1] - top <= 2 * tall and abs(below.box[0] - left) <= tall
