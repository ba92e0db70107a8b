"""The parts of matching put together over one store: exact hashes, PDQ by the index, and clips in videos.

Each process has its own `Checker`. It follows the store: what any process of the machine changes counts at the next look.
"""

import glob
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from underwing.banks.index import Answer, Index, SnapshotError
from underwing.banks.lookups import Lookups, Numbers, Stamp
from underwing.banks.matching import MOST, Matcher, Matches
from underwing.banks.store import Store
from underwing.banks.videos import known_in_video, near_known
from underwing.media.decode import DRAFT_MARGIN, FULL
from underwing.media.orders import Order
from underwing.media.video import CONFIRMED, KEYFRAMES
from underwing.model import PDQ_DISTANCE, MediaHashes

WORTH_KEEPING = 100_000
"""A snapshot is written when so many hashes had to be read that the last one did not hold: about half a second's work."""

_FAR = 64
"""Hashes of which it is remembered that nothing is near: those of one file, mostly."""


class Checker:
    """Whether files are in the banks of a store. One thread uses it at a time."""

    def __init__(self, store: Store, *, most: int = MOST, beside: Path | None = None) -> None:
        """`beside` is the file of the banks: a snapshot of the index is kept beside it, so that the next start is quick."""
        self._store = store
        index, position = kept_index(store.lookups, beside) if beside is not None else (None, 0)
        self._index = FollowingIndex(index)
        self._matcher = Matcher(
            store.lookups, self._index, position=position, most=most, clips=known_in_video
        )
        if beside is not None and self._load() >= WORTH_KEEPING:
            self._index.keep(store.lookups, self._matcher.position, beside)
        self._stamp: Stamp | None = None
        self._fingerprint = ""

    def _load(self) -> int:
        """Take in what the index does not hold yet; returns how many hashes came."""
        self._matcher.follow()
        return self._index.came

    def settled(self) -> bool:
        """Whether the next look has nothing to take in from the store first, which may take long."""
        return self._matcher.settled()

    def match(self, hashes: MediaHashes) -> Matches:
        """What the file is in the banks as they are now."""
        return self._matcher.match(hashes)

    def second_look(self, hashes: MediaHashes) -> Order | None:
        """What must be looked at again before the matches of a file count; the verdict is always the full decode's.

        A picture that was decoded at a reduced scale is decoded in full when anything banked lies so near that the full
        decode could match, or its distance be another. Of a long video that was looked at by its keyframes, the seconds
        around those that came near anything banked are looked at. What comes of it is for `media.orders.joined`.
        """
        self._matcher.follow()
        if hashes.profile in (KEYFRAMES, CONFIRMED):
            windows = near_known(self._matcher, hashes)
            return Order("closer", windows) if windows else None
        if hashes.profile == FULL or not hashes.views:
            return None
        views = [view.pdq.hash for view in hashes.views]
        return Order("full") if self._index.any_near(views, PDQ_DISTANCE + DRAFT_MARGIN) else None

    def fingerprint(self) -> str:
        """Says which state of the banks an answer is of: the same one exactly if nothing that may match has changed."""
        stamp = self._store.lookups.stamp()
        if stamp != self._stamp:
            with self._store.lookups.snapshot():
                last = self._store.lookups.last_change()
                states = [(s.number, s.bank, s.why_not, s.created_at) for s in self._store.lookups.banks()]
            self._fingerprint = sha256(msgspec.json.encode([last, states])).hexdigest()[:32]
            self._stamp = stamp
        return self._fingerprint


class FollowingIndex:
    """The index as a `Matcher` drives it. What comes before the first query is put into buckets at once."""

    def __init__(self, index: Index | None = None) -> None:
        self._index = index
        self.came = 0
        """Hashes that were added."""
        self._waiting: list[tuple[Numbers, NDArray[np.uint8]]] = []
        self._far: dict[str, int] = {}
        """Hashes that were just looked for, and the distance within which nothing lies: no need to look again."""

    def add(self, numbers: Numbers, hashes: NDArray[np.uint8]) -> None:
        """Add n hashes (n × 32 bytes) under their numbers."""
        self._far.clear()
        self.came += len(numbers)
        if self._index is None:
            self._waiting.append((numbers, hashes))
            return
        self._index.add(numbers, hashes)
        if self._index.merge_due:
            self._index.merge()

    def remove(self, numbers: Numbers) -> None:
        """Remove hashes; unknown numbers are passed over."""
        if self._index is None:
            left = [(known, ~np.isin(known, numbers), hashes) for known, hashes in self._waiting]
            self._waiting = [(known[stay], hashes[stay]) for known, stay, hashes in left]
            return
        self._index.remove(numbers)

    def query(self, pdq: str, distance: int, limit: int) -> Answer:
        """The `limit` nearest hashes within `distance` bits."""
        if self._far.get(pdq, -1) >= distance:
            return Answer([], False)
        return self._built().query(pdq, distance, limit)

    def any_near(self, hashes: list[str], distance: int) -> bool:
        """Whether anything lies within `distance` bits of one of these hashes."""
        if self._built().any_near(hashes, distance):
            return True
        if len(self._far) + len(hashes) > _FAR:
            self._far.clear()
        self._far.update(dict.fromkeys(hashes, distance))
        return False

    def keep(self, lookups: Lookups, position: int, beside: Path) -> None:
        """Write a snapshot as of this change, in the place of older ones; where that cannot be done, nothing happens."""
        path = beside.with_name(f"{beside.name}.index-{lookups.mark(position)}")
        with suppress(OSError):
            self._built().save(path, position)
            for other in beside.parent.glob(f"{glob.escape(beside.name)}.index-*"):
                if other != path:
                    other.unlink()

    def _built(self) -> Index:
        if self._index is None:
            numbers = [numbers for numbers, _ in self._waiting]
            hashes = [hashes for _, hashes in self._waiting]
            self._index = Index(np.concatenate(numbers), np.concatenate(hashes)) if numbers else Index()
            self._waiting = []
        return self._index


def kept_index(lookups: Lookups, beside: Path) -> tuple[Index | None, int]:
    """The index of a snapshot beside the banks, and the change that it holds; (None, 0) if there is none of these banks."""
    for path in beside.parent.glob(f"{glob.escape(beside.name)}.index-*"):
        try:
            index = Index.open(path)
        except (SnapshotError, OSError):
            continue
        if index.position <= lookups.last_change() and path.name.endswith(lookups.mark(index.position)):
            return index, index.position
    return None, 0
