"""Streams that are joined, as WebRTC is: a viewer asks for a frame when one is due, and gets it decoded.

Packets stay in the libraries below, so a viewer is asked instead of read: `look` brings the next frame of each of the
streamer's pictures, `rest` waits between looks. One thread holds one viewer; the libraries' own event loop runs in it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, Protocol, TypeVar

from av.video.frame import VideoFrame
from msgspec import Struct

from underwing.live.senses import Sound
from underwing.live.source import Limits, SourceLost, scheme_of

_Got = TypeVar("_Got")
_LEAVING = 2.0
"""Seconds that taking leave may last."""
_WAYS = {"livekit": ("underwing.live.livekit", "livekit.rtc"), "whep": ("underwing.live.whep", "aiortc")}
"""Of each kind of address: the module that joins it, and the library that its extra brings."""


class Shown(Struct, frozen=True):
    """A decoded frame, and when it came by our own clock (`time.monotonic`)."""

    frame: VideoFrame
    arrived: float


MOST_TRACKS = 4
"""Tracks of sound that are listened to side by side."""
Heard = Callable[[str, Sound, float], None]
"""Told of the sound that comes: the name of its track, samples, and when they came by our own clock."""


class Joined(Protocol):
    """A stream that is joined, whatever protocol is below. Everything raises `SourceLost` once it is lost."""

    async def enter(self) -> None:
        """Join it, and wait until it has a picture."""
        ...

    async def look(self, stay: bool) -> list[Shown]:
        """The next frame of each picture. `stay`: the next look comes soon, so keep receiving."""
        ...

    async def rest(self) -> None:
        """Wait; returns only by an exception."""
        ...

    async def leave(self) -> None:
        """Take leave, whatever happened before."""
        ...


class Viewer:
    """A stream that was joined."""

    def __init__(self, joined: Joined, runner: asyncio.Runner, limits: Limits) -> None:
        self._joined, self._runner, self._limits = joined, runner, limits

    def look(self, stay: bool) -> list[Shown]:
        """The next frame of each picture, within the time that silence may last. Raises `SourceLost`."""
        shown = self._run(self._joined.look(stay), self._limits.read, "nothing came for too long")
        return [one for one in shown if one.frame.width * one.frame.height <= self._limits.pixels]

    def rest(self, seconds: float) -> None:
        """Wait so long. Raises `SourceLost` as soon as the stream is known to be lost."""
        with suppress(TimeoutError):
            self._runner.run(asyncio.wait_for(self._joined.rest(), seconds))

    def enter(self) -> None:
        """Join the stream. Raises `SourceLost`."""
        late = f"did not answer within {self._limits.open:g} s, or shows no picture"
        self._run(self._joined.enter(), self._limits.open, late)

    def leave(self) -> None:
        """Take leave; nothing is raised."""
        with suppress(Exception):
            self._runner.run(asyncio.wait_for(self._joined.leave(), _LEAVING))

    def _run(self, work: Coroutine[Any, Any, _Got], seconds: float, late: str) -> _Got:
        try:
            return self._runner.run(asyncio.wait_for(work, seconds))
        except TimeoutError:
            raise SourceLost(late) from None


def is_joined(url: str) -> bool:
    """Whether a URL is of a kind that is joined. Raises `ValueError` for one that is not watched at all."""
    return scheme_of(url).partition("+")[0] in _WAYS


def way_in(url: str, limits: Limits, heard: Heard | None = None) -> Callable[[], Joined]:
    """What joins a URL, as often as it has to. Without somebody who is told what is `heard`, sound is not asked for.

    Raises:
        ValueError: it lacks something, or the library is not installed; says what.
    """
    kind = url.partition("+")[0].lower()
    module, library = _WAYS[kind]
    try:
        import_module(library)
    except ImportError:
        raise ValueError(f"{kind}+…:// needs the extra {kind}: pip install 'underwing[{kind}]'") from None
    way: Callable[[], Joined] = import_module(module).way_in(url, limits, heard)
    return way


@contextmanager
def viewing(way: Callable[[], Joined], limits: Limits) -> Iterator[Viewer]:
    """A viewer of a stream, gone at the end. Raises `SourceLost` when it cannot be joined."""
    with asyncio.Runner() as runner:
        viewer = Viewer(way(), runner, limits)
        try:
            viewer.enter()
            yield viewer
        finally:
            viewer.leave()
