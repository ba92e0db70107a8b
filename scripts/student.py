"""Teach a table of word and character pieces to say what the teacher's heads say, in the conversation it is said in.

One number a piece and head: a message's sense is a constant and the sum of its pieces' numbers, over the root of how
many there are. Stochastic gradient descent with AdaGrad (Duchi, 2011) on the sum of three losses:

    a message:  (sense - teacher's)² for each head
    a row:      (now + mean of own earlier + mean of the others' earlier - the same of the teacher)²
    a label:    logistic loss of that row, where a message is known to be staged or safe
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from msgspec import Struct
from numba import njit
from numpy.typing import NDArray

from underwing.text.grams import PIECES, code_points, rows_of

HEADS: Final = 4
MOST: Final = 400
"""Messages of a conversation that are learned from."""
SPEAKERS: Final = 16
FORGOTTEN: Final = 0.02
"""Context that has faded below this is not taught."""


class Lesson(Struct, frozen=True):
    """A conversation to learn from: its views, who says each (small numbers), and for each message whether it is
    staged (1), safe (0) or unknown (-1); what the teacher makes of it (rows of `HEADS`), None where it was not asked."""

    views: Sequence[str]
    speakers: Sequence[int]
    labels: Sequence[int]
    taught: NDArray[np.float64] | None


class Course(Struct, frozen=True):
    """How the student learns: chosen by cross-validation (docs/decisions/0017-reader.md)."""

    bits: int = 17
    epochs: int = 8
    rate: float = 0.3
    penalty: float = 1e-4
    row: float = 1.0
    label: float = 4.0
    untaught: float = 1.0
    """What a label weighs in a conversation that the teacher was not asked of."""


def pieces(views: Sequence[str], bits: int) -> tuple[Any, Any, Any]:
    """(rows of all views, where each view's begin and end, one over the root of their number)."""
    room = np.zeros(PIECES * (2 + max(map(len, views))), np.int64)
    found = []
    for view in views:
        found.append(room[: rows_of(code_points(view), bits, room)].astype(np.int32))
    sizes = np.array([len(f) for f in found])
    return np.concatenate(found), np.r_[0, np.cumsum(sizes)], 1 / np.sqrt(np.maximum(1, sizes))


def learn(lessons: Sequence[Lesson], course: Course, fade: float) -> tuple[Any, Any]:
    """(table of 2 ** bits rows and a column a head, constants)."""
    told = [lesson.taught for lesson in lessons if lesson.taught is not None]
    constants = np.concatenate(told).mean(0)
    targets = np.concatenate(
        [
            np.full((len(lesson.views), HEADS), np.nan) if lesson.taught is None else lesson.taught
            for lesson in lessons
        ]
    )
    starts = np.r_[0, np.cumsum([len(lesson.views) for lesson in lessons])]
    rows, ends, scale = pieces([view for lesson in lessons for view in lesson.views], course.bits)
    speakers = np.array([who % SPEAKERS for lesson in lessons for who in lesson.speakers])
    labels = np.array([label for lesson in lessons for label in lesson.labels])
    table = np.zeros((2**course.bits, HEADS))
    _descend(
        rows, ends, scale, starts, speakers, targets, labels, table, constants, fade, course.epochs, course.rate,
        course.penalty, course.row, course.label, course.untaught,
    )  # fmt: skip
    return table, constants


def say(views: Sequence[str], table: Any, constants: Any, bits: int) -> Any:
    """What a table says of views: a row each."""
    rows, ends, scale = pieces(views, bits)
    said = [table[rows[a:b]].sum(0) for a, b in pairwise(ends)]
    return np.array(said) * scale[:, None] + constants


@njit(cache=True)  # type: ignore[misc, unused-ignore]
def _in_context(speakers: Any, said: Any, fade: float, rows: Any, weights: Any) -> None:
    """The row of each message, and the weight of its sender's earlier ones and of each other speaker's (0 if none)."""
    own, other, weight = np.zeros(SPEAKERS), np.zeros(SPEAKERS), np.zeros(SPEAKERS)
    for i in range(len(speakers)):
        who = speakers[i]
        weights[i, :] = weight
        row = said[i, 0]
        if weight[who] > 0:
            row += own[who] / weight[who]
        heard, many = 0.0, 0
        for k in range(SPEAKERS):
            if k != who and weight[k] > 0:
                heard += other[k] / weight[k]
                many += 1
        rows[i] = row + (heard / many if many else 0.0)
        own[who] = own[who] * fade + said[i, 1]
        other[who] = other[who] * fade + said[i, 2]
        weight[who] = weight[who] * fade + 1


@njit(cache=True)  # type: ignore[misc, unused-ignore]
def _pass_back(speakers: Any, i: int, error: float, fade: float, weights: Any, slopes: Any) -> None:
    """What the error of row `i` says of the senses that went into it."""
    who, weight = speakers[i], weights[i]
    slopes[i, 0] += error
    others = 0
    for k in range(SPEAKERS):
        others += k != who and weight[k] > 0
    faded = np.ones(SPEAKERS)
    for j in range(i - 1, -1, -1):
        k = speakers[j]
        if faded[k] > FORGOTTEN:
            if k == who:
                slopes[j, 1] += error * faded[k] / weight[k]
            else:
                slopes[j, 2] += error * faded[k] / weight[k] / others
            faded[k] *= fade


@njit(cache=True)  # type: ignore[misc, unused-ignore]
def _descend(
    rows: Any, ends: Any, scale: Any, starts: Any, speakers: Any, targets: Any, labels: Any, table: Any,
    constants: Any, fade: float, epochs: int, rate: float, penalty: float, row: float, label: float, untaught: float,
) -> None:  # fmt: skip
    """Walk the conversations `epochs` times in a shuffled, repeatable order; `table` and `constants` learn."""
    np.random.seed(1)
    seen, seen_constants = np.full(table.shape, 1e-3), np.full(HEADS, 1e-3)
    said, slopes = np.zeros((MOST, HEADS)), np.zeros((MOST, HEADS))
    mine, theirs, weights = np.zeros(MOST), np.zeros(MOST), np.zeros((MOST, SPEAKERS))
    for epoch in range(epochs):
        step = rate * np.sqrt(1 - epoch / epochs)
        for conversation in np.random.permutation(len(starts) - 1):
            first = starts[conversation]
            size = min(MOST, starts[conversation + 1] - first)
            who, truth = speakers[first : first + size], targets[first : first + size]
            known = not np.isnan(truth[0, 0])
            for i in range(size):
                said[i] = 0
                for at in range(ends[first + i], ends[first + i + 1]):
                    said[i] += table[rows[at]]
                said[i] = said[i] * scale[first + i] + constants
                slopes[i] = said[i] - truth[i] if known else np.zeros(HEADS)
            if size > 1:
                if known:
                    _in_context(who, truth, fade, theirs, weights)
                _in_context(who, said, fade, mine, weights)
                for i in range(size):
                    error = row * (mine[i] - theirs[i]) if known else 0.0
                    if labels[first + i] >= 0:
                        chance = 1 / (1 + np.exp(-mine[i]))
                        error += label * (1.0 if known else untaught) * (chance - labels[first + i])
                    _pass_back(who, i, error, fade, weights, slopes)
            for head in range(HEADS):
                slope = slopes[:size, head].sum()
                seen_constants[head] += slope * slope
                constants[head] -= step * slope / np.sqrt(seen_constants[head])
            for i in range(size):
                for at in range(ends[first + i], ends[first + i + 1]):
                    for head in range(HEADS):
                        slope = slopes[i, head] * scale[first + i] + penalty * table[rows[at], head]
                        seen[rows[at], head] += slope * slope
                        table[rows[at], head] -= step * slope / np.sqrt(seen[rows[at], head])
