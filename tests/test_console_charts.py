"""Charts: places on a plane that say what the numbers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underwing.server.console.charts import MOST_SERIES, Chart, Series, draw, ticks, written


@given(st.floats(0.001, 1e9))
def test_ticks_begin_at_nothing_cover_everything_and_are_few(most: float) -> None:
    scale = ticks(most)
    assert scale[0] == 0
    assert scale[-1] >= most * 0.999
    assert 2 <= len(scale) <= 8
    assert list(scale) == sorted(set(scale))


def test_what_is_counted_has_no_half_ticks() -> None:
    assert ticks(2, whole=True) == (0, 1, 2)
    assert ticks(2) == (0, 0.5, 1, 1.5, 2)


def test_a_bar_is_as_long_as_its_value() -> None:
    chart = Chart(title="t", labels=("a", "b", "c"), series=(Series("n", (10.0, 5.0, None)),))
    picture = draw(chart)
    ten, five, unknown = picture.bars
    assert ten.width == pytest.approx(2 * five.width)
    assert unknown.width == 0
    assert [bar.text for bar in picture.bars] == ["10", "5", "–"]
    assert [mark.text for mark in picture.names] == ["a", "b", "c"]
    left, top, right, bottom = picture.plot
    for bar in picture.bars:
        assert left <= bar.x
        assert bar.x + bar.width <= right + 0.01
        assert top <= bar.y
        assert bar.y + bar.height <= bottom


def test_shares_are_drawn_against_all_of_it() -> None:
    (bar,) = draw(Chart(title="t", labels=("a",), series=(Series("n", (50.0,)),), unit="%")).bars
    assert bar.text == "50 %"
    assert bar.width == pytest.approx((640 - 60 - 150) / 2)


@given(
    st.lists(st.one_of(st.none(), st.floats(0, 1e6)), min_size=1, max_size=400),
    st.sampled_from(("bars", "lines")),
)
def test_everything_stays_inside_the_plot(values: list[float | None], kind: str) -> None:
    labels = tuple(str(n) for n in range(len(values)))
    picture = draw(Chart(title="t", labels=labels, series=(Series("n", tuple(values)),), kind=kind))  # type: ignore[arg-type]
    left, top, right, bottom = picture.plot
    for line in picture.lines:
        for x, y in line.dots:
            assert left - 0.01 <= x <= right + 0.01
            assert top - 0.01 <= y <= bottom + 0.01
    assert sum(len(line.dots) for line in picture.lines) == (
        sum(v is not None for v in values) if kind == "lines" else 0
    )
    assert len(picture.names) <= (9 if kind == "lines" else len(values))


def test_a_line_breaks_where_nothing_is_known() -> None:
    chart = Chart(
        title="t", labels=("1", "2", "3", "4"), series=(Series("n", (1, 2, None, 3)),), kind="lines"
    )
    assert [len(line.dots) for line in draw(chart).lines] == [2, 1]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values for 1"):
        draw(Chart(title="t", labels=("a",), series=(Series("n", (1, 2)),)))
    with pytest.raises(ValueError, match="at most"):
        draw(Chart(title="t", labels=(), series=tuple(Series("n", ()) for _ in range(MOST_SERIES + 1))))


def test_numbers_are_written_shortly() -> None:
    assert written(None) == "–"
    assert written(1234567.0) == "1,234,567"
    assert written(2.25, "h") == "2.2 h"
