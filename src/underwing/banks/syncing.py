"""Bringing configured sources of lists into the banks: one sync, with what is told of it; and who may do so now.

Both the command and the service do it by `bring`. One process of a machine brings lists into a file of banks at a time.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from underwing.banks.entries import Update
from underwing.banks.exchanges import (
    ExchangeError,
    Health,
    Progress,
    Source,
    Synced,
    Told,
    due,
    read_health,
    sync,
    takes_feedback,
    tell,
)
from underwing.banks.exchanges.config import Configured, make_source
from underwing.banks.exchanges.health import failed, tried
from underwing.banks.feeds import Feed
from underwing.banks.labels import LabelError
from underwing.banks.schema import BankError
from underwing.banks.store import Store

Clock = Callable[[], int]
"""Epoch seconds."""


class Brought(Struct, frozen=True, kw_only=True):
    """What a sync of one source did. `told` is what became of its feedback, None where it was not told."""

    source: str
    bank: str
    progress: Progress
    health: Health
    told: Told | None = None
    error: str = ""


@contextmanager
def alone(banks: Path) -> Iterator[bool]:
    """Whether this process, and no other, may bring lists into a file of banks; it may until the context ends.

    The system lets go of it when the process dies. It is a lock on a file beside the banks.
    """
    lock = os.open(banks.with_name(f"{banks.name}.exchange-lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(lock)


def health_of(banks: Store, name: str, said: Configured, clock: Clock) -> Health:
    """What was noted of a source."""
    return read_health(Feed(banks, said.bank, clock).health(name))


def is_due(banks: Store, name: str, said: Configured, clock: Clock) -> bool:
    """Whether the time of a source has come."""
    return due(health_of(banks, name, said, clock), said.schedule, clock())


def bring(
    banks: Store,
    name: str,
    said: Configured,
    clock: Clock,
    *,
    feedback: bool = True,
    dry_run: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Brought:
    """Bring what is new at a source into its bank, then tell it the feedback noted on its entries.

    A `dry_run` fetches and counts, and changes nothing. What goes wrong with the source, its credentials or its bank is
    told in the result and noted in its health, not raised; whatever `progress` raises ends it, to go on there another time.
    """
    store = Feed(banks, said.bank, clock)
    source: Source[Any] | None = None
    told = None
    try:
        source = make_source(name, said, banks.bank(said.bank).bank.label)
        done = sync(source, _Nowhere(store) if dry_run else store, clock=clock, progress=progress)
        if feedback and not done.error:
            told = _tell(source, store, dry_run)
    except (ExchangeError, BankError, LabelError) as error:
        done = Synced(Progress(), note_failure(store, name, clock(), str(error), dry_run), str(error))
    finally:
        if source is not None:
            source.close()
    return Brought(
        source=name, bank=said.bank, progress=done.progress, health=done.health, told=told, error=done.error
    )


def note_failure(store: Feed, name: str, now: int, why: str, dry_run: bool = False) -> Health:
    """Note that a source could not even be asked, so that it is seen, and asked again after a while."""
    health = read_health(store.health(name))
    if dry_run:
        return health
    health = failed(tried(health, now), now, why)
    store.note_health(name, msgspec.json.encode(health))
    return health


def _tell(source: Source[Any], store: Feed, dry_run: bool) -> Told:
    """Send a source the feedback on its entries; a dry run only counts it."""
    noted = store.noted(source.name)
    if dry_run:
        return Told(taken=takes_feedback(source), left=sum(1 for _ in noted))
    return tell(source, noted, store.sent)


class _Nowhere:
    """A store that goes on from where another is, and takes nothing."""

    def __init__(self, store: Feed) -> None:
        self.checkpoint, self.health = store.checkpoint, store.health

    def apply(
        self, source: str, updates: Sequence[Update], checkpoint: bytes, *, round: int, closes: bool
    ) -> None:
        """Take nothing."""

    def note_health(self, source: str, health: bytes) -> None:
        """Note nothing."""
