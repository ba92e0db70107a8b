"""How measures are called and shown to people: one list for the terminal and the page."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Shape = Literal["share", "number", "score"]


class Measure(NamedTuple):
    """A key of `Evaluation.jsonable()`, its name in words, how it is written and what it means."""

    key: str
    name: str
    shape: Shape
    meaning: str


MEASURES = (
    Measure("recall", "Recall", "share", "risk conversations that were warned, the right account named"),
    Measure("precision", "Precision", "share", "warnings that fell on a risk conversation"),
    Measure("f1", "F1", "score", "harmonic mean of precision and recall"),
    Measure("f05", "F0.5", "score", "the same, precision counting double"),
    Measure("warned_before_harm", "Warned before harm", "share", "of the risk conversations that reach harm"),
    Measure(
        "warned_before_demand",
        "Warned before a demand",
        "share",
        "of those with an image request or a threat, warned before the first",
    ),
    Measure(
        "median_delay_messages",
        "Median delay",
        "number",
        "messages from the onset to the warning; negative: warned before the onset",
    ),
    Measure(
        "median_delay_messages_clamped",
        "Median delay, from 0",
        "number",
        "the same, earlier warnings counted as 0",
    ),
    Measure("median_latency_messages", "Median latency", "number", "messages seen when the warning fell"),
    Measure("speed", "Speed", "score", "1 - median penalty, p = ln 3/89; misses do not enter"),
    Measure("f_latency", "F-latency", "score", "F1 x speed"),
    Measure("f_latency_erisk", "F-latency, eRisk", "score", "the same with p = 0.0078"),
    Measure("erde5", "ERDE 5", "score", "early-risk error, 0 is best; depends on the share of risk"),
    Measure("erde50", "ERDE 50", "score", "early-risk error with a later deadline"),
    Measure("safe_alarm_rate", "Safe alarm rate", "share", "safe conversations that were warned"),
    Measure("alarms_per_10000_safe", "Alarms per 10,000 safe", "number", "the same rate, scaled"),
    Measure(
        "alarms_per_10000_safe_upper95",
        "… at most, 95% sure",
        "number",
        "one-sided exact Clopper-Pearson bound",
    ),
)
"""The measures, in the order they are shown."""

SLICES = (("by_kind", "By kind"), ("by_lang", "By language"), ("by_channel", "By channel"))
"""Keys of the sliced measures, with their headings."""

COLUMNS = (
    ("conversations", "Conversations", "number"),
    ("risk", "Risk", "number"),
    ("safe", "Safe", "number"),
    ("recall", "Recall", "share"),
    ("precision", "Precision", "share"),
    ("warned_before_harm", "Before harm", "share"),
    ("median_delay_messages", "Median delay", "number"),
    ("speed", "Speed", "score"),
    ("safe_alarm_rate", "Safe alarms", "share"),
)
"""What the sliced tables show: key, heading, shape."""


def shown(values: Mapping[str, Any], key: str, shape: str) -> str:
    """A value as people read it; a dash where it is not known."""
    value = values.get(key)
    if value is None:
        return "–"
    if shape == "share":
        return f"{value * 100:.2g}%" if 0 < value < 0.01 else f"{value:.1%}"
    if shape == "score":
        return f"{value:.3f}"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1_000 else f"{value:,.1f}"
