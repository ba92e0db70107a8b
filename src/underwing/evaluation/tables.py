"""An evaluation as tables in a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from underwing.evaluation.result import Evaluation
from underwing.evaluation.wording import COLUMNS, MEASURES, SLICES, shown

_MOST_IDS = 20


def print_evaluation(evaluation: Evaluation, console: Console) -> None:
    """Print all measures, the slices, and the ids of what was missed or wrongly warned (never a text)."""
    values = evaluation.jsonable()
    head = Table(title=_title(values), title_justify="left", show_header=False)
    head.add_column("measure", style="bold")
    head.add_column("value", justify="right")
    head.add_column("meaning", style="dim")
    for measure in MEASURES:
        head.add_row(measure.name, shown(values, measure.key, measure.shape), measure.meaning)
    for share, found in values["precision_at_prevalence"].items():
        text = f"{shown(found, 'estimate', 'share')} (≥ {shown(found, 'at_upper95_alarm_rate', 'share')})"
        head.add_row(f"Precision at {share}", text, "where that share is risk (≥: at the 95% bound)")
    speed = shown(values, "messages_per_cpu_second", "number")
    head.add_row("Messages a CPU-second", speed, "process time spent judging")
    console.print(head)
    for key, title in SLICES:
        console.print(_slices(title, values[key]))
    for key, title in (
        ("missed", "Missed"),
        ("false_alarms", "False alarms"),
        ("wrong_account", "Warned, but the wrong account named"),
    ):
        console.print(_ids(title, values[key]))


def _title(values: dict[str, Any]) -> str:
    parts = [f"{values[key]:,} {key}" for key in ("conversations", "risk", "safe")]
    return ", ".join(parts + ([f"{values['unlabelled']:,} unlabelled"] if values["unlabelled"] else []))


def _slices(title: str, rows: dict[str, dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for _, heading, _ in COLUMNS:
        table.add_column(heading, justify="right")
    for name, values in rows.items():
        table.add_row(Text(name), *(shown(values, key, shape) for key, _, shape in COLUMNS))
    return table


def _ids(title: str, ids: list[str]) -> Text:
    text = Text(f"{title} ({len(ids)}): ", style="bold")
    more = f" … and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else ""
    return text.append(", ".join(ids[:_MOST_IDS]) + more if ids else "none", style="not bold")
