"""The pieces of a view and what the meaning layer makes of them: whole numbers, the same everywhere, bounded."""

from itertools import pairwise
from math import sqrt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from underwing.text.grams import LONGEST, PIECES, SHORTEST, add_up, code_points, rows_of
from underwing.text.meaning import DULL, Meaning, ModelFile, spoken
from underwing.text.meaning import LONGEST as READ

WHOLE = 2**32
LAYER = Meaning.load(second=False)
views = st.text(st.characters() | st.sampled_from("aeiou  hmt"), max_size=120)


def hashed(points: list[int], start: int = 2166136261) -> int:
    """FNV-1a over code points."""
    for point in points:
        start = (start ^ point) * 16777619 % WHOLE
    return start


def row(value: int, bits: int) -> int:
    """The row of a hash."""
    return ((value ^ (value >> 15)) * 0x9E3779B1 % WHOLE) >> (32 - bits)


def reference(view: str, bits: int) -> list[int]:
    """The rows of a view by the letter of the description."""
    points = [32, *map(ord, view.encode("utf-32-le", "replace").decode("utf-32-le")), 32]
    runs = [
        row(hashed(points[start : start + size]), bits)
        for size in range(SHORTEST, LONGEST + 1)
        for start in range(len(points) - size + 1)
    ]
    words: list[list[int]] = [[]]
    for point in points:
        if point == 32:
            words.append([])
        else:
            words[-1].append(point)
    whole = [hashed(word, 2166136261 ^ 77) for word in words if word]
    pairs = [(second ^ (first * 0x85EBCA6B % WHOLE)) * 16777619 % WHOLE for first, second in pairwise(whole)]
    return sorted([*runs, *(row(value, bits) for value in (*whole, *pairs))])


@given(views, st.integers(8, 17))
def test_the_pieces_are_the_described_ones(view: str, bits: int) -> None:
    out = np.zeros(PIECES * (len(view) + 2), np.int64)
    count = rows_of(code_points(view), bits, out)
    assert sorted(out[:count].tolist()) == reference(view, bits)


@given(views)
def test_a_sum_is_exact(view: str) -> None:
    table = np.random.default_rng(1).integers(-127, 128, (256, 4), dtype=np.int8)
    columns, out = np.array([[1.0] * 4, [0.0] * 4]), np.zeros(4)
    what = add_up(code_points(view), table, 8, columns, out)
    wanted = np.sum([table[r].astype(int) for r in reference(view, 8)], 0)
    assert out.tolist() == (wanted / np.sqrt(len(reference(view, 8)))).tolist()
    assert 0 <= what < 2**16


def test_a_sense_is_the_constant_and_the_sum_over_the_root_of_the_count() -> None:
    numbers = np.random.default_rng(2).integers(-127, 128, (256, 4), dtype=np.int8)
    stages = np.zeros((256, 2), np.int8)
    stages[:, 1] = 1
    file = ModelFile(
        version="t", bits=8, numbers=numbers.tobytes(), steps=[0.01, 0.02, 0.03, 0.04], constants=[1.0, -1.0, 0.5, 0.0],
        stages=["threat", "meet"], stage_bits=8, stage_numbers=stages.tobytes(), stage_steps=[1.0, 1.0],
        stage_constants=[0.0, 0.0], second_heads=b"", second_constants=[],
    )  # fmt: skip
    rows = reference("see you there", 8)
    sums = np.sum([numbers[r].astype(int) for r in rows], 0)
    sense = Meaning(file).read("  see you there ")
    root = sqrt(len(rows))
    assert sense.now == round(sums[0] / root * 0.01 + 1.0, 2)
    assert sense.own == round(sums[1] / root * 0.02 - 1.0, 2)
    assert sense.other == round(sums[2] / root * 0.03 + 0.5, 2)
    assert sense.idle == (sums[3] > 0)
    assert Meaning(file).stage("see you there") == "meet"
    assert sense.dull == (sums[3] / root * 0.04 > DULL)


@given(st.text(max_size=2000))
def test_only_the_beginning_of_a_long_view_is_read(view: str) -> None:
    assert len(spoken(view)) <= READ
    assert LAYER.read(view) == LAYER.read(spoken(view))
