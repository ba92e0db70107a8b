"""Hashes become matches: what of a file is in which bank, by which view and at what distance.

Exact hashes (SHA-256, SHA-1, MD5) are looked up in the store. Each view's PDQ is looked for in the index, within the
distance of each bank and label, both hashes being of the bank's quality or better. Entries that silence others (those of
negative banks, and those labelled `false_match`) take away what lies no nearer to the file than they do; an exact hash
lies nearer than any PDQ.

The answer is bounded: `most` entries, the nearest, and how many more hits there are at least.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from underwing.banks.index import Answer
from underwing.banks.lookups import BankState, Hit, Lookups, Numbers, Stamp
from underwing.model import PDQ_BITS, PDQ_DISTANCE, PDQ_QUALITY, HashKind, MediaHashes, MediaMatch, Pdq

MOST = 100
"""Entries in an answer, unless said otherwise."""
ROOM = 256
"""Hits first asked of the index; more are asked for only if these do not fill the answer."""
MOST_HITS = 10_000
"""The most hits that are asked for."""
_EXACT = -1
"""The distance of an exact hash, for the order and for silencing."""


class Index(Protocol):
    """An index of PDQ hashes by number, exact up to `PDQ_DISTANCE`: `underwing.banks.index.Index`, or one like it."""

    def add(self, numbers: Numbers, hashes: NDArray[np.uint8]) -> object:
        """Add n hashes (n × 32 bytes) under their numbers, visible to the next query."""

    def remove(self, numbers: Numbers) -> object:
        """Remove hashes, invisible to the next query; numbers that it does not have are passed over."""

    def query(self, pdq: str, distance: int, limit: int) -> Answer:
        """The `limit` nearest hashes within `distance` bits, and whether there are more."""


class Near(Struct, frozen=True):
    """A hit of one PDQ hash that its bank's thresholds allow: whose hash, in which bank, at what distance."""

    hit: Hit
    bank: str
    distance: int


class Matches(Struct, frozen=True):
    """The matches of a file, nearest first, one an entry.

    `more` is how many further hits there are at least (of one view; several may be of one entry). `silenced_from` is the
    distance of the nearest known false match: what lies no nearer was left out (None: there is no such).
    """

    matches: tuple[MediaMatch, ...] = ()
    more: int = 0
    silenced_from: int | None = None


Clips = Callable[["Matcher", MediaHashes], Iterable[MediaMatch]]
"""What finds known clips in a file's frames, by `Matcher.near`."""


class Matcher:
    """Matches against the banks as they are at the moment of each query. One thread uses it at a time.

    `position` is the number of the last change that the index already holds (of a snapshot), 0 for an empty index.
    """

    def __init__(
        self,
        lookups: Lookups,
        index: Index,
        *,
        position: int = 0,
        most: int = MOST,
        clips: Clips | None = None,
    ) -> None:
        self.position = position
        self._lookups = lookups
        self._index = index
        self._most = most
        self._clips = clips
        self._stamp: Stamp | None = None
        self._banks: dict[int, BankState] = {}
        self._false_banks: frozenset[int] | None = None
        self._false: Numbers = np.empty(0, np.int64)
        self._widest = PDQ_DISTANCE
        self._lowest = PDQ_QUALITY

    def follow(self) -> None:
        """Take in what changed in the store since the last query; a microsecond where nothing did."""
        stamp = self._lookups.stamp()
        if stamp == self._stamp:
            return
        with self._lookups.snapshot():
            self._banks = {state.number: state for state in self._lookups.banks()}
            matching = [state.bank for state in self._banks.values() if state.matches]
            own = [
                d
                for bank in matching
                for d in (bank.distance, *bank.label_distance.values())
                if d is not None
            ]
            usual = [PDQ_DISTANCE] if any(bank.distance is None for bank in matching) else []
            self._widest = max(own + usual, default=0)
            self._lowest = min(
                (PDQ_QUALITY if bank.quality is None else bank.quality for bank in matching),
                default=PDQ_QUALITY,
            )
            false_banks = frozenset(n for n, state in self._banks.items() if state.bank.negative)
            until = self._lookups.last_change()
            for change in self._lookups.changes(self.position, until):
                if change.hashes is None:
                    self._index.remove(change.numbers)
                    self._false = (
                        np.setdiff1d(self._false, change.numbers) if len(self._false) else self._false
                    )
                else:
                    self._index.add(change.numbers, change.hashes)
                    self._false = np.union1d(self._false, change.false) if len(change.false) else self._false
            self.position = until
            if false_banks != self._false_banks:
                self._false = np.sort(self._lookups.false_numbers(false_banks))
                self._false_banks = false_banks
        self._stamp = stamp

    def settled(self) -> bool:
        """Whether nothing has changed in the store since the last query, so that `follow` has nothing to take in."""
        return self._lookups.stamp() == self._stamp

    def match(self, hashes: MediaHashes) -> Matches:
        """What the file is in the banks."""
        return self.match_hashes(
            [("sha256", hashes.sha256), ("sha1", hashes.sha1), ("md5", hashes.md5)],
            [(view.how, view.pdq) for view in hashes.views],
            hashes,
        )

    def match_hashes(
        self,
        exact: Iterable[tuple[HashKind, str]],
        views: Iterable[tuple[str, Pdq]],
        hashes: MediaHashes | None = None,
    ) -> Matches:
        """As `match`, for those who only have some of the hashes: exact ones, and views' by their `how`."""
        self.follow()
        best: dict[tuple[str, str], tuple[int, MediaMatch]] = {}
        silence, more = PDQ_BITS + 1, 0
        for hit in self._lookups.exact(exact, self._most * 10):
            state = self._banks.get(hit.bank)
            if state is None or not state.matches:
                continue
            if _silences(hit, state):
                silence = _EXACT
            else:
                self._keep(best, _EXACT, self._found(hit, state.bank.name, 0, "plain"))
        for how, pdq in views:
            near, false_at, left = self._search(pdq)
            silence, more = min(silence, false_at), max(more, left)
            for found in near:
                view = how if found.hit.how == "plain" else f"{how}/{found.hit.how}"
                self._keep(best, found.distance, self._found(found.hit, found.bank, found.distance, view))
        if self._clips is not None and hashes is not None and hashes.frames:
            for match in self._clips(self, hashes):
                self._keep(best, match.distance, match)
        loud = sorted((d, m.bank, m.entry) for d, m in best.values() if d < silence)
        kept = tuple(best[bank, entry][1] for _, bank, entry in loud[: self._most])
        return Matches(kept, more + len(loud) - len(kept), None if silence > PDQ_BITS else max(0, silence))

    def near(self, pdq: Pdq, most_hits: int = MOST_HITS) -> tuple[Near, ...]:
        """The hits of one PDQ hash (a frame's) that its bank allows and no false match silences, nearest first.

        Looks at the banks as they were at the last `follow` or `match`, and at no more than about `most_hits` hits.
        """
        near, false_at, _ = self._search(pdq, most_hits)
        return tuple(found for found in near if found.distance < false_at)

    def seconds_of(self, bank: int, entry: str) -> tuple[float, ...]:
        """The seconds of a banked video's usable frames, by its bank's number."""
        state = self._banks.get(bank)
        quality = state.bank.quality if state is not None else None
        return self._lookups.seconds(bank, entry, PDQ_QUALITY if quality is None else quality)

    def _search(self, pdq: Pdq, most_hits: int = MOST_HITS) -> tuple[list[Near], int, int]:
        """(hits of at most `most` entries that their banks allow, distance of the nearest false match, hits left)."""
        nothing = PDQ_BITS + 1
        if pdq.quality < self._lowest:
            return [], nothing, 0
        answer = self._index.query(pdq.hash, self._widest, ROOM)
        if answer.more:
            answer = self._index.query(pdq.hash, self._widest, MOST_HITS)
        false_at = self._nearest_false(answer.near, pdq.quality) if len(self._false) else nothing
        nearer = [hit for hit in answer.near if hit[1] < false_at]
        near: list[Near] = []
        entries: set[tuple[int, str]] = set()
        looked = 0
        while looked < min(len(nearer), most_hits) and len(entries) < self._most:
            for allowed in self._allowed(nearer[looked : looked + ROOM], pdq.quality):
                if not _silences(allowed.hit, self._banks[allowed.hit.bank]):
                    near.append(allowed)
                    entries.add((allowed.hit.bank, allowed.hit.entry))
            looked = min(looked + ROOM, len(nearer))
        beyond = answer.more and len(nearer) == len(answer.near)
        return near, false_at, len(nearer) - looked + int(beyond)

    def _nearest_false(self, near: list[tuple[int, int]], quality: int) -> int:
        """The distance of the nearest hit that silences others, beyond every distance where there is none."""
        numbers = np.array([number for number, _ in near], np.int64)
        places = np.flatnonzero(np.isin(numbers, self._false)).tolist()
        for start in range(0, len(places), ROOM):
            for allowed in self._allowed([near[place] for place in places[start : start + ROOM]], quality):
                return allowed.distance
        return PDQ_BITS + 1

    def _allowed(self, near: list[tuple[int, int]], quality: int) -> list[Near]:
        """Those of the hits whose banks match now, at this distance and these qualities; in their order."""
        hits = self._lookups.hits([number for number, _ in near])
        allowed = []
        for number, distance in near:
            hit = hits.get(number)
            state = self._banks.get(hit.bank) if hit is not None else None
            if hit is None or state is None or not state.matches:
                continue
            bank = state.bank
            usual = PDQ_DISTANCE if bank.distance is None else bank.distance
            least = PDQ_QUALITY if bank.quality is None else bank.quality
            if distance <= bank.label_distance.get(hit.label, usual) and min(quality, hit.quality) >= least:
                allowed.append(Near(hit, bank.name, distance))
        return allowed

    @staticmethod
    def _found(hit: Hit, bank: str, distance: int, how: str) -> MediaMatch:
        return MediaMatch(
            bank=bank, entry=hit.entry, label=hit.label, signal=hit.kind, distance=distance, how=how
        )

    @staticmethod
    def _keep(best: dict[tuple[str, str], tuple[int, MediaMatch]], distance: int, match: MediaMatch) -> None:
        key = match.bank, match.entry
        if key not in best or distance < best[key][0]:
            best[key] = distance, match


def _silences(hit: Hit, state: BankState) -> bool:
    return state.bank.negative or hit.label == "false_match"
