"""PDQ: a picture becomes 256 bits that stay nearly the same when it is scaled or encoded anew, and a quality.

The steps, and the order of every addition, are those of Meta's reference (ThreatExchange, `pdq/cpp`, BSD licence), in
the same single precision, so the bits are its bits: the picture is blurred and sampled at 64 × 64 points
(`sampling.py`), and its 16 × 16 lowest frequencies (DCT, without the constant) are compared with their median.

The other orientations (quarter turns, mirrored or not) come from one pass over the picture: it is sampled where the
points of its mirror images lie, and a quarter turn of a mirror image is its transpose. The reference turns the signs
of the plain picture's frequencies instead, as if its points lay in the middle of what they stand for. They do not, and
of pictures with fine texture its bits are up to 88 of 256 away from those of the turned picture; these are at most 2.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from underwing.media.machine_code import compiled
from underwing.media.sampling import SIDE, sample, sample_turned
from underwing.model.media import Pdq

ORIENTATIONS = (
    "plain",
    "turned-90",
    "turned-180",
    "turned-270",
    "mirrored",
    "mirrored+turned-90",
    "mirrored+turned-180",
    "mirrored+turned-270",
)
"""Names of views. Turns are counter-clockwise, in degrees; mirrored is left for right, and comes before the turn."""
_FROM = ((0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 0, 0), (1, 1, 1))
"""How each comes about: turned upside down, mirrored left for right, transposed. The transposed have the quality and the
median of those they are made of, so four are measured."""
SMALLEST_SIDE = 5
"""A picture with a shorter side (in pixels) has no hash."""
NO_HASH = Pdq(hash="0" * 64, quality=0)
"""What the reference gives in its place."""


def pdq(luma: NDArray[np.float32]) -> Pdq:
    """The hash of a picture given as its luma, height × width in 0 to 255."""
    if luma.ndim != 2:
        raise ValueError(f"luma has two dimensions, height and width, not {luma.ndim}")
    if min(luma.shape) < SMALLEST_SIDE:
        return NO_HASH
    return pdq_of_points(sample(luma))


def pdq_turned(luma: NDArray[np.float32]) -> tuple[Pdq, ...]:
    """The hashes of a picture (its luma, height × width) in each of `ORIENTATIONS`; the first is that of `pdq`."""
    plain = pdq(luma)
    if min(luma.shape) < SMALLEST_SIDE:
        return (plain,) * len(ORIENTATIONS)
    return (plain, *pdq_of_turned(sample_turned(luma, *luma.shape))[1:])


def pdq_of_points(points: NDArray[np.float32]) -> Pdq:
    """The hash of a picture that was sampled already (64 × 64)."""
    qualities, bits = _hashed(points[None], _DCT, _DCT_ACROSS)
    return Pdq(hash=bits[0, 0].tobytes().hex(), quality=int(qualities[0]))


def pdq_of_turned(points: NDArray[np.float32]) -> tuple[Pdq, ...]:
    """The hashes of a picture in each of `ORIENTATIONS`, from `sample_turned`."""
    qualities, bits = _hashed(points.reshape(4, SIDE, SIDE), _DCT, _DCT_ACROSS)
    quality, digits = qualities.tolist(), bits.tobytes().hex()
    found = []
    for upside_down, mirrored, transposed in _FROM:
        which = 2 * upside_down + mirrored
        at = 64 * (2 * which + transposed)
        found.append(Pdq(hash=digits[at : at + 64], quality=quality[which]))
    return tuple(found)


def _dct_matrix() -> NDArray[np.float32]:
    """Rows 1 to 16 of the 64-point DCT: 16 × 64."""
    scale = float(np.float32(math.sqrt(2.0 / SIDE)))
    step = math.pi / 2.0 / SIDE
    rows = [[scale * math.cos(step * (i + 1) * (2 * j + 1)) for j in range(SIDE)] for i in range(16)]
    return np.array(rows, np.float32)


_DCT = _dct_matrix()
_DCT_ACROSS = np.ascontiguousarray(_DCT.T)


@compiled
def _hashed(pictures: Any, dct: Any, across: Any) -> Any:
    """Of n pictures (64 × 64 points each): the qualities, and the hashes of each and of its transpose (n × 2 × 32 bytes).

    Bit 0 stands for the lowest frequency and is the last one of the last byte.
    """
    count = len(pictures)
    qualities = np.empty(count, np.int64)
    bits = np.zeros((count, 2, 32), np.uint8)
    half = np.empty((16, SIDE), np.float32)
    frequencies = np.empty((16, 16), np.float32)
    for n in range(count):
        qualities[n] = _quality(pictures[n])
        _multiply(dct, pictures[n], half)
        _multiply(half, across, frequencies)
        median = np.partition(frequencies.ravel(), 127)[127]  # the lower one of 256
        for i in range(16):
            for j in range(16):
                if frequencies[i, j] > median:
                    bits[n, 0, 31 - (16 * i + j) // 8] |= np.uint8(1) << np.uint8(j % 8)
                    bits[n, 1, 31 - (16 * j + i) // 8] |= np.uint8(1) << np.uint8(i % 8)
    return qualities, bits


@compiled
def _quality(points: Any) -> Any:
    """The steps between neighbours added up, in whole per cents of white, so that only real edges count."""
    steps: Any = 0
    hundred, white = np.float32(100), np.float32(255)
    for i in range(SIDE):
        for j in range(SIDE - 1):
            steps += abs(np.int32((points[i, j] - points[i, j + 1]) * hundred / white))
    for i in range(SIDE - 1):
        for j in range(SIDE):
            steps += abs(np.int32((points[i, j] - points[i + 1, j]) * hundred / white))
    return min(100, steps // 90)


@compiled
def _multiply(left: Any, right: Any, made: Any) -> None:
    """The product of n × 64 and 64 × m numbers, each sum added up in its order, eight at a time for all of a row."""
    made[:] = 0
    for first in range(0, SIDE, 8):
        for i in range(made.shape[0]):
            for j in range(made.shape[1]):
                total = made[i, j]
                for k in range(8):
                    total += left[i, first + k] * right[first + k, j]
                made[i, j] = total
