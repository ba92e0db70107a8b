"""Insights: how early, how soon, how often right, as charts with their numbers. About the work, never about one person."""

from datetime import UTC, datetime
from functools import partial

from msgspec import Struct

from underwing.casebook.appeals import Figures as Sums
from underwing.casebook.insights import Confirmed, Prompt, alarms, by_language, early, prompt, share
from underwing.casebook.people import May
from underwing.server.console.asked import number
from underwing.server.console.charts import Chart, Picture, Series, draw
from underwing.server.console.desk import Desk
from underwing.server.console.figures import DAY, SPANS, Figures, Kept
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Visit
from underwing.server.console.words import say
from underwing.server.http import Response

MOST_ENTRIES = 25
"""Entries of packs in the chart; the packs' own page has them all."""
LEAST_TOLD = 5
"""A share of fewer than so many cases is not drawn: it would say nothing."""


class Share(Struct, frozen=True, kw_only=True):
    """How often alarms of one kind were right, with its 95 % interval in per cent (None: of too few)."""

    name: str
    cases: int
    told: int
    harm: int
    percent: float | None
    low: float | None
    high: float | None


def lay(site: Site, desk: Desk) -> None:
    """Lay the page."""
    site.nav("know", "/console/insights", "insights.nav", May.see_insights, "i")
    site.add(
        "/console/insights",
        GET=View("insights", partial(insights, desk, Kept(lambda: desk.clock())), May.see_insights),
    )


async def insights(desk: Desk, kept: Kept, visit: Visit) -> Response:
    """The charts of the last days."""
    span = number(visit.query, "days", 1, SPANS[-1]) or 30
    span = min((s for s in SPANS if s >= span), default=SPANS[-1])
    figures = await kept.get(desk.database, span)
    languages = await desk.engine(lambda runner: tuple(runner.engine.packs.languages))
    t = partial(say, visit.language)
    shares = [told(one) for one in by_language(figures.decided, languages)]
    entries = [told(one) for one in alarms(figures.decided)[:MOST_ENTRIES]]
    soon = prompt(figures.decided)
    sums = await visit.work(_appealed, desk, span)
    return render(
        visit, "insights.html.j2", figures=figures, spans=SPANS, per_day=per_day(figures, t), soon=soon,
        taken=in_time(soon, t), ahead=early(figures.decided), before=before(figures, t),
        languages=shares, by_language=shown(shares, t("insights.languages"), t), entries=entries,
        by_entry=shown(entries, t("insights.entries"), t), turned=turned(figures, sums, t),
    )  # fmt: skip


def told(one: Confirmed) -> Share:
    """A share with its interval; none where it is of too few."""
    found = share(one.harm, one.told) if one.told >= LEAST_TOLD else None
    percent, low, high = found or (None, None, None)
    return Share(
        name=one.name, cases=one.cases, told=one.told, harm=one.harm, percent=percent, low=low, high=high
    )


def per_day(figures: Figures, t: "partial[str]") -> Picture:
    """Cases opened and closed on each day."""
    labels = tuple(datetime.fromtimestamp(day.day * DAY, UTC).strftime("%m-%d") for day in figures.days)
    series = (
        Series(t("insights.opened"), tuple(float(day.opened) for day in figures.days)),
        Series(t("insights.closed"), tuple(float(day.closed) for day in figures.days)),
    )
    return draw(Chart(title=t("insights.per_day"), labels=labels, series=series, kind="lines"))


def in_time(soon: list[Prompt], t: "partial[str]") -> Picture:
    """The share of cases that were taken before their clock ran out, by priority."""
    labels = tuple(t(f"signs.priority.{one.priority.name}") for one in soon)
    values = tuple(100 * one.in_time / one.taken if one.taken >= LEAST_TOLD else None for one in soon)
    return draw(
        Chart(
            title=t("insights.in_time"),
            labels=labels,
            series=(Series(t("insights.share"), values),),
            unit="%",
        )
    )


def before(figures: Figures, t: "partial[str]") -> Picture:
    """Cases of harm, by whether the first alarm came before it had begun."""
    found = early(figures.decided)
    labels = (t("insights.before"), t("insights.at_once"), t("insights.never"))
    values = (float(found.before), float(found.at_once), float(found.never))
    return draw(
        Chart(title=t("insights.early"), labels=labels, series=(Series(t("insights.cases"), values),))
    )


def _appealed(desk: Desk, span: int) -> Sums | None:
    """What became of the appeals filed in these days; None where there are none to speak of."""
    now = int(desk.clock())
    return None if desk.appeals is None else desk.appeals.figures(now - span * DAY, now + 1)


def turned(figures: Figures, sums: Sums | None, t: "partial[str]") -> Picture:
    """Decisions that did not stand: opened again, or changed after an appeal."""
    found, none = figures.overturned, sums or Sums()
    counted = (
        ("insights.decisions", found.closed), ("insights.by_people", found.by_people),
        ("insights.by_news", found.by_news), ("insights.appeals", none.upheld + none.partly + none.reversed),
        ("insights.appeals_reversed", none.reversed), ("insights.appeals_partly", none.partly),
        ("appeals.sum_alone", none.alone),
    )  # fmt: skip
    series = Series(t("insights.counted"), tuple(float(count) for _, count in counted))
    return draw(
        Chart(title=t("insights.overturned"), labels=tuple(t(key) for key, _ in counted), series=(series,))
    )


def shown(shares: list[Share], title: str, t: "partial[str]") -> Picture:
    """Alarms as shares confirmed."""
    labels = tuple(one.name or t("insights.no_language") for one in shares)
    values = tuple(one.percent for one in shares)
    return draw(
        Chart(title=title, labels=labels, series=(Series(t("insights.confirmed"), values),), unit="%")
    )
