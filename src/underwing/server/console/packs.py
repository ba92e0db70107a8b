"""Signal packs: their entries with sources, and how often each alarmed and was confirmed."""

from functools import partial

from msgspec import Struct

from underwing.casebook.insights import Confirmed, alarms
from underwing.casebook.people import May
from underwing.model import SPEAKER_STAGES, STAGES
from underwing.packs import Packs
from underwing.server.console.asked import chosen
from underwing.server.console.desk import Desk
from underwing.server.console.figures import SPANS, Kept
from underwing.server.console.insights import Share, told
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Visit
from underwing.server.http import Refusal, Response
from underwing.text.entries import Entry

STAGES_OF_PACKS = (*STAGES, *SPEAKER_STAGES)


class Listed(Struct, frozen=True):
    """An entry, the full words of its source, and how often it was part of an alarm that was decided on."""

    entry: Entry
    source: str
    share: Share | None


def lay(site: Site, desk: Desk) -> None:
    """Lay the page."""
    site.add(
        "/console/packs",
        GET=View("packs", partial(packs, desk, Kept(lambda: desk.clock())), May.see_policies),
    )


async def packs(desk: Desk, kept: Kept, visit: Visit) -> Response:
    """The entries of one language, or of one stage in it; the engine's packs never change while it runs."""
    held: Packs = await desk.engine(lambda runner: runner.engine.packs)
    language = chosen(visit.query, "language", held.languages) or held.languages[0]
    stage = chosen(visit.query, "stage", STAGES_OF_PACKS)
    span = SPANS[-1]
    try:
        counted = alarms((await kept.get(desk.database, span)).decided)
    except Refusal:  # without a casebook nothing was decided
        counted = []
    return render(
        visit, "packs.html.j2", languages=held.languages, language=language, stages=STAGES_OF_PACKS, stage=stage,
        version=held.version, entries=listed(held, language, stage, counted), span=span,
    )  # fmt: skip


def listed(packs: Packs, language: str, stage: str, counted: list[Confirmed]) -> list[Listed]:
    """Entries of a language, those that alarmed most first, then by their ids."""
    shares = {one.name: told(one) for one in counted}
    found = [
        Listed(entry, packs.sources.get(entry.source, entry.source), shares.get(entry.id))
        for entry in packs.entries
        if entry.lang == language and stage in ("", entry.stage)
    ]
    return sorted(found, key=lambda one: (-(one.share.cases if one.share else 0), one.entry.id))
