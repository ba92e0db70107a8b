"""What lies behind the pages about banks, streams, policies and the service; the application fills it when it is made."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from underwing.banks.store import Store
from underwing.model import MediaHashes
from underwing.server.answers import Readiness
from underwing.server.http import Refusal
from underwing.server.keys import Keys
from underwing.server.streams.streams import Streams

R = TypeVar("R")


class Banks(Protocol):
    """What the pages about banks ask of the desk of media."""

    def banks(self, work: Callable[[Store], R]) -> Awaitable[R]:
        """Read or write the banks, one at a time."""
        ...

    def match(self, hashes: MediaHashes) -> Awaitable[Any]:
        """What of these hashes is in the banks as they are now."""
        ...


def _nothing() -> Any:
    raise Refusal(503, "not_ready", "the service starts or stops; try again in 1 s", retry_after=1)


class Behind:
    """Keys of platforms, banks, streams, readiness, what is wrong with policy files. `banks` and `streams` raise Refusal 503
    while loading."""

    def __init__(
        self,
        *,
        keys: Keys | None = None,
        banks: Callable[[], Banks] = _nothing,
        streams: Callable[[], Streams] = _nothing,
        readiness: Callable[[], Readiness] | None = None,
        policy_problems: Callable[[], dict[str, str]] = dict,
    ) -> None:
        self._keys, self.banks, self.streams, self._readiness = keys, banks, streams, readiness
        self.policy_problems = policy_problems

    @property
    def keys(self) -> Keys:
        """The keys of platforms.

        Raises:
            Refusal: 503, there are none here.
        """
        if self._keys is None:
            _nothing()
        assert self._keys is not None
        return self._keys

    def readiness(self) -> Readiness | None:
        """Whether events are taken, and what each part says; None where nobody knows."""
        return self._readiness() if self._readiness is not None else None
