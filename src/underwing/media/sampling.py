"""Luma, blurred and sampled at 64 × 64 points, in machine code: the costly part of PDQ.

The blur is a box along the rows and one down the columns, twice (a tent, after Jarosz). Every sum is added up in the
order of Meta's reference (ThreatExchange, `pdq/cpp/downscaling`) in single precision, so the points are its points,
bit for bit. What is faster: the picture is read once, with few rows in hand; four rows are summed side by side, so that
no addition waits for the one before; and the second blur is only finished where it is sampled.
`numba` compiles the loops when they are first used and keeps them beside this file, or in the user's cache directory.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from underwing.media.machine_code import compiled

SIDE = 64
"""Points a side."""
_LANES = 4
"""Rows summed side by side."""
_TURNED_TOGETHER = 16
"""Rows of points that are turned into columns together: a line of the processor's cache."""
_RED, _GREEN, _BLUE = (np.arange(256) * part for part in (0.299, 0.587, 0.114))


def luma_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma, height × width in 0 to 255, of a grey (height × width) or an RGB picture (height × width × 3).

    By ITU-R BT.601. As in the reference binding the three parts are added in double precision and rounded once. A grey
    picture that goes the same way keeps its values: their error is far below what is rounded.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError("pixels are height × width, or height × width × 3")
    if pixels.ndim == 2:
        return pixels.astype(np.float32, order="C")
    luma: NDArray[np.float32] = _luma_of_rgb(np.ascontiguousarray(pixels), _RED, _GREEN, _BLUE)
    return luma


def sample(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The luma of a picture of any size (height × width), blurred and sampled: 64 × 64. One of that size stays as it is."""
    luma = np.ascontiguousarray(luma, np.float32)
    points: NDArray[np.float32] = luma if luma.shape == (SIDE, SIDE) else _sample(luma)
    return points


def sample_turned(
    luma: NDArray[np.float32], height: int, width: int, lead: tuple[int, int] = (0, 0)
) -> NDArray[np.float32]:
    """Nearly what `sample` gives for a picture and its mirror images: 2 (upside down) × 2 (left for right) × 64 × 64.

    `luma` may be a copy of a picture of this height and width that was reduced by a whole number. Each of its pixels is
    the mean of a square of the picture's; the first ones may reach beyond its edge by `lead` (rows, columns) pixels of the
    picture, the last ones too. Every point is taken where it lies in the whole picture, with the same weights, so that
    none is shifted by the reduction. Sums are added up in another order than in `sample`, so a bit may differ.
    """
    luma = np.ascontiguousarray(luma, np.float32)
    down, across = _both_ways(height, luma.shape[0], lead[0]), _both_ways(width, luma.shape[1], lead[1])
    points: NDArray[np.float32] = _sample_turned(luma, *down, *across)
    return points


@compiled
def _luma_of_rgb(pixels: Any, red: Any, green: Any, blue: Any) -> Any:
    height, width, _ = pixels.shape
    luma = np.empty((height, width), np.float32)
    for i in range(height):
        for j in range(width):
            luma[i, j] = red[pixels[i, j, 0]] + green[pixels[i, j, 1]] + blue[pixels[i, j, 2]]
    return luma


@compiled
def _box(length: Any) -> Any:
    """Of the box, for so many pixels along: (its size, how many pixels it reaches ahead, how many it holds at each)."""
    size = (length + 2 * SIDE - 1) // (2 * SIDE)
    ahead = (size + 2) // 2 - 1
    held = np.empty(length, np.float32)
    for at in range(length):
        held[at] = min(length, at + ahead + 1) - max(0, at + ahead + 1 - size)
    return size, ahead, held


@compiled
def _points(length: Any) -> Any:
    """Where the points lie: in the middle of each of 64 equal parts."""
    points = np.empty(SIDE, np.int64)
    for k in range(SIDE):
        points[k] = int(((k + 0.5) * length) / SIDE)
    return points


@compiled
def _slide(rows: Any, size: Any, ahead: Any, sums: Any) -> None:
    """The sums of a box that slides along four rows, not yet divided by what it holds."""
    width = rows.shape[1]
    zero = np.float32(0)
    a, b, c, d = zero, zero, zero, zero
    for right in range(ahead):
        a += rows[0, right]
        b += rows[1, right]
        c += rows[2, right]
        d += rows[3, right]
    for at in range(width):
        right = at + ahead
        left = right - size
        if right < width:
            a += rows[0, right]
            b += rows[1, right]
            c += rows[2, right]
            d += rows[3, right]
        if left >= 0:
            a -= rows[0, left]
            b -= rows[1, left]
            c -= rows[2, left]
            d -= rows[3, left]
        sums[0, at] = a
        sums[1, at] = b
        sums[2, at] = c
        sums[3, at] = d


@compiled
def _sample(luma: Any) -> Any:
    height, width = luma.shape
    wide, wide_ahead, wide_held = _box(width)
    tall, tall_ahead, tall_held = _box(height)
    across, down = _points(width), _points(height)
    rows = np.zeros((_LANES, width), np.float32)
    sums = np.empty((_LANES, width), np.float32)
    ring = np.empty((tall + _LANES, width), np.float32)  # the last rows after the first box along them
    column = np.zeros(width, np.float32)  # the first box down each column
    narrow = np.empty((height, SIDE), np.float32)  # after the second box along the rows, where it is sampled
    read = written = waiting = 0  # rows of the picture; rows of `narrow`; rows that wait for the second box
    fresh = np.zeros((_LANES, width), np.float32)
    for right in range(height + tall_ahead):
        if right == read and read < height:
            count = min(_LANES, height - read)
            rows[:count] = luma[read : read + count]
            _slide(rows, wide, wide_ahead, sums)
            for lane in range(count):
                kept = ring[(read + lane) % ring.shape[0]]
                for j in range(width):
                    kept[j] = sums[lane, j] / wide_held[j]
            read += count
        if right < height:
            entering = ring[right % ring.shape[0]]
            for j in range(width):
                column[j] += entering[j]
        if right >= tall:
            leaving = ring[(right - tall) % ring.shape[0]]
            for j in range(width):
                column[j] -= leaving[j]
        if right < tall_ahead:
            continue
        held = tall_held[right - tall_ahead]
        for j in range(width):
            fresh[waiting, j] = column[j] / held
        waiting += 1
        if waiting == _LANES or written + waiting == height:
            _slide(fresh, wide, wide_ahead, sums)
            for lane in range(waiting):
                for k in range(SIDE):
                    narrow[written + lane, k] = sums[lane, across[k]] / wide_held[across[k]]
            written += waiting
            waiting = 0
    return _second_box_down(narrow, tall, tall_ahead, tall_held, down)


@compiled
def _second_box_down(narrow: Any, tall: Any, ahead: Any, held: Any, down: Any) -> Any:
    height = narrow.shape[0]
    column = np.zeros(SIDE, np.float32)
    points = np.empty((SIDE, SIDE), np.float32)
    k = 0
    for right in range(height + ahead):
        if right < height:
            column += narrow[right]
        if right >= tall:
            column -= narrow[right - tall]
        while k < SIDE and down[k] == right - ahead:
            points[k] = column / held[down[k]]
            k += 1
    return points


@compiled
def _sample_turned(luma: Any, down_from: Any, down: Any, across_from: Any, across: Any) -> Any:
    """The points, from the first pixel and the weights of each: downwards and upwards, to the right and back.

    All rows of points are taken down the columns first and laid side by side, so that the sums along the rows are made
    of 64 at a time. A weight of 0 adds 0; what it would be taken from lies in the margin of zeros.
    """
    rows, columns = luma.shape
    reach = across.shape[2]
    points = np.zeros((2, 2, SIDE, SIDE), np.float32)
    some = np.empty((_TURNED_TOGETHER, columns), np.float32)
    lines = np.zeros((columns + 2 * reach, SIDE), np.float32)
    sums = np.empty(SIDE, np.float32)
    for upside_down in range(2):
        for start in range(0, SIDE, _TURNED_TOGETHER):
            some[:] = 0
            for i in range(_TURNED_TOGETHER):
                line = some[i]
                for at in range(down.shape[2]):
                    weight = down[upside_down, start + i, at]
                    if weight > 0:
                        row = down_from[upside_down, start + i] + at
                        pixels = luma[rows - 1 - row if upside_down else row]
                        for j in range(columns):
                            line[j] += weight * pixels[j]
            for j in range(columns):
                for i in range(_TURNED_TOGETHER):
                    lines[reach + j, start + i] = some[i, j]
        for mirrored in range(2):
            for k in range(SIDE):
                sums[:] = 0
                first = across_from[mirrored, k]
                for at in range(reach):
                    weight = across[mirrored, k, at]
                    column = reach + (columns - 1 - first - at if mirrored else first + at)
                    for i in range(SIDE):
                        sums[i] += weight * lines[column, i]
                for i in range(SIDE):
                    points[upside_down, mirrored, i, k] = sums[i]
    return points


@lru_cache(maxsize=64)
def _both_ways(length: int, reduced: int, lead: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For the points along `length` pixels, and for those of the mirror image: the first of the `reduced` pixels that each
    looks at (2 × 64), and the weights (2 × 64 × as many as there are). Both are only read.
    """
    back = reduced * _scale(length, reduced) - length - lead
    ways = [_weights(length, reduced, from_) for from_ in (lead, back)]
    first, weights = (np.stack([way[n] for way in ways]) for n in (0, 1))
    return first, np.ascontiguousarray(weights[..., : int(np.flatnonzero(weights.any((0, 1)))[-1]) + 1])


@compiled
def _scale(length: Any, reduced: Any) -> Any:
    return (length + reduced - 1) // reduced


@compiled
def _weights(length: Any, reduced: Any, lead: Any) -> Any:
    """For each point along `length` pixels: the first of the `reduced` pixels it looks at, and the weight of each."""
    scale = _scale(length, reduced)
    size, ahead, held = _box(length)
    points = _points(length)
    first = np.empty(SIDE, np.int64)
    weights = np.zeros((SIDE, 2 * size // scale + 2), np.float32)
    behind = size - 1 - ahead
    for k in range(SIDE):
        first[k] = (max(0, points[k] - 2 * behind) + lead) // scale
        for middle in range(max(0, points[k] - behind), min(length, points[k] + ahead + 1)):
            for pixel in range(max(0, middle - behind), min(length, middle + ahead + 1)):
                weights[k, (pixel + lead) // scale - first[k]] += 1 / (held[points[k]] * held[middle])
    return first, weights
