"""Worker processes that look at bytes and may die of them without harm to anybody else; for one event loop.

Each is handed one file at a time through a pipe (never a name on disk). One that dies, or is ended because it took too
long, is replaced; its file is answered with its exact hashes and an `error`, and the other files do not notice. The event
loop itself writes and reads the pipes: a thread that waited for each worker would have to be woken twice a file, which
costs more than all else that the service does for a small picture.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from underwing.media.hashing import exact_hashes
from underwing.media.orders import Job, Order, Terms
from underwing.media.still import Still, Wish
from underwing.media.worker import LENGTH, allowed
from underwing.model.media import MediaHashes

_READY_WITHIN = 300.0
"""Seconds; a first start compiles the machine code."""
_SIGXCPU: Final = 24
_DIES_WITHIN: Final = 5.0
"""Seconds for a process that closed its pipe to be gone."""


class Bounds(Struct, frozen=True):
    """What one file may cost. A file of many MiB is given more time, since it may be a long video."""

    size: int = 128 * 2**20
    """Bytes of the largest file that is looked at."""
    memory: int = 364 * 2**20
    """Bytes of address space above what a worker has before its first file: with the 120 MiB that are resident then, it
    stays below 512 MiB."""
    processor_seconds: int = 20
    """Seconds of processor time for a file of less than a MiB."""
    processor_seconds_a_mib: int = 1
    """Further seconds of processor time for each whole MiB of the file."""
    seconds: float = 60.0
    """Seconds of the clock for a file of less than a MiB."""
    seconds_a_mib: float = 3.0
    """Further seconds of the clock for each whole MiB: more than of the processor, as other workers want it too."""
    long_video: float = 600.0
    """Seconds of a video from which on it is looked at by its keyframes, and again where these come near something known:
    so many seconds again at the most. Ten minutes of 720p, each second, take about 15 s of one core."""

    def processor_for(self, size: int) -> int:
        """Seconds of processor time for a file of so many bytes."""
        return allowed(self.processor_seconds, self.processor_seconds_a_mib, size)

    def clock_for(self, size: int) -> float:
        """Seconds of the clock for a file of so many bytes."""
        return allowed(self.seconds, self.seconds_a_mib, size)


Looked = asyncio.Future[MediaHashes | Still]
Wanted = Callable[[], bool]
"""Asked as a file comes to a worker: whether its answer is still wanted."""


class Workers:
    """So many worker processes. Made and used within a running event loop; close it so that they end."""

    def __init__(self, count: int, bounds: Bounds, *, classifier: str = "") -> None:
        """`classifier` is the name of one that scores what is looked at by a job `scored`; see `classifier.py`."""
        self.bounds = bounds
        self._terms = Terms(
            memory=bounds.memory,
            processor_seconds=bounds.processor_seconds,
            processor_seconds_a_mib=bounds.processor_seconds_a_mib,
            long_video=bounds.long_video,
            classifier=classifier,
        )
        self.deaths = 0
        """Workers that died, or were ended, over a file."""
        self._jobs: asyncio.Queue[tuple[bytes, Order, Wanted, Looked] | None] = asyncio.Queue()
        self._workers: set[_Worker] = set()
        self._closed = False
        self._lanes = [asyncio.create_task(self._serve(), name=f"media-{n}") for n in range(count)]

    async def look(self, data: bytes, job: Job | Order = "draft") -> MediaHashes:
        """All hashes of a file. Raises `RuntimeError` when closed, `OSError` when no process can be started."""
        order = job if isinstance(job, Order) else Order(job)
        return cast(MediaHashes, await self.hand_in(data, order))

    async def still(self, data: bytes, wish: Wish) -> Still:
        """A small still of a file. Raises as `look` does."""
        return cast(Still, await self.hand_in(data, Order("still", still=wish)))

    def hand_in(self, data: bytes, order: Order, wanted: Wanted | None = None) -> Looked:
        """What a worker says of a file, later: a `Still` for the job `still`, else its hashes. Raises as `look` does."""
        if self._closed:
            raise RuntimeError("the workers are closed")
        future: Looked = asyncio.get_running_loop().create_future()
        self._jobs.put_nowait((data, order, wanted or (lambda: not future.cancelled()), future))
        return future

    async def close(self) -> None:
        """Finish what was handed in, then end the workers."""
        if not self._closed:
            self._closed = True
            for _ in self._lanes:
                self._jobs.put_nowait(None)
        await asyncio.gather(*self._lanes)

    def pids(self) -> list[int]:
        """The processes there are now."""
        return [worker.pid for worker in self._workers if not worker.gone]

    async def _serve(self) -> None:
        worker: _Worker | None = None
        with contextlib.suppress(OSError):  # tried again, and told, with the first file
            worker = await self._start()
        while (task := await self._jobs.get()) is not None:
            data, order, wanted, future = task
            if not wanted():
                continue
            try:
                worker, found = await self._asked(worker, data, order)
            except Exception as error:  # of this file or of the moment: the lane goes on
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(found)
                del found
            del task, data, future
            if worker is not None and worker.gone:
                with contextlib.suppress(OSError):
                    worker = await self._start(worker)
        if worker is not None:
            await worker.end()

    async def _asked(
        self, worker: "_Worker | None", data: bytes, order: Order
    ) -> "tuple[_Worker, MediaHashes | Still]":
        """The worker that was asked about a file, and what it says of it."""
        if worker is None or worker.gone:  # it died while it had nothing to do: no fault of this file
            worker = await self._start(worker)
        if len(data) > self.bounds.size:
            error = f"{len(data)} bytes; at most {self.bounds.size} are looked at"
            return worker, await asyncio.to_thread(_unseen, data, order, error)
        try:
            return worker, await worker.ask(data, order)
        except _Died as died:
            self.deaths += 1
            return worker, await asyncio.to_thread(_unseen, data, order, str(died))

    async def _start(self, last: "_Worker | None" = None) -> "_Worker":
        """A new worker, in the place of the last one."""
        if last is not None:
            await last.end()
            self._workers.discard(last)
        worker = await _Worker.started(self.bounds, self._terms)
        self._workers.add(worker)
        return worker


def _unseen(data: bytes, order: Order, error: str) -> MediaHashes | Still:
    """The answer about a file that could not be looked at."""
    return Still(error=error) if order.job == "still" else replace(exact_hashes(data), error=error)


class _Died(Exception):
    """A worker died, or was ended; says why in plain words."""


class _Worker(asyncio.SubprocessProtocol):
    """One process, by its pipes; it is waited for when it is first asked."""

    def __init__(self, bounds: Bounds) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._bounds = loop, bounds
        self._ready = self._late = self._closed = False
        self._read = bytearray()
        self._answer: asyncio.Future[bytes | None] | None = None
        self._exited: asyncio.Future[None] = loop.create_future()
        self._transport: Any = None

    @classmethod
    async def started(cls, bounds: Bounds, terms: Terms) -> "_Worker":
        """A process of its own. Raises `OSError`."""
        pipe = asyncio.subprocess.PIPE
        _, worker = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(bounds),
            *(sys.executable, "-m", "underwing.media.worker", msgspec.json.encode(terms).decode()),
            stdin=pipe,
            stdout=pipe,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,  # a Ctrl-C in the terminal is for the service, which then ends its workers
        )
        return worker

    @property
    def pid(self) -> int:
        """The number of the process."""
        return int(self._transport.get_pid())

    @property
    def gone(self) -> bool:
        """Whether the process has ended, also when the event loop has not been told yet."""
        if self._exited.done() or self._closed:
            return True
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def ask(self, data: bytes, order: Order) -> MediaHashes | Still:
        """What the process says of a file, or the still of it. Raises `_Died`."""
        if not self._ready:
            await self._exchange(b"", _READY_WITHIN, 0)
            self._ready = True
        asked = msgspec.msgpack.encode(order)
        request = b"".join((len(asked).to_bytes(LENGTH), asked, len(data).to_bytes(LENGTH), data))
        answer = await self._exchange(request, self._bounds.clock_for(len(data)), len(data))
        if order.job == "still":
            return msgspec.msgpack.decode(answer, type=Still)
        return msgspec.msgpack.decode(answer, type=MediaHashes)

    async def _exchange(self, request: bytes, seconds: float, size: int) -> bytes:
        """Hand in a request about a file of a size and take its answer; the process is ended when that takes too long."""
        self._answer = self._loop.create_future()
        deadline = self._loop.call_later(seconds, self._too_late)
        self._take()  # a worker says that it is ready without being asked
        if request:
            self._transport.get_pipe_transport(0).write(request)
        answer = await self._answer
        deadline.cancel()
        self._answer = None
        if answer is None:
            # Killed while it dies, it would not tell of what it died.
            await asyncio.wait([self._exited], timeout=_DIES_WITHIN)
            await self.end()
            raise _Died(self._why(size, seconds if self._late else None))
        return answer

    def _too_late(self) -> None:
        self._late = True
        self._kill()

    def _take(self) -> None:
        """Give out the answer that was read, if all of it is there, or say that there will be none."""
        if self._answer is None or self._answer.done():
            return
        if len(self._read) >= LENGTH and len(self._read) >= (
            end := LENGTH + int.from_bytes(self._read[:LENGTH])
        ):
            answer = bytes(self._read[LENGTH:end])
            del self._read[:end]
            self._answer.set_result(answer)
        elif self._closed:
            self._answer.set_result(None)

    def _why(self, size: int, late: float | None) -> str:
        if not self._ready:
            return "the process that looks at media did not start"
        if late is not None:
            return f"took longer than {late:g} s to look at"
        code = self._transport.get_returncode()
        if code == -_SIGXCPU:
            return f"took more than {self._bounds.processor_for(size)} s of processor time to look at"
        return f"the process that looked at it died ({code})"

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._transport.kill()

    async def end(self) -> None:
        """End the process and forget it."""
        self._kill()
        await self._exited
        self._transport.close()

    # -- what the event loop tells -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs."""
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Something of an answer came."""
        self._read += data
        self._take()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        """A pipe is closed: the process is gone, or about to."""
        self._closed = True
        self._take()

    def process_exited(self) -> None:
        """The process is gone."""
        if not self._exited.done():
            self._exited.set_result(None)
