"""Banks: what is held under which terms, entries found by a hash, switched off and on, and what matched by mistake.

No picture is here, and no list leaves: an entry is shown with the first digits of its hashes only.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TypeVar

from underwing.banks.entries import Agreement, Bank, Entry, EntryHash
from underwing.banks.schema import BankError
from underwing.banks.store import Store
from underwing.casebook.cases import Negative
from underwing.casebook.people import May
from underwing.model import LABELS
from underwing.server.console import holdings
from underwing.server.console.asked import chosen, day, number, text
from underwing.server.console.desk import Desk
from underwing.server.console.render import render
from underwing.server.console.site import Site, View
from underwing.server.console.visit import Problem, Visit
from underwing.server.http import Refusal, Response

R = TypeVar("R")
MOST_MISTAKES = 50
_DID = {
    "disable": ("entry disabled", "banks.disabled"), "enable": ("entry enabled", "banks.enabled"),
    "withdraw": ("entry withdrawn", "banks.withdrawn"),
}  # fmt: skip
ENTRIES = "/console/bank-entries"


def lay(site: Site, desk: Desk) -> None:
    """Lay the pages about banks."""
    see, write, with_desk = May.see_banks, May.write_banks, partial
    site.nav("keep", "/console/banks", "banks.nav", see, "b")
    site.add(
        "/console/banks",
        GET=View("banks", with_desk(overview, desk), see),
        POST=View("make_bank", with_desk(make, desk), write),
    )
    site.add("/console/bank-entries", GET=View("look_up_hash", with_desk(look_up, desk), see))
    site.add("/console/bank-mistakes", POST=View("bank_mistake", with_desk(mistake, desk), write))
    site.add("/console/agreements", POST=View("agreement", with_desk(agreement, desk), write))
    site.add(
        "/console/banks/{bank}",
        GET=View("bank", with_desk(bank, desk), see),
        POST=View("change_bank", with_desk(change, desk), write),
    )
    site.add("/console/banks/{bank}/entries", POST=View("add_entry", with_desk(add, desk), write))
    site.add(
        "/console/bank-entries/{number}",
        GET=View("bank_entry", with_desk(entry, desk), see),
        POST=View("turn_entry", with_desk(turn, desk), write),
    )


async def _do(desk: Desk, work: Callable[[Store], R]) -> R:
    try:
        return await desk.behind.banks().banks(work)
    except BankError as error:
        raise Problem(400, "problem.because", why=str(error)) from None


async def overview(desk: Desk, visit: Visit) -> Response:
    """All banks, the register, and what matched by mistake."""
    found = await _do(desk, holdings.overview)
    mistakes = await visit.work(_mistakes, desk)
    return render(
        visit,
        "banks.html.j2",
        found=found,
        short=holdings.short,
        mistakes=mistakes,
        labels=LABELS,
        now=int(desk.clock()),
    )


def _mistakes(desk: Desk) -> list[Negative]:
    try:
        return list(islice(desk.book.negatives(), MOST_MISTAKES))
    except Refusal:  # without a casebook nobody said what was a mistake
        return []


async def make(desk: Desk, visit: Visit) -> Response:
    """Make an empty bank."""
    form = visit.form
    made = Bank(
        name=text(form, "name", 64, needed=True), label=chosen(form, "label", LABELS) or "blocked",
        negative=form.get("negative") == "yes", agreement=text(form, "agreement", 64) or None, note=text(form, "note"),
    )  # fmt: skip
    await _do(desk, lambda store: store.create_bank(made, by=visit.member.id, now=int(desk.clock())))
    await _note(desk, visit, "bank made", f"bank:{made.name}", "")
    return visit.redirect(f"/console/banks/{made.name}", "banks.made", made.name)


async def bank(desk: Desk, visit: Visit, name: str) -> Response:
    """One bank with its settings."""
    found = await _do(desk, lambda store: holdings.held(store, holdings.known(store, name)))
    return render(visit, "bank.html.j2", held=found, labels=LABELS)


async def change(desk: Desk, visit: Visit, name: str) -> Response:
    """Change thresholds, switch the bank off or on; in effect at once."""
    form = visit.form
    why = text(form, "why", needed=True)
    enabled, distance = form.get("enabled") == "yes", number(form, "distance", 0, 31)
    quality, noted = number(form, "quality", 0, 100), text(form, "note")

    def changed(store: Store) -> bool:
        held = holdings.known(store, name).bank
        store.change_bank(
            holdings.changed(held, enabled=enabled, distance=distance, quality=quality, note=noted)
        )
        return held.enabled

    await _do(desk, changed)
    await _note(desk, visit, "bank changed", f"bank:{name}", why, enabled=enabled)
    return visit.redirect(f"/console/banks/{name}", "banks.changed", name)


async def look_up(desk: Desk, visit: Visit) -> Response:
    """What a hash leads to: entries that match it now, and those that have it and do not match. With a bank and an id, the
    entry itself."""
    if "id" in visit.query:
        bank, id = text(visit.query, "bank", 64, needed=True), text(visit.query, "id", 512, needed=True)
        return visit.redirect(
            f"{ENTRIES}/{await _do(desk, lambda store: holdings.number_of(store, bank, id))}"
        )
    hash = holdings.typed(text(visit.query, "hash", 200, needed=True))
    matches = (await desk.behind.banks().match(holdings.asked(hash))).found.matches
    now, off = await _do(desk, lambda store: holdings.found_by(store, hash, matches))
    begins = f"{hash.kind}:{hash.hash[: holdings.SHORT]}…"
    return render(visit, "bank_hash.html.j2", begins=begins, now_matching=now, off=off)


async def entry(desk: Desk, visit: Visit, number: str) -> Response:
    """One entry, without its hashes."""
    found = await _do(desk, lambda store: holdings.shown(store, number))
    return render(visit, "bank_entry.html.j2", shown=found, id=holdings.short(found.entry.id))


async def add(desk: Desk, visit: Visit, name: str) -> Response:
    """Add an entry by its hash."""
    form = visit.form
    hash, why = holdings.typed(text(form, "hash", 200, needed=True)), text(form, "why", needed=True)
    label = chosen(form, "label", LABELS)
    await _put(desk, visit, name, hash, label, why)
    return visit.redirect(f"/console/banks/{name}", "banks.added", hash.hash[: holdings.SHORT])


async def mistake(desk: Desk, visit: Visit) -> Response:
    """Put what matched by mistake into a negative bank."""
    form = visit.form
    hash, name = holdings.typed(text(form, "hash", 200, needed=True)), text(form, "bank", 64, needed=True)
    if not (await _do(desk, lambda store: holdings.known(store, name))).bank.negative:
        raise Problem(400, "banks.not_negative")
    await _put(desk, visit, name, hash, "false_match", f"case {text(form, 'case', 20)}")
    return visit.redirect("/console/banks", "banks.added", hash.hash[: holdings.SHORT])


async def _put(desk: Desk, visit: Visit, name: str, hash: EntryHash, label: str, why: str) -> None:
    now = int(desk.clock())
    made = Entry(
        id=hash.hash, label=label, hashes=(hash,), scheme="own", source="operator", added_at=now, note=why
    )

    def put(store: Store) -> None:
        holdings.known(store, name)
        if store.entry(name, made.id) is not None:
            raise Problem(409, "banks.there")
        store.put(name, [made], by=visit.member.id, now=now)

    await _do(desk, put)
    await _note(desk, visit, "entry added", f"bank:{name}/{made.id[: holdings.SHORT]}", why)


async def turn(desk: Desk, visit: Visit, number: str) -> Response:
    """Switch an entry off or on, or take it out; in effect at once."""
    do, why = chosen(visit.form, "do", _DID), text(visit.form, "why", needed=True)
    if not do:
        raise Problem(400, "asked.missing", name="do")

    def turned(store: Store) -> tuple[str, int]:
        bank, id = holdings.placed(store, number)
        if do == "enable":
            return bank, store.enable(bank, [id], now=int(desk.clock()))
        return bank, (store.disable if do == "disable" else store.withdraw)(bank, [id])

    bank, count = await _do(desk, turned)
    if not count:
        raise Problem(409, "banks.no_change")
    did, key = _DID[do]
    await _note(desk, visit, did, f"bank:{bank} entry:{number}", why)
    return visit.redirect(f"{ENTRIES}/{number}", key)


async def agreement(desk: Desk, visit: Visit) -> Response:
    """Add an agreement to the register, or renew it."""
    form = visit.form
    made = Agreement(
        name=text(form, "name", 64, needed=True), party=text(form, "party", needed=True), terms=text(form, "terms"),
        expires_at=day(form, "expires"), no_training=form.get("training") != "yes",
    )  # fmt: skip

    def written(store: Store) -> None:
        before = next((a for a in store.agreements() if a.agreement.name == made.name), None)
        store.put_agreement(holdings.renewed(before, made), now=int(desk.clock()))

    await _do(desk, written)
    await _note(desk, visit, "agreement written", f"agreement:{made.name}", "")
    return visit.redirect("/console/banks", "banks.agreed", made.name)


async def _note(desk: Desk, visit: Visit, did: str, about: str, why: str, **facts: bool) -> None:
    told: dict[str, str | bool] = {"why": why, **facts} if why else {**facts}
    await visit.work(partial(desk.audit, visit.member, did, about, **told))
