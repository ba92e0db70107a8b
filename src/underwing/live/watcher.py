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
from underwing.live.source import Piece, Source, patience
from underwing.live.thinker import Thinker
from underwing.live.watch import Health, Watch

BEAT_SECONDS = 1.0


class _Watching:
    """One watch, its thread and what keeps its last seconds."""

    def __init__(self, order: Begin, send: "Sender", senses: Senses, thinker: Thinker) -> None:
        self._number, self._send = order.watch, send
        self.kept = LastSeconds(order.keep) if order.keep is not None else None
        self.attention = Attention(
            senses if order.guarded else Senses(), thinker, lambda noticed: send(Noted(order.watch, noticed)),
            raised=lambda: self.watch.raised,
        )  # fmt: skip
        self.watch = Watch(
            order.url,
            lambda sighting: send(Seen(order.watch, sighting)),
            lambda health: send(Changed(order.watch, health)),
            give_up=order.give_up,
            taken=self._taken,
            looked=self._looked,
        )
        self.ended = False
        if order.closer > 0:
            self.watch.raise_for(order.closer)
        threading.Thread(target=self._run, name=order.stream, daemon=True).start()

    def _taken(self, source: Source, piece: Piece, arrived: float, second: float | None) -> None:
        if self.kept is not None:
            self.kept.taken(source, piece, arrived, second)
        self.attention.taken(source, piece, arrived, second)

    def _looked(self, frame: VideoFrame, second: float, at: float) -> None:
        if self.kept is not None:
            self.kept.looked(frame, second, at)
        self.attention.looked(frame, second, at)

    def _run(self) -> None:
        attempt = 0
        while not self.ended:
            try:
                self.watch.run()
                self.ended = True
            except Exception as error:  # a mistake of ours, or of a decoder: told, and tried again
                self._send(
                    Changed(self._number, Health(state="unseen", why=f"failed: {type(error).__name__}"))
                )
                time.sleep(patience(attempt))
                attempt += 1

    def end(self) -> None:
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
            watching.watch.raise_for(order.seconds)
        elif watching is not None and isinstance(order, End):
            watching.end()
            self._watches.pop(order.watch, None)

    def beat(self) -> None:
        """Say how each watch stands, for ever."""
        while True:
            for number in [number for number, one in list(self._watches.items()) if one.ended]:
                self._watches.pop(number, None)
            self._send(
                Beat(
                    {
                        number: Pulse(one.watch.health, one.watch.quiet, one.watch.raised)
                        for number, one in list(self._watches.items())
                    }
                )
            )
            time.sleep(BEAT_SECONDS)

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
