"""Watcher processes under supervision: each has many streams, and one that dies or hangs is replaced.

All of it lives in one event loop. A process that says nothing for `SILENT` seconds, or in which the thread of a watch does
nothing for `STUCK`, is ended; its streams are told as unwatched and taken up by another one (`places` says by which). What a
process says comes to a `Hearing` by the stream's id.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

from msgspec import MsgspecError
from msgspec.json import encode

from underwing.live.clip import Times
from underwing.live.orders import (
    HEAD,
    MOST,
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
    decode_report,
    framed,
)
from underwing.live.places import SUSPECT_FOR, Place, again_after, choose, lane_of
from underwing.live.plugins import Plan
from underwing.live.rolling import Keep
from underwing.live.senses import Noticed
from underwing.live.watch import GIVE_UP, Health, Sighting

SILENT = 15.0
"""Seconds without a beat after which a process counts as hanging; it sends one every second."""
STUCK = 60.0
"""Seconds after which a thread hangs that its process could not begin anew (`watcher.HANGS`)."""
STARTS_WITHIN = 120.0
"""Seconds; a first start compiles the machine code of the hashes."""
CLIP_WITHIN = 60.0
_LOG = logging.getLogger("asyncio")


class ClipError(RuntimeError):
    """What is kept of a stream cannot be had; says why."""


class Hearing(Protocol):
    """Who is told, in the event loop."""

    def seen(self, stream: str, sighting: Sighting) -> None:
        """A frame was looked at."""

    def changed(self, stream: str, health: Health) -> None:
        """What can be seen has changed; `ended` is the last that is told."""

    def noticed(self, stream: str, noticed: Noticed) -> None:
        """Words were read or heard in it, or a classifier guessed."""

    def pulse(self, stream: str, pulse: Pulse) -> None:
        """How a watch stands, every second."""

    def unwatched(self, stream: str, why: str) -> None:
        """Nobody watches it until it is taken up."""

    def taken(self, stream: str, process: int) -> None:
        """A process (its id) has taken it."""


class _Stream:
    """A stream that is to be watched: what of, since when which process has it, and its past."""

    def __init__(self, id: str, url: str, give_up: float, guarded: bool) -> None:
        self.id, self.url, self.give_up, self.guarded = id, url, give_up, guarded
        self.watch = 0
        self.process: _Process | None = None
        self.deaths: list[float] = []
        self.closer_until = 0.0


class Crew:
    """The watcher processes of one service. Its methods are for the event loop in which `start` was called."""

    def __init__(
        self, hearing: Hearing, most: int | None = None, *, keep: Keep | None = None, plan: Plan | None = None
    ) -> None:
        """`keep` says how much is kept of a stream's last seconds (None: nothing), `plan` which senses there are."""
        self._hearing, self._keep_of, self._plan = hearing, keep, plan or Plan()
        self._most = most or os.cpu_count() or 1
        self._streams: dict[str, _Stream] = {}
        self._processes: list[_Process] = []
        self._watches: dict[int, _Stream] = {}
        self._clips: dict[int, asyncio.Queue[Part]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self.deaths = 0
        """Processes that died or were ended."""

    def start(self) -> None:
        """Begin to supervise."""
        self._keep(self._supervise())

    async def close(self) -> None:
        """End all processes; what they watch is not told as ended."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*(process.end() for process in self._processes))
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def processes(self) -> list[int]:
        """The ids of the processes there are now."""
        return [process.pid for process in self._processes if process.pid]

    def begin(self, stream: str, url: str, *, give_up: float = GIVE_UP, guarded: bool = True) -> None:
        """Watch a stream until it ends or `end` is called. One that is watched already is begun anew. `guarded`: its
        streamer is, or may be, a child, so the senses are turned to it."""
        self.end(stream)
        self._streams[stream] = made = _Stream(stream, url, give_up, guarded)
        self._place(made)

    def end(self, stream: str) -> None:
        """Watch it no longer; nothing more is told of it."""
        known = self._streams.pop(stream, None)
        if known is not None:
            self._watches.pop(known.watch, None)
            if known.process is not None:
                known.process.send(End(known.watch))

    def closer(self, stream: str, seconds: float) -> None:
        """Look often for so many seconds from now; whoever takes it up later does so too."""
        known = self._streams.get(stream)
        if known is not None:
            known.closer_until = time.monotonic() + seconds
            if known.process is not None:
                known.process.send(Closer(known.watch, seconds))

    async def clip(self, stream: str) -> AsyncIterator[Times | bytes]:
        """What is kept of the stream's last seconds: of each clip when it was, then its bytes in pieces.

        Raises:
            ClipError: nothing is kept, or its watcher does not hand it over.
        """
        known = self._streams.get(stream)
        if known is None or known.process is None:
            raise ClipError("nobody watches this stream now")
        asked = next(self._numbers)
        parts = self._clips[asked] = asyncio.Queue()
        known.process.send(Seal(known.watch, asked))
        try:
            while True:
                part = await asyncio.wait_for(parts.get(), CLIP_WITHIN)
                if part.problem:
                    raise ClipError(part.problem)
                if part.begins is not None:
                    yield part.begins
                if part.data:
                    yield part.data
                if part.last:
                    return
        except TimeoutError:
            raise ClipError("its watcher did not hand it over in time") from None
        finally:
            del self._clips[asked]

    # -- placing ----------------------------------------------------------------------------------------

    def _place(self, stream: _Stream) -> None:
        lane = lane_of(stream.id, stream.deaths, time.monotonic())
        places = [
            Place(n, sum(s.process is process for s in self._streams.values()), process.lane)
            for n, process in enumerate(self._processes)
        ]
        number = choose(places, self._most, lane)
        process = self._processes[number] if number is not None else self._begun(lane)
        stream.watch, stream.process = next(self._numbers), process
        self._watches[stream.watch] = stream
        closer = max(0.0, stream.closer_until - time.monotonic())
        process.send(
            Begin(
                watch=stream.watch,
                stream=stream.id,
                url=stream.url,
                closer=closer,
                give_up=stream.give_up,
                keep=self._keep_of,
                guarded=stream.guarded,
            )
        )

    def _begun(self, lane: str) -> "_Process":
        process = _Process(lane, self._plan)
        self._processes.append(process)
        self._keep(self._attend(process))
        return process

    async def _attend(self, process: "_Process") -> None:
        """Start a process and listen to it until it is gone; then its streams are taken up."""
        why = "its watcher died"
        try:
            await process.start()
            async for report in process.reports():
                self._hear(process, report)
        except OSError as error:
            why = f"its watcher cannot be started: {error}"
            await asyncio.sleep(1)
        except (MsgspecError, ValueError):
            why = "its watcher spoke nonsense"
        finally:
            await process.end()
        if not self._closed:
            self.deaths += not process.spare
            self._bury(process, process.why or why)

    def _bury(self, process: "_Process", why: str) -> None:
        self._processes.remove(process)
        now = time.monotonic()
        for stream in [s for s in self._streams.values() if s.process is process]:
            self._watches.pop(stream.watch, None)
            stream.process = None
            stream.deaths = [at for at in stream.deaths if now - at < SUSPECT_FOR] + [now]
            if stream.id == process.culprit:
                stream.deaths.append(now)
            self._hearing.unwatched(stream.id, why)
            self._keep(self._again(stream))

    async def _again(self, stream: _Stream) -> None:
        await asyncio.sleep(again_after(len(stream.deaths)))
        if self._streams.get(stream.id) is stream and not self._closed:
            self._place(stream)

    # -- listening --------------------------------------------------------------------------------------

    def _hear(self, process: "_Process", report: Report) -> None:
        if isinstance(report, Part):
            waiting = self._clips.get(report.asked)
            if waiting is not None:
                waiting.put_nowait(report)
        elif isinstance(report, Beat):
            for watch, pulse in report.watches.items():
                stream = self._watches.get(watch)
                if stream is not None:
                    self._feel(process, stream, pulse)
        elif isinstance(report, Seen | Changed | Noted):
            stream = self._watches.get(report.watch)
            if stream is None:
                return
            if isinstance(report, Seen):
                self._hearing.seen(stream.id, report.sighting)
                return
            if isinstance(report, Noted):
                self._hearing.noticed(stream.id, report.noticed)
                return
            if report.health.state == "ended":
                self.end(stream.id)
            self._hearing.changed(stream.id, report.health)

    def _feel(self, process: "_Process", stream: _Stream, pulse: Pulse) -> None:
        if stream.watch not in process.told:
            process.told.add(stream.watch)
            self._hearing.taken(stream.id, process.pid)
        self._hearing.pulse(stream.id, pulse)
        if pulse.quiet > STUCK:
            process.kill(f"its watcher hung for {pulse.quiet:.0f} s", stream.id)

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(1)
            for process in self._processes:
                silent = process.silent
                if silent > (SILENT if process.ready else STARTS_WITHIN):
                    process.kill(f"its watcher said nothing for {silent:.0f} s")
                elif process.lane and not any(s.process is process for s in self._streams.values()):
                    process.spare = True
                    process.kill("no suspect is left in it")

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _LOG.error("supervising watchers failed", exc_info=error)


class _Process:
    """One process. What is sent before it has started waits."""

    def __init__(self, lane: str, plan: Plan) -> None:
        self._plan = plan
        self.lane, self.ready, self.spare, self.pid = lane, False, False, 0
        self.why = self.culprit = ""
        self.told: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._waiting: list[bytes] = []
        self._heard = time.monotonic()
        self._over = False

    @property
    def silent(self) -> float:
        """Seconds since it last said something."""
        return time.monotonic() - self._heard

    async def start(self) -> None:
        """Start it. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "underwing.live.watcher", encode(self._plan).decode(), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
        )  # fmt: skip
        self._process, self.pid = process, process.pid
        assert process.stdin is not None
        for message in self._waiting:
            process.stdin.write(message)
        self._waiting = []
        if self._over:
            await self.end()

    async def reports(self) -> AsyncIterator[Report]:
        """What it says, until it ends. Raises `MsgspecError`, ValueError: it is not what a watcher says."""
        assert self._process is not None
        assert self._process.stdout is not None
        out = self._process.stdout
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int.from_bytes(await out.readexactly(HEAD))
                if length > MOST:
                    raise ValueError("too long")
                report = decode_report(await out.readexactly(length))
                self._heard = time.monotonic()
                if isinstance(report, Ready):
                    self.ready = True
                yield report

    def send(self, order: Order) -> None:
        """Send an order; never waits. A process that takes none for long also says nothing, and is ended for that."""
        message = framed(order)
        if self._process is None or self._process.stdin is None:
            self._waiting.append(message)
        elif not self._process.stdin.is_closing():
            self._process.stdin.write(message)

    def kill(self, why: str, culprit: str = "") -> None:
        """End it at once; `why` is told of its streams, `culprit` is the one that it hangs in."""
        self.why, self.culprit = self.why or why, self.culprit or culprit
        self._heard = time.monotonic()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def end(self) -> None:
        """End it and wait until it is gone."""
        self._over = True
        if self._process is not None:
            self.kill("")
            await self._process.wait()
