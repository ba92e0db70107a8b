"""What the pages about banks show: banks with counts, one entry without its hashes, what a hash leads to."""

from collections.abc import Iterable, Iterator

from msgspec import Struct, structs

from underwing.banks.entries import Agreement, Bank, Entry, EntryHash
from underwing.banks.holdings import BYTES
from underwing.banks.lookups import BankState
from underwing.banks.store import AgreementState, Store
from underwing.model import (
    HASH_KINDS,
    PDQ_DISTANCE,
    PDQ_QUALITY,
    HashKind,
    MediaHashes,
    MediaMatch,
    Pdq,
    View,
)
from underwing.server.console.visit import Problem

SHORT = 8
"""Digits of a hash that are shown: enough to recognise it, too few to pass the list on."""
_BY_LENGTH: dict[int, HashKind] = {32: "md5", 40: "sha1"}


class Held(Struct, frozen=True, kw_only=True):
    """A bank, its entries by status, and the thresholds that hold (the usual ones where it has none)."""

    state: BankState
    active: int
    disabled: int
    withdrawn: int
    distance: int
    quality: int


class Overview(Struct, frozen=True, kw_only=True):
    """All banks and the agreements register."""

    banks: tuple[Held, ...]
    agreements: tuple[AgreementState, ...]


class Found(Struct, frozen=True):
    """An entry that a hash leads to: its number, its bank, what may be shown of its id, its label, how far it is."""

    number: int
    bank: str
    entry: str
    label: str
    distance: int | None
    status: str = "active"


class Shown(Struct, frozen=True, kw_only=True):
    """An entry as it may be shown: how many hashes of each kind, their first digits, never the hashes."""

    bank: str
    entry: Entry
    kinds: tuple[tuple[str, int], ...]
    begins: tuple[str, ...]


def overview(store: Store) -> Overview:
    """Every bank with its counts, and the register."""
    return Overview(banks=tuple(held(store, s) for s in store.banks()), agreements=store.agreements())


def held(store: Store, state: BankState) -> Held:
    """One bank with its counts."""
    counts, bank = store.count(state.bank.name), state.bank
    return Held(
        state=state, active=counts["active"], disabled=counts["disabled"], withdrawn=counts["withdrawn"],
        distance=PDQ_DISTANCE if bank.distance is None else bank.distance,
        quality=PDQ_QUALITY if bank.quality is None else bank.quality,
    )  # fmt: skip


def known(store: Store, name: str) -> BankState:
    """A bank by its name.

    Raises:
        Problem: 404.
    """
    for state in store.banks():
        if state.bank.name == name:
            return state
    raise Problem(404, "banks.no_bank")


def placed(store: Store, number: str) -> tuple[str, str]:
    """(bank, id) of the entry of a number: pages name entries by it, as ids of lists are often their hashes.

    Raises:
        Problem: 404.
    """
    found = (
        store.lookups.numbered(int(number))
        if number.isascii() and number.isdigit() and len(number) < 16
        else None
    )
    if found is None:
        raise Problem(404, "banks.no_entry")
    return found


def number_of(store: Store, bank: str, id: str) -> int:
    """The number of an entry.

    Raises:
        Problem: 404.
    """
    found = store.lookups.numbers([(bank, id)]).get((bank, id))
    if found is None:
        raise Problem(404, "banks.no_entry")
    return found


def short(id: str) -> str:
    """An entry's id as it may be shown: one that looks like a hash by its first digits only."""
    looks = len(id) >= 32 and all(c in "0123456789abcdefABCDEF" for c in id)
    return f"{id[:SHORT]}…" if looks else id


def shown(store: Store, number: str) -> Shown:
    """An entry by its number.

    Raises:
        Problem: 404.
    """
    bank, id = placed(store, number)
    entry = store.entry(bank, id)
    if entry is None:
        raise Problem(404, "banks.no_entry")
    kinds = tuple((kind, n) for kind in HASH_KINDS if (n := sum(h.kind == kind for h in entry.hashes)))
    begins = tuple(f"{h.kind}:{h.hash[:SHORT]}…" for h in _first_of_each(entry.hashes))
    return Shown(bank=bank, entry=structs.replace(entry, hashes=()), kinds=kinds, begins=begins)


def _first_of_each(hashes: tuple[EntryHash, ...]) -> Iterator[EntryHash]:
    seen: set[str] = set()
    for one in hashes:
        if one.kind not in seen:
            seen.add(one.kind)
            yield one


def typed(given: str) -> EntryHash:
    """A hash that somebody typed: `pdq:…`, `sha256:…`; MD5 and SHA-1 are known by their length too.

    Raises:
        Problem: 400, it is none.
    """
    kind, _, digits = given.strip().lower().rpartition(":")
    found = next((k for k in HASH_KINDS if k == kind), None) or (
        None if kind else _BY_LENGTH.get(len(digits))
    )
    if found is None:
        raise Problem(400, "banks.which_hash")
    if len(digits) != 2 * BYTES[found] or any(c not in "0123456789abcdef" for c in digits):
        raise Problem(400, "banks.no_hash", kind=found, digits=2 * BYTES[found])
    return EntryHash(found, digits)


def asked(hash: EntryHash) -> MediaHashes:
    """A hash as what a file with it would be asked for."""
    kind, digits = hash.kind, hash.hash
    return MediaHashes(
        sha256=digits if kind == "sha256" else "", sha1=digits if kind == "sha1" else "",
        md5=digits if kind == "md5" else "", size=0,
        views=(View("plain", Pdq(digits, 100)),) if kind == "pdq" else (),
    )  # fmt: skip


def found_by(store: Store, hash: EntryHash, matches: Iterable[MediaMatch]) -> tuple[list[Found], list[Found]]:
    """(what matches a hash now, what has this very hash and does not match), as a page links to them."""
    matched = {(m.bank, m.entry): m for m in matches}
    held = () if hash.kind == "pdq" else store.lookups.holders(hash.kind, hash.hash)
    others = {(h.bank, h.entry): h for h in held if (h.bank, h.entry) not in matched}
    numbers = store.lookups.numbers([*matched, *others])
    now = [
        Found(numbers[k], k[0], short(k[1]), m.label, m.distance) for k, m in matched.items() if k in numbers
    ]
    off = [Found(numbers[k], k[0], short(k[1]), h.label, None, h.status) for k, h in others.items()]
    return now, off


def changed(bank: Bank, *, enabled: bool, distance: int | None, quality: int | None, note: str) -> Bank:
    """A bank with other settings."""
    return structs.replace(bank, enabled=enabled, distance=distance, quality=quality, note=note)


def renewed(held: AgreementState | None, agreement: Agreement) -> Agreement:
    """An agreement as it is written anew; what the form does not ask for stays."""
    if held is None:
        return agreement
    return structs.replace(agreement, uses=agreement.uses or held.agreement.uses)
