"""The process that watches streams, many at a time, and may die of what it decodes: `python -m underwing.live.watcher`.

Each stream has a thread. Orders come on the standard input, reports go to the standard output (`orders`); it says every
second how each watch stands, and ends when its input does: when the service is gone, so are its watchers. What goes wrong
in one watch is told and tried again, and harms no other.
"""

import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from av.video.frame import VideoFrame
from msgspec.json import decode

from underwing.live.attention import Attention, Senses
from underwing.live.eye import warm_up
from underwing.live.keeping import LastSeconds
from underwing.live.orders import (
    HEAD,
    Beat,
    Begin,
    Changed,
    Closer,
    End,
    Noted,
    Order,
    Part,
    Pulse,
    Ready,
    Report,
    Seal,
    Seen,
    cut,
    decode_order,
    framed,
)
from underwing.live.plugins import Plan, load
from underwing.live.senses import Sound
from underwing.live.source import Limits, Piece, Source, patience
from underwing.live.thinker import Thinker
from underwing.live.watch import Health, Sighting, Watch

BEAT_SECONDS = 1.0
HANGS = 30.0
"""Seconds without a packet or a try after which a thread hangs: opening is bounded by 10, reading by 8, a pause between
tries by 15. FFmpeg's FLV reader, for one, never comes back when a publisher goes on with another codec."""
MOST_HANGING = 8
LIMITS = Limits(redirects=0)
"""Who asks for a watch names a host that may be asked; it sends us to no other."""


class _Watching:
    """One watch, its thread and what keeps its last seconds. `begin_anew` leaves a thread that hangs behind."""

    def __init__(self, order: Begin, send: "Sender", senses: Senses, thinker: Thinker) -> None:
        self._order, self._send = order, send
        self.kept = LastSeconds(order.keep) if order.keep is not None else None
        self._attention = attention = Attention(
            senses if order.guarded else Senses(), thinker, lambda noticed: send(Noted(order.watch, noticed)),
            raised=lambda: self.watch.raised,
        )  # fmt: skip
        self._beside: tuple[LastSeconds | Attention, ...] = (
            (attention,) if self.kept is None else (self.kept, attention)
        )
        self.ended = False
        self._closer_until = time.monotonic() + order.closer
        self._begin()

    def _begin(self) -> None:
        turn = self._turn = object()

        def seen(sighting: Sighting) -> None:
            if self._turn is turn:
                self._send(Seen(self._order.watch, sighting))

        def changed(health: Health) -> None:
            if self._turn is turn:
                self._send(Changed(self._order.watch, health))

        def taken(source: Source, piece: Piece, arrived: float, second: float | None) -> None:
            for beside in self._beside if self._turn is turn else ():
                self._harmless(beside, beside.taken, source, piece, arrived, second)

        def looked(frame: VideoFrame, second: float, at: float) -> None:
            for beside in self._beside if self._turn is turn else ():
                self._harmless(beside, beside.looked, frame, second, at)

        def sounded(track: str, sound: Sound, second: float, arrived: float) -> None:
            for beside in self._beside if self._turn is turn else ():
                self._harmless(beside, beside.sounded, track, sound, second, arrived)

        self.watch = watch = Watch(
            self._order.url, seen, changed, give_up=self._order.give_up, limits=LIMITS, taken=taken, looked=looked,
            sounded=sounded if self._attention.listens else None,
        )  # fmt: skip
        watch.raise_for(max(0.0, self._closer_until - time.monotonic()))
        self.thread = threading.Thread(
            target=self._run, args=(watch, turn), name=self._order.stream, daemon=True
        )
        self.thread.start()

    def _harmless(self, beside: LastSeconds | Attention, do: Callable[..., None], *what: object) -> None:
        """Do something beside the watch; what fails is left out from then on, and costs no look."""
        try:
            do(*what)
        except Exception:
            self._beside = tuple(one for one in self._beside if one is not beside)
            if beside is self.kept:
                self.kept = None

    def _run(self, watch: Watch, turn: object) -> None:
        attempt = 0
        while self._turn is turn and not self.ended:
            try:
                watch.run()
                self.ended = self.ended or self._turn is turn
                return
            except Exception as error:  # a mistake of ours, or of a decoder: told, and tried again
                if self._turn is turn:
                    why = f"failed: {type(error).__name__}"
                    self._send(Changed(self._order.watch, Health(state="unseen", why=why)))
                time.sleep(patience(attempt))
                attempt += 1

    def begin_anew(self) -> threading.Thread:
        """Watch in another thread; the one that hangs, which ends when it can."""
        hanging, why = self.thread, f"nothing could be read of it for {self.watch.quiet:.0f} s; opened anew"
        self.watch.stop()
        self._begin()
        self._send(Changed(self._order.watch, Health(state="unseen", why=why)))
        return hanging

    def closer(self, seconds: float) -> None:
        """Look often for so long from now."""
        self._closer_until = time.monotonic() + seconds
        self.watch.raise_for(seconds)

    def end(self) -> None:
        """Watch no longer."""
        self.ended = True
        self.watch.stop()


class Sender:
    """Sends reports, from any thread."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._turn = out, threading.Lock()

    def __call__(self, report: Report) -> None:
        """Send one. When nobody listens any longer, the process ends."""
        with self._turn:
            try:
                self._out.write(framed(report))
                self._out.flush()
            except OSError:
                os._exit(0)


class Watcher:
    """The watches of this process."""

    def __init__(self, send: Sender, senses: Senses) -> None:
        self._send, self._senses, self._thinker = send, senses, Thinker()
        self._watches: dict[int, _Watching] = {}
        self._hanging: list[threading.Thread] = []

    def obey(self, order: Order) -> None:
        """Do what an order says; it never waits for a stream."""
        if isinstance(order, Begin):
            try:
                self._watches[order.watch] = _Watching(order, self._send, self._senses, self._thinker)
            except ValueError as error:
                self._send(Changed(order.watch, Health(state="ended", why=str(error))))
            return
        watching = self._watches.get(order.watch)
        if isinstance(order, Seal):
            threading.Thread(target=self._seal, args=(order, watching), daemon=True).start()
        elif watching is not None and isinstance(order, Closer):
            watching.closer(order.seconds)
        elif watching is not None and isinstance(order, End):
            watching.end()
            self._watches.pop(order.watch, None)

    def beat(self) -> None:
        """Say how each watch stands, for ever."""
        while True:
            self._look_after()
            self._send(
                Beat(
                    {
                        number: Pulse(one.watch.health, one.watch.quiet, one.watch.raised)
                        for number, one in list(self._watches.items())
                    }
                )
            )
            time.sleep(BEAT_SECONDS)

    def _look_after(self) -> None:
        """Forget what has ended, and begin anew what hangs: while too much does, the service ends this process."""
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        for number, one in list(self._watches.items()):
            if one.ended:
                self._watches.pop(number, None)
            elif one.watch.quiet > HANGS and len(self._hanging) < MOST_HANGING:
                self._hanging.append(one.begin_anew())

    def _seal(self, order: Seal, watching: _Watching | None) -> None:
        try:
            clips = watching.kept.clips() if watching is not None and watching.kept is not None else []
            for clip in clips:
                self._send(Part(order.asked, clip.times))
                for part in cut(clip.data):
                    self._send(Part(order.asked, data=part))
            problem = "" if clips else "nothing is kept of this stream"
            self._send(Part(order.asked, last=True, problem=problem))
        except Exception as error:
            self._send(Part(order.asked, problem=f"failed: {type(error).__name__}", last=True))


def main() -> int:
    """Work until the input ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what is kept of streams goes into no dump on the disk
    send = Sender(os.fdopen(os.dup(1), "wb"))
    os.dup2(2, 1)  # what a decoder prints goes to the standard error
    warm_up()
    watcher = Watcher(send, load(decode(sys.argv[1], type=Plan) if len(sys.argv) > 1 else Plan()))
    send(Ready())
    threading.Thread(target=watcher.beat, daemon=True).start()
    while len(head := sys.stdin.buffer.read(HEAD)) == HEAD:
        watcher.obey(decode_order(sys.stdin.buffer.read(int.from_bytes(head))))
    os._exit(0)  # a thread may hang in a decoder: nobody waits for it


if __name__ == "__main__":
    sys.exit(main())
