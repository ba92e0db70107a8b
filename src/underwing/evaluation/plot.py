"""Warnings against time, as a picture. Needs matplotlib (`plot` extra); the numbers behind it do not.

Left, for risk conversations whose onset is labelled: the share warned by each message since the onset
(0 = at the onset, negative = before it), the same for harm reached, and a tick where each harm fell.
Right, for safe conversations: the share warned by each message since the start.
"""

import io
import re
from collections.abc import Sequence
from importlib import import_module
from os import PathLike, fspath
from pathlib import PurePath
from typing import Any

from msgspec import Struct

from underwing.evaluation.result import Evaluation, Outcome

_WARNED, _HARM, _SAFE = "#2b8a8a", "#c2572b", "#7a62b8"
_INK = "#010203"
_INKED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")


class PlotError(RuntimeError):
    """A plot that cannot be drawn; says what to do."""


class Curves(Struct, frozen=True):
    """Step curves as (message, cumulative share) points, in order; shares are of all conversations meant.

    `warned` and `harmed` count messages from the onset, `alarmed` from the conversation's first (0).
    `harms` are the places of harm, from the onset.
    """

    warned: tuple[tuple[int, float], ...]
    harmed: tuple[tuple[int, float], ...]
    alarmed: tuple[tuple[int, float], ...]
    harms: tuple[int, ...]
    risk: int
    safe: int


def curves(outcomes: Sequence[Outcome]) -> Curves:
    """The curves of some outcomes. Risk conversations without a labelled onset are left out."""
    risk = [(one, one.onset) for one in outcomes if one.label == "risk" and one.onset is not None]
    safe = [one for one in outcomes if one.label == "safe"]
    harms = sorted(one.harm - onset for one, onset in risk if one.harm is not None)
    return Curves(
        warned=_cumulative([one.warned - onset for one, onset in risk if one.warned is not None], len(risk)),
        harmed=_cumulative(harms, len(risk)),
        alarmed=_cumulative([one.warned for one in safe if one.warned is not None], len(safe)),
        harms=tuple(harms),
        risk=len(risk),
        safe=len(safe),
    )


def write_plot(evaluation: Evaluation, path: str | PathLike[str]) -> None:
    """Write the picture to a `.png` or `.svg` file.

    Raises:
        PlotError: another ending, or matplotlib is missing.
        OSError: the file cannot be written.
    """
    ending = PurePath(fspath(path)).suffix.lower()
    if ending not in (".png", ".svg"):
        raise PlotError(f"a plot is written as .png or .svg, not as {ending or 'a file without an ending'}")
    data = svg(evaluation).encode() if ending == ".svg" else _drawn(evaluation, "png", "white")
    with open(path, "wb") as file:
        file.write(data)


def svg(evaluation: Evaluation, *, ink: str = "#222") -> str:
    """The picture as one SVG element. `ink` colours text and axes (`currentColor` follows a page's).

    Raises:
        PlotError: matplotlib is missing.
    """
    drawn = _drawn(evaluation, "svg", "none").decode()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    return drawn.replace(_INK, ink).strip() + "\n"


def _cumulative(at: Sequence[int], total: int) -> tuple[tuple[int, float], ...]:
    ordered = sorted(at)
    last = {place: (count + 1) / total for count, place in enumerate(ordered)}
    return tuple(last.items())


def _drawn(evaluation: Evaluation, kind: str, paper: str) -> bytes:
    try:
        matplotlib = import_module("matplotlib")
        figures = import_module("matplotlib.figure")
    except ImportError:
        raise PlotError("plots need matplotlib: install the extra, `underwing[plot]`") from None
    data = curves(evaluation.outcomes)
    style = {
        "svg.fonttype": "none",
        "svg.hashsalt": "underwing",
        "font.family": "sans-serif",
        **dict.fromkeys(_INKED, _INK),
    }
    out = io.BytesIO()
    with matplotlib.rc_context(style):
        figure = figures.Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        _risk_axes(left, data)
        _safe_axes(right, data)
        dated = {"Date": None} if kind == "svg" else {}
        figure.savefig(out, format=kind, facecolor=paper, dpi=150, metadata=dated)
    return out.getvalue()


def _risk_axes(axes: Any, data: Curves) -> None:
    ends = [place for place, _ in data.warned + data.harmed] + [0]
    low, high = min(ends) - 1, max(ends) + 1
    _steps(axes, data.warned, low, high, color=_WARNED, linestyle="-", label="warned")
    _steps(axes, data.harmed, low, high, color=_HARM, linestyle="--", label="harm reached")
    axes.axvline(0, color=_INK, linewidth=1, linestyle=":", label="onset")
    axes.plot(data.harms, [0.015] * len(data.harms), "|", color=_HARM, markersize=9, label="each harm")
    axes.set(xlabel="messages since onset", ylabel="share of conversations", ylim=(0, 1.02), xlim=(low, high))
    axes.set_title(f"{data.risk} risk conversations")
    axes.legend(loc="best", frameon=False)
    _quiet(axes)


def _safe_axes(axes: Any, data: Curves) -> None:
    high = max([place for place, _ in data.alarmed] + [10]) + 1
    _steps(axes, data.alarmed, 0, high, color=_SAFE, linestyle="-.", label="warned")
    axes.set(xlabel="messages since the start", xlim=(0, high))
    axes.set_title(f"{data.safe} safe conversations")
    axes.legend(loc="best", frameon=False)
    _quiet(axes)


def _steps(axes: Any, points: Sequence[tuple[int, float]], low: int, high: int, **style: Any) -> None:
    last = points[-1][1] if points else 0.0
    xs, ys = [low, *(x for x, _ in points), high], [0.0, *(y for _, y in points), last]
    axes.step(xs, ys, where="post", linewidth=2, **style)


def _quiet(axes: Any) -> None:
    axes.patch.set_alpha(0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.2, color=_INK)
