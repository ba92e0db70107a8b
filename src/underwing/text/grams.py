"""The pieces of a view that the meaning layer weighs, as rows of its table, in machine code.

A piece is a run of two to four characters (spaces count, so that words have edges), a word, or two words that stand
together. Each is hashed (FNV-1a over code points, Fowler, Noll and Vo) to a row; pieces that fall together share one.
Whole numbers only, so that every machine reads the same.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from underwing.text.light import compiled

SHORTEST: Final = 2
LONGEST: Final = 4
"""Characters of a run: the lengths that read best, by cross-validation (docs/decisions/0017-reader.md)."""
PIECES: Final = LONGEST - SHORTEST + 3
"""A view of n characters with its edges has at most so many times n pieces."""
_OFFSET, _PRIME, _MIX, _PAIR = (
    np.uint32(2166136261),
    np.uint32(16777619),
    np.uint32(0x9E3779B1),
    np.uint32(0x85EBCA6B),
)
_WORD: Final = np.uint32(2166136261 ^ 77)
_HALF: Final = np.uint32(15)
_SPACE: Final = 32


def code_points(view: str) -> bytes | NDArray[np.uint32]:
    """The code points of a view, with a space at either end; lone surrogates become question marks. Of ASCII its bytes."""
    if view.isascii():
        return f" {view} ".encode()
    return np.frombuffer(f" {view} ".encode("utf-32-le", "replace"), np.uint32)


@compiled
def _row(hash: Any, shift: Any) -> Any:
    """The row of a hash: its bits mixed, the upper ones taken."""
    return np.uint32((hash ^ (hash >> _HALF)) * _MIX) >> shift


@compiled
def rows_of(points: Any, bits: int, out: Any) -> int:
    """Write the rows (of 2 ** `bits`) of all pieces to `out`; returns how many there are."""
    count = 0
    size = len(points)
    shift = np.uint32(32 - bits)
    for start in range(size - 1):
        run = _OFFSET
        for length in range(1, min(LONGEST, size - start) + 1):
            run = np.uint32((run ^ points[start + length - 1]) * _PRIME)
            if length >= SHORTEST:
                out[count] = _row(run, shift)
                count += 1
    word, before = _WORD, np.uint32(0)
    for at in range(1, size):
        if points[at] != _SPACE:
            word = np.uint32((word ^ points[at]) * _PRIME)
        elif word != _WORD:
            out[count] = _row(word, shift)
            count += 1
            if before != 0:
                pair = np.uint32((word ^ np.uint32(before * _PAIR)) * _PRIME)
                out[count] = _row(pair, shift)
                count += 1
            word, before = _WORD, word
    return count


@compiled
def _sums(table: Any, rows: Any, width: int) -> Any:
    """The sums of the given rows of a table, a number a column; four columns, as the quick reader has, at once."""
    sums = np.zeros(width, np.int64)
    if width == 4:
        one, two, three, four = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        for row in rows:
            one += table[row, 0]
            two += table[row, 1]
            three += table[row, 2]
            four += table[row, 3]
        sums[0], sums[1], sums[2], sums[3] = one, two, three, four
    else:
        for row in rows:
            for column in range(width):
                sums[column] += table[row, column]
    return sums


@compiled
def add_up(points: Any, table: Any, bits: int, columns: Any, out: Any) -> int:
    """Write what a table says of a view to `out`, one number a column: constant + step · sum of the pieces' rows / √pieces.

    `columns` are the steps (first row) and the constants (second). Returns a 16-bit hash of the view.
    """
    rows = np.empty(PIECES * len(points), np.int64)
    count = rows_of(points, bits, rows)
    sums = _sums(table, rows[:count], len(out))
    root = np.sqrt(max(1, count))
    for column in range(len(out)):
        out[column] = sums[column] / root * columns[0, column] + columns[1, column]
    whole = _OFFSET
    for point in points:
        whole = np.uint32((whole ^ point) * _PRIME)
    return int(np.uint32((whole ^ (whole >> _HALF)) * _MIX) >> np.uint32(16))
