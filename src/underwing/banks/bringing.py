"""One source brought into its bank: asked for what is new, and told the feedback on its entries.

A sync that was ended, however, goes on where it was. This is what the command and the console do alike.
"""

from collections.abc import Callable, Sequence
from typing import Any

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
from underwing.banks.feeds import Feed
from underwing.banks.schema import BankError
from underwing.banks.sources import Configured, make_source
from underwing.banks.store import Store


class Brought(Struct, frozen=True):
    """What a sync did; `error` is empty where the source was read to its end. `told`: what became of the feedback."""

    progress: Progress
    error: str = ""
    told: Told | None = None


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


def bring(
    banks: Store,
    name: str,
    said: Configured,
    *,
    clock: Callable[[], float],
    progress: Callable[[Progress], None] = lambda _: None,
    only_due: bool = False,
    dry_run: bool = False,
    feedback: bool = True,
) -> Brought | None:
    """Sync one source; None where `only_due` and its time has not come.

    A dry run fetches and counts only. What goes wrong at the source or in the bank is told, not raised.
    """
    source: Source[Any] | None = None
    done, told = Synced(Progress(), Health()), None

    def now() -> int:
        return int(clock())

    try:
        store = Feed(banks, said.bank, now)
        if only_due and not due(read_health(store.health(name)), said.schedule, now()):
            return None
        source = make_source(name, said, banks.bank(said.bank).bank.label)
        done = sync(source, _Nowhere(store) if dry_run else store, clock=clock, progress=progress)
        if feedback and not done.error:
            told = _tell(source, store, dry_run)
    except (ExchangeError, BankError) as error:
        done = Synced(done.progress, done.health, str(error))
    finally:
        if source is not None:
            source.close()
    return Brought(done.progress, done.error, told)


def _tell(source: Source[Any], store: Feed, dry_run: bool) -> Told:
    """Send a source the feedback on its entries; a dry run only counts it."""
    noted = store.noted(source.name)
    if dry_run:
        return Told(taken=takes_feedback(source), left=sum(1 for _ in noted))
    return tell(source, noted, store.sent)
