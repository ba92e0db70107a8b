"""The service asks the sources of lists that are due, by itself: one thread beside everything else.

What goes wrong with a source is noted in its health, logged and counted, and the others go on; nothing of it stops the
service or makes it less ready. Where several processes share the banks, one of them asks at a time (`banks.syncing.alone`).
"""

import logging
import threading
import time
from collections import Counter
from pathlib import Path

from underwing.banks.exchanges import ExchangeError, Health, Progress, state
from underwing.banks.exchanges.config import Configured, read_config
from underwing.banks.exchanges.health import State
from underwing.banks.feeds import Feed
from underwing.banks.store import Store
from underwing.banks.syncing import alone, bring, health_of, is_due, note_failure
from underwing.server.logs import note
from underwing.server.metrics import Metrics

TICK_SECONDS = 5.0
"""How often it is looked whether a source is due."""
STOP_SECONDS = 5.0
"""How long a stop waits for the page that is being fetched; the thread then ends with the process, between two pages."""
_STATES: tuple[State, ...] = ("ok", "new", "failing", "late")


class _Stopped(Exception):
    """The service stops: the sync ends behind the page that came in."""


class Exchanges:
    """Follows the file of the sources, which may come, change and go while the service runs."""

    def __init__(self, config: Path, banks: Path, metrics: Metrics, *, named: bool) -> None:
        """`named` says that the operator named the file, so that it is a fault when it is missing."""
        self._config, self._banks, self._metrics, self._named = config, banks, metrics, named
        self._end = threading.Event()
        self._told = "none configured"
        self._problem = ""
        self._thread = threading.Thread(target=self._run, name="underwing-exchanges", daemon=True)

    def start(self) -> None:
        """Begin. The banks must be there."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for it a little."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def details(self) -> dict[str, str]:
        """What `/readyz` tells of the sources: how many are in which state, and no names, as anybody may read it."""
        return {"exchanges": self._told}

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self._turn()
                self._problem = ""
            except _Stopped:
                return
            except Exception as error:
                self._failed(error)
            self._metrics.exchange_problem.set(bool(self._problem))
            self._end.wait(TICK_SECONDS)

    def _failed(self, error: Exception) -> None:
        said = str(error) if isinstance(error, ExchangeError) else f"{type(error).__name__}: {error}"
        if said != self._problem:
            note("exchanges_unusable", logging.ERROR, error, problem=said)
        self._problem, self._told = said, "cannot be asked; see the log"

    def _turn(self) -> None:
        """Ask the sources that are due, and tell how all do."""
        if not self._named and not self._config.exists():
            self._told = "none configured"
            return
        sources = read_config(self._config)
        store = Store.open(self._banks)
        try:
            due = [name for name, said in sources.items() if is_due(store, name, said, _now)]
            if due:
                with alone(self._banks) as mine:
                    for name in due if mine else ():
                        if is_due(store, name, sources[name], _now):
                            self._bring(store, name, sources[name])
                            self._tell(store, sources)
            self._tell(store, sources)
        finally:
            store.close()

    def _bring(self, store: Store, name: str, said: Configured) -> None:
        if self._end.is_set():
            raise _Stopped
        try:
            done = bring(store, name, said, _now, progress=self._going_on)
        except _Stopped:
            raise
        except Exception as error:  # a fault of ours in one source: seen, and the others go on
            note("exchange_fault", logging.ERROR, error, source=name)
            note_failure(Feed(store, said.bank, _now), name, _now(), f"failed inside: {type(error).__name__}")
            return
        counts = {"entries": done.progress.entries, "withdrawn": done.progress.withdrawn}
        for what, count in counts.items():
            if count:
                self._metrics.exchange_entries.labels(name, what).inc(count)
        if done.error:
            note(
                "exchange_failed", logging.WARNING, source=name, bank=said.bank, problem=done.error, **counts
            )
        else:
            told = {"told": done.told.sent, "untold": done.told.left} if done.told else {}
            note("exchange_done", source=name, bank=said.bank, **counts, **told)

    def _going_on(self, _: Progress) -> None:
        if self._end.is_set():
            raise _Stopped

    def _tell(self, store: Store, sources: dict[str, Configured]) -> None:
        healths = {name: health_of(store, name, said, _now) for name, said in sources.items()}
        states = Counter(state(healths[name], said.schedule, _now()) for name, said in sources.items())
        self._metrics.exchanges({name: _numbers(health) for name, health in healths.items()})
        self._metrics.exchanges_late.set(states["late"])
        counted = ", ".join(f"{states[one]} {one}" for one in _STATES if states[one])
        self._told = counted or "none configured"


def _numbers(health: Health) -> tuple[int, int]:
    """Epoch seconds of the last success (0: none), failures in a row."""
    return health.last_success or 0, health.failures


def _now() -> int:
    return int(time.time())
