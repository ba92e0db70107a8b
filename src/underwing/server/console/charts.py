"""Charts as geometry: numbers become places on a plane, and a template draws them as SVG with the table beneath.

Pure. Lengths are in units of the picture's own plane (`width` × `height`), which the page scales. No chart speaks by
colour alone: bars carry their value, lines have a dash and a mark of their own, and every number stands in the table.
"""

from itertools import pairwise
from math import ceil, floor, log10
from typing import Literal

from msgspec import Struct

WIDTH = 640.0
LEFT, RIGHT, TOP, BOTTOM = 150.0, 60.0, 8.0, 26.0
"""Room around the plot: names of rows at the left, values behind the bars at the right."""
ROW, GAP = 18.0, 10.0
"""Height of one bar, and the space between two groups of bars."""
LINES_HEIGHT = 220.0
MOST_SERIES = 4
"""So many series can be told apart in one picture."""
MOST_DATES = 8
"""So many labels fit under a line."""


class Series(Struct, frozen=True):
    """Values that belong together, one for each label of the chart. None: not known."""

    name: str
    values: tuple[float | None, ...]


class Chart(Struct, frozen=True, kw_only=True):
    """What is to be told: `unit` stands behind every number (`%`, `h`), `note` says what it was counted over."""

    title: str
    labels: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""
    note: str = ""
    kind: Literal["bars", "lines"] = "bars"


class Bar(Struct, frozen=True):
    """One bar from the left edge of the plot, and what is written behind it."""

    x: float
    y: float
    width: float
    height: float
    series: int
    text: str


class Line(Struct, frozen=True):
    """One unbroken run of a series: `points` as SVG writes them, `dots` its places."""

    points: str
    dots: tuple[tuple[float, float], ...]
    series: int


class Mark(Struct, frozen=True):
    """A tick of an axis or the name of a row."""

    x: float
    y: float
    text: str


class Picture(Struct, frozen=True, kw_only=True):
    """A chart drawn: everything a template needs, in the plane's own units."""

    chart: Chart
    width: float
    height: float
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    ticks: tuple[Mark, ...] = ()
    names: tuple[Mark, ...] = ()
    plot: tuple[float, float, float, float] = (0, 0, 0, 0)
    """Left, top, right and bottom of the plot."""


def draw(chart: Chart) -> Picture:
    """The picture of a chart.

    Raises:
        ValueError: a series that has not one value for each label, or too many series.
    """
    if len(chart.series) > MOST_SERIES:
        raise ValueError(f"{len(chart.series)} series in one chart, at most {MOST_SERIES}")
    for series in chart.series:
        if len(series.values) != len(chart.labels):
            raise ValueError(
                f"{series.name!r} has {len(series.values)} values for {len(chart.labels)} labels"
            )
    return _bars(chart) if chart.kind == "bars" else _lines(chart)


def ticks(most: float, about: int = 5, whole: bool = False) -> tuple[float, ...]:
    """Round numbers from 0 to at least `most`: steps of 1, 2 or 5 times a power of ten, about so many; `whole`: no
    fractions, for what is counted."""
    if most < 1e-6:
        return (0.0, 1.0)
    rough = most / about
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999_999)
    step = max(1.0, step) if whole else step
    return tuple(round(step * n, 10) for n in range(ceil(round(most / step, 9)) + 1))


def written(value: float | None, unit: str = "") -> str:
    """A number as it stands beside a bar: at most one decimal, an en dash for what is not known."""
    if value is None:
        return "–"
    text = f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:,.1f}"
    return f"{text} {unit}".strip()


def _scale(chart: Chart) -> tuple[float, ...]:
    values = [v for series in chart.series for v in series.values if v is not None]
    most = 100.0 if chart.unit == "%" else max(values, default=0.0)
    return ticks(most, whole=all(v == round(v) for v in values))


def _bars(chart: Chart) -> Picture:
    scale = _scale(chart)
    right = WIDTH - RIGHT
    per = (right - LEFT) / scale[-1]
    group = ROW * max(1, len(chart.series)) + GAP
    bottom = TOP + group * len(chart.labels)
    bars, names = [], []
    for row, label in enumerate(chart.labels):
        top = TOP + row * group + GAP / 2
        names.append(Mark(LEFT - 8, top + ROW * max(1, len(chart.series)) / 2, label))
        for number, series in enumerate(chart.series):
            value = series.values[row]
            width = round(max(0.0, value or 0.0) * per, 2)
            bars.append(Bar(LEFT, top + number * ROW, width, ROW - 3, number + 1, written(value, chart.unit)))
    marks = tuple(Mark(round(LEFT + at * per, 2), bottom + 16, written(at)) for at in scale)
    return Picture(
        chart=chart, width=WIDTH, height=bottom + BOTTOM, bars=tuple(bars), names=tuple(names), ticks=marks,
        plot=(LEFT, TOP, right, bottom),
    )  # fmt: skip


def _lines(chart: Chart) -> Picture:
    scale = _scale(chart)
    left, right, bottom = 50.0, WIDTH - 16, LINES_HEIGHT - BOTTOM
    per = (bottom - TOP) / scale[-1]
    step = (right - left) / max(1, len(chart.labels) - 1)
    lines = []
    for number, series in enumerate(chart.series):
        places = [
            None if v is None else (round(left + n * step, 2), round(bottom - v * per, 2))
            for n, v in enumerate(series.values)
        ]
        lines += [
            Line(" ".join(f"{x:g},{y:g}" for x, y in run), tuple(run), number + 1) for run in _runs(places)
        ]
    every = max(1, ceil(len(chart.labels) / MOST_DATES))
    names = tuple(
        Mark(round(left + n * step, 2), bottom + 16, label)
        for n, label in enumerate(chart.labels)
        if n % every == 0
    )
    marks = tuple(Mark(left - 6, round(bottom - at * per, 2), written(at)) for at in scale)
    return Picture(
        chart=chart, width=WIDTH, height=LINES_HEIGHT, lines=tuple(lines), names=names, ticks=marks,
        plot=(left, TOP, right, bottom),
    )  # fmt: skip


def _runs(places: list[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The stretches without a gap."""
    gaps = [-1, *(n for n, place in enumerate(places) if place is None), len(places)]
    runs = [[p for p in places[a + 1 : b] if p is not None] for a, b in pairwise(gaps)]
    return [run for run in runs if run]
