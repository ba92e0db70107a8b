"""One stream under watch: read, sample, look, tell; and tell just as well when nothing can be seen.

`run` blocks in a thread of its own until the stream ends or `stop` is called. What a look gave, and each change of what can
be seen, goes to two functions that the caller hands in, in that thread.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Literal

from av.video.frame import VideoFrame
from msgspec import Struct
from msgspec.structs import replace

from underwing.live import clock as clocks
from underwing.live.eye import PROFILE, Eye, views_of
from underwing.live.sampling import Pace, Sampler, look
from underwing.live.senses import Sound
from underwing.live.source import Limits, Piece, Source, SourceLost, opened, patience, scheme_of
from underwing.live.viewer import Viewer, is_joined, viewing, way_in
from underwing.model.media import View

State = Literal["opening", "watching", "unseen", "ended"]
UNSEEN_AFTER = 30.0
"""Seconds without a look that gave a hash after which a stream counts as unseen: three looks at the calm pace."""
_SLICE = 0.25
"""Seconds after which a watch that rests between looks asks whether it was raised or stopped."""
GIVE_UP = 120.0
"""Seconds that a lost stream is tried again before its watch ends, as unseen, unless someone ends it sooner."""


class Sighting(Struct, frozen=True, kw_only=True):
    """One frame that was looked at. `second` counts from the stream's first packet, `at` is our clock (epoch seconds) when
    its packet came, `took` the seconds from then until its hashes were there."""

    second: float
    at: float
    took: float
    views: tuple[View, ...]
    width: int
    height: int
    raised: bool
    profile: str = PROFILE


class Health(Struct, frozen=True, kw_only=True):
    """How a watch stands. `why` says in plain words what is wrong, "" while nothing is."""

    state: State = "opening"
    why: str = ""
    second: float = 0.0
    looks: int = 0
    packets: int = 0
    lost: int = 0
    """Times that the stream broke off."""
    damaged: int = 0
    """Packets in a row that did not decode."""


class Watch:
    """Watches one URL. `taken` gets every packet as it comes, when that was (monotonic), and the stream second of one of the
    leading track (None: of another), for a rolling buffer; `looked` each frame that was looked at, its second and our clock
    (epoch seconds) when it came. Streams that are joined have no packets: of their sound, where it is asked for, `sounded`
    gets the name of a track, samples, the second of the stream at which they end, and when they came (monotonic).

    Raises:
        ValueError: a URL of a kind that is not watched, or whose library or settings are missing.
    """

    def __init__(
        self,
        url: str,
        seen: Callable[[Sighting], None],
        changed: Callable[[Health], None],
        *,
        pace: Pace | None = None,
        limits: Limits | None = None,
        taken: Callable[[Source, Piece, float, float | None], None] | None = None,
        looked: Callable[[VideoFrame, float, float], None] | None = None,
        sounded: Callable[[str, Sound, float, float], None] | None = None,
        give_up: float = GIVE_UP,
    ) -> None:
        self._paced = scheme_of(url) != "file"
        self._url, self._seen, self._changed, self._taken, self._looked = url, seen, changed, taken, looked
        self._pace, self._limits, self._give_up = pace or Pace(), limits or Limits(), give_up
        self._stop = threading.Event()
        self._raised_until = 0.0
        self._sampler, self._clock = Sampler(), clocks.StreamClock()
        self._hashed = 0.0
        self._turned = self._begun = time.monotonic()
        self._sounded = sounded
        heard = self._heard if sounded is not None else None
        self._way_in = way_in(url, self._limits, heard) if is_joined(url) else None
        self.health = Health()

    def stop(self) -> None:
        """End the watch; `run` returns within a second or with the next packet."""
        self._stop.set()

    def raise_for(self, seconds: float) -> None:
        """Look more often for so long from now (0: no longer)."""
        self._raised_until = time.monotonic() + seconds if seconds > 0 else 0.0

    @property
    def raised(self) -> bool:
        """Whether it looks more often."""
        return time.monotonic() < self._raised_until

    @property
    def quiet(self) -> float:
        """Seconds since its thread last took a packet, or tried to. Opening and reading are bounded: far beyond these
        bounds it hangs."""
        return time.monotonic() - self._turned

    def run(self) -> None:
        """Watch until the stream ends, is given up, or `stop` is called."""
        self._hashed = time.monotonic()
        attempt, lost_at = 0, time.monotonic()
        while not self._stop.is_set():
            self._turned = self._begun = time.monotonic()
            try:
                with closing(self._seconds()) as seconds:
                    for second in seconds:
                        attempt, lost_at = 0, time.monotonic()
                        if self._stop.is_set():
                            return self._tell("ended")
                        self._note(second)
            except SourceLost as error:
                if error.ended and self.health.packets and self._url_ends():
                    return self._tell("ended")
                self._tell("unseen", str(error), lost=self.health.lost + (attempt == 0))
            if time.monotonic() - lost_at > self._give_up:
                return self._tell("ended", f"given up: {self.health.why}")
            self._stop.wait(patience(attempt))
            attempt += 1
        return self._tell("ended")

    def _url_ends(self) -> bool:
        """Whether the end of the bytes is the end of the stream: of files and playlists; a server's connection may break."""
        return not self._url.lower().startswith(("rtmp", "srt"))

    def _seconds(self) -> Generator[float, None, None]:
        """The stream's second after each packet, or after each look at a stream that is joined."""
        if self._way_in is not None:
            with viewing(self._way_in, self._limits) as viewer:
                yield from self._view(viewer)
            return
        with opened(self._url, self._limits) as source:
            yield from self._read(source)

    def _read(self, source: Source) -> Iterator[float]:
        eye = Eye(source.video, self._limits.pixels) if source.video is not None else None
        for piece in source.pieces():
            arrived, second = time.monotonic(), None
            if piece.packet.stream is (source.video or source.audio):
                # A file comes faster than it was streamed: its own time stamps are its arrivals.
                came = arrived if self._paced else piece.stamp or 0.0
                self._clock, second = clocks.tell(self._clock, piece.stamp, came)
            if self._taken is not None:
                self._taken(source, piece, arrived, second)
            if eye is not None and piece.packet.stream is source.video and second is not None:
                self._look(eye, piece, second, arrived)
            yield self._clock.last

    def _view(self, viewer: Viewer) -> Iterator[float]:
        looked = -1e9
        while not self._stop.is_set():
            raised = self.raised
            due = looked + (self._pace.raised if raised else self._pace.calm) - time.monotonic()
            if due > 0:
                viewer.rest(min(due, _SLICE))
                continue
            looked = time.monotonic()
            for shown in viewer.look(stay=raised):
                self._clock, second = clocks.tell(self._clock, None, shown.arrived)
                self._saw(shown.frame, second, shown.arrived, raised)
            yield self._clock.last

    def _heard(self, track: str, sound: Sound, arrived: float) -> None:
        self._clock, second = clocks.tell(self._clock, None, arrived)
        if self._sounded is not None:
            self._sounded(track, sound, second, arrived)

    def _look(self, eye: Eye, piece: Piece, second: float, arrived: float) -> None:
        raised = self.raised
        self._sampler, wanted = look(self._sampler, second, piece.keyframe, raised, self._pace)
        if raised:
            frames = eye.follow(piece)
            frame = frames[-1] if frames and wanted else None
            if wanted and frame is None:  # nothing visible yet: the next packet is asked again
                self._sampler = Sampler(second - self._pace.raised, self._sampler.keyed, self._sampler.usual)
        elif wanted:
            frame = eye.glance(piece)
        else:
            eye.pass_by(piece)
            frame = None
        if frame is not None:
            self._saw(frame, second, arrived, raised, eye.damaged)

    def _saw(self, frame: VideoFrame, second: float, arrived: float, raised: bool, damaged: int = 0) -> None:
        views = views_of(frame)
        now = time.monotonic()
        if self._looked is not None:
            self._looked(frame, round(second, 3), time.time() - (now - arrived))
        self._hashed = now
        self.health = replace(
            self.health, why="", second=second, looks=self.health.looks + 1, damaged=damaged
        )
        self._seen(
            Sighting(
                second=round(second, 3), at=time.time() - (now - arrived), took=now - arrived, views=views,
                width=frame.width, height=frame.height, raised=raised,
            )
        )  # fmt: skip

    def _note(self, second: float) -> None:
        health = self.health
        self._turned = now = time.monotonic()
        quiet = now - self._hashed
        state: State = "unseen" if quiet > UNSEEN_AFTER else "watching" if health.looks else "opening"
        why = f"no frame could be looked at for {quiet:.0f} s" if state == "unseen" else ""
        told = health.state != state
        self.health = replace(health, state=state, why=why, second=second, packets=health.packets + 1)
        if told:
            self._changed(self.health)
        if state == "unseen" and now - self._begun > UNSEEN_AFTER:
            raise SourceLost(f"{why}; opened anew")  # another codec, or a decoder that does not find back

    def _tell(self, state: State, why: str = "", lost: int | None = None) -> None:
        before = self.health
        self.health = replace(before, state=state, why=why, lost=before.lost if lost is None else lost)
        if (before.state, before.why) != (state, why):
            self._changed(self.health)
