"""The custody log in pages, its proof, and its checkpoints to take away."""

from datetime import UTC, datetime
from functools import partial

from msgspec import structs

from underwing.casebook import times
from underwing.casebook.custody import KINDS
from underwing.casebook.custody.checkpoints import Checkpoint, line
from underwing.casebook.custody.paging import Wanted, page
from underwing.casebook.people import May
from underwing.casebook.vault import Home
from underwing.server.console.asked import chosen, day, number, text
from underwing.server.console.desk import Desk
from underwing.server.console.proving import Proving
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import NDJSON, Response

DAY = 86_400
MOST_CHECKPOINTS = 100


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages about custody."""
    proving = Proving(lambda: desk.clock())
    site.nav("know", "/console/custody", "custody.nav", May.see_custody, "u")
    site.add("/console/custody", GET=View("custody", partial(log, desk), May.see_custody))
    site.add(
        "/console/custody/proof",
        GET=View("proof", partial(proof, desk, proving), May.see_custody),
        POST=View("prove", partial(prove, desk, proving), May.see_custody),
    )
    site.add(
        "/console/custody/checkpoints",
        GET=View("checkpoints", partial(download, desk), May.see_custody),
        POST=View("checkpoint", partial(sign, desk), May.see_custody),
    )


def _home(desk: Desk) -> Home:
    if desk.home is None:
        raise Problem(503, "custody.none")
    home: Home = desk.home
    return home


async def log(desk: Desk, visit: Visit) -> Response:
    """The records that are asked for, the newest first."""
    home, query = _home(desk), visit.query
    since, until = day(query, "since"), day(query, "until")
    asked = Wanted(
        case=text(query, "case", 200), object=text(query, "object", 200), kind=chosen(query, "kind", KINDS),
        by=text(query, "by", 200), since=_time(since), until=_time(None if until is None else until + DAY),
    )  # fmt: skip
    before = number(query, "before", 1, 2**53)
    found = await visit.work(page, home.database, asked, before)
    names = await visit.work(desk.names)
    kept = {
        name: value
        for name, value in query.items()
        if value and name in (*structs.asdict(asked), "since", "until")
    }
    return render(
        visit, "custody.html.j2", found=found, names=names, kinds=sorted(KINDS), asked=asked, query=query, kept=kept,
    )  # fmt: skip


async def proof(desk: Desk, proving: Proving, visit: Visit) -> Response:
    """Whether the log holds, as far as it was proven, and the checkpoints."""
    home = _home(desk)
    made = await visit.work(lambda: list(home.custody.checkpoints()))
    names = await visit.work(desk.names)
    return render(
        visit, "proof.html.j2", proving=proving, names=names, key=home.custody.public_key, count=len(made),
        checkpoints=[one for one in made[-MOST_CHECKPOINTS:][::-1] if isinstance(one, Checkpoint)],
        damaged=sum(isinstance(one, str) for one in made),
    )  # fmt: skip


async def prove(desk: Desk, proving: Proving, visit: Visit) -> Response:
    """Begin to prove log and vault."""
    home = _home(desk)
    contents = visit.form.get("contents") == "yes"
    await visit.work(desk.audit, visit.member, "log proven", "custody", contents=contents)
    did = "custody.begun" if proving.start(home, visit.member.id, contents) else "custody.runs"
    return visit.redirect("/console/custody/proof", did)


async def sign(desk: Desk, visit: Visit) -> Response:
    """Sign the log as it stands now."""
    home = _home(desk)
    await visit.work(desk.audit, visit.member, "log signed", "custody")
    made = await visit.work(home.custody.checkpoint)
    return visit.redirect("/console/custody/proof", "custody.signed", made.count)


async def download(desk: Desk, visit: Visit) -> Response:
    """The checkpoints as lines of JSON, all or the one that counted `count` records: what is published elsewhere."""
    home, count = _home(desk), number(visit.query, "count", 1, 2**53)
    made = await visit.work(lambda: list(home.custody.checkpoints()))
    lines = [line(one) for one in made if isinstance(one, Checkpoint) and count in (None, one.count)]
    if not lines:
        raise Problem(404, "custody.no_checkpoint")
    name = b'attachment; filename="underwing-checkpoints.ndjson"'
    return Response(b"".join(lines), type=NDJSON, headers=((b"content-disposition", name),))


def _time(epoch: int | None) -> str:
    return "" if epoch is None else times.write(datetime.fromtimestamp(epoch, UTC))
