"""A pool of worker processes that look at bytes and may die of them without harm to anybody else.

Every worker has a thread of this process, which hands it one file at a time through a pipe (never a name on disk) and
waits. A worker that dies, or is ended because it took too long, is replaced; its file is answered with its exact hashes
and an `error`, and the other files do not notice. Safe to use from any thread, and in a coroutine by
`await asyncio.wrap_future(pool.submit(data))`.
"""

import contextlib
import math
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from underwing.media.hashing import exact_hashes
from underwing.media.orders import Job, Order, Terms
from underwing.media.still import Still, Wish
from underwing.media.worker import LENGTH, allowed
from underwing.model.media import MediaHashes

R = TypeVar("R")
Found = MediaHashes | Still
_READY_WITHIN = 300.0
"""Seconds; a first start compiles the machine code."""
_SIGXCPU: Final = 24


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


class Pool:
    """Workers that look at files. Close it, or use it as a context, so that they end."""

    def __init__(
        self, workers: int | None = None, bounds: Bounds | None = None, *, classifier: str = ""
    ) -> None:
        """`classifier` is the name of one that scores what is looked at by a job `scored`; see `classifier.py`."""
        self.bounds = bounds or Bounds()
        self._terms = Terms(
            memory=self.bounds.memory,
            processor_seconds=self.bounds.processor_seconds,
            processor_seconds_a_mib=self.bounds.processor_seconds_a_mib,
            long_video=self.bounds.long_video,
            classifier=classifier,
        )
        self.deaths = 0
        """Workers that died, or were ended, over a file."""
        self._jobs: queue.SimpleQueue[tuple[bytes, Order, Callable[[Any], Any], Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._processes: list[subprocess.Popen[bytes]] = []
        self._closed = False
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, name=f"media-{number}", daemon=True)
            for number in range(workers or os.cpu_count() or 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, data: bytes, job: Job | Order = "draft") -> Future[MediaHashes]:
        """All hashes of a file, later. Raises nothing but `RuntimeError` when the pool is closed."""
        return self.submit_then(data, job, lambda found: found)

    def submit_then(self, data: bytes, job: Job | Order, then: Callable[[MediaHashes], R]) -> Future[R]:
        """What `then` makes of the hashes of a file, later. It runs in the thread that took them from the worker, which
        does nothing else meanwhile; what it raises is raised by the future."""
        return self._hand_in(data, job if isinstance(job, Order) else Order(job), then)

    def still(self, data: bytes, wish: Wish) -> Future[Still]:
        """A small still of a file, later. Raises as `submit` does."""
        return self._hand_in(data, Order("still", still=wish), lambda found: found)

    def _hand_in(self, data: bytes, order: Order, then: Callable[[Any], Any]) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            future: Future[Any] = Future()
            self._jobs.put((data, order, then, future))
        return future

    def look(self, data: bytes, job: Job | Order = "draft") -> MediaHashes:
        """All hashes of a file, waited for."""
        return self.submit(data, job).result()

    def close(self) -> None:
        """Finish what was handed in, then end the workers."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for _ in self._threads:
                self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def workers(self) -> list[subprocess.Popen[bytes]]:
        """The processes there are now."""
        with self._lock:
            return list(self._processes)

    def _serve(self) -> None:
        worker = self._start()
        while (task := self._jobs.get()) is not None:
            data, order, then, future = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                if len(data) > self.bounds.size:
                    error = f"{len(data)} bytes; at most {self.bounds.size} are looked at"
                    found = _unseen(data, order, error)
                else:
                    found, worker = self._ask(worker, data, order)
                answer = then(found)
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(answer)
                del answer
            del task, data, then, future
        worker.end()

    def _ask(self, worker: "_Worker", data: bytes, order: Order) -> tuple[MediaHashes | Still, "_Worker"]:
        """The answer, and the worker for the next file."""
        if worker.process.poll() is not None:  # it died while it had nothing to do: no fault of this file
            with self._lock:
                self._processes.remove(worker.process)
            worker.end()
            worker = self._start()
        try:
            return worker.ask(data, order), worker
        except _Died as died:
            with self._lock:
                self.deaths += 1
                self._processes.remove(worker.process)
            return _unseen(data, order, str(died)), self._start()

    def _start(self) -> "_Worker":
        worker = _Worker(self.bounds, self._terms)
        with self._lock:
            self._processes.append(worker.process)
        return worker


def _unseen(data: bytes, order: Order, error: str) -> MediaHashes | Still:
    """The answer about a file that could not be looked at."""
    return Still(error=error) if order.job == "still" else replace(exact_hashes(data), error=error)


class _Died(Exception):
    """A worker died, or was ended; says why in plain words."""


class _Worker:
    """One process; it starts at once, and is waited for when it is first asked."""

    def __init__(self, bounds: Bounds, terms: Terms) -> None:
        self.bounds = bounds
        self.ready = False
        self.process = subprocess.Popen(  # noqa: S603  (our own module, and an operator's own terms)
            [sys.executable, "-m", "underwing.media.worker", msgspec.json.encode(terms).decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
            start_new_session=True,  # a Ctrl-C in the terminal is for the service, which then ends its workers
        )
        self.deadline = _Deadline(self.process.kill)

    def ask(self, data: bytes, order: Order) -> MediaHashes | Still:
        """What the process says of a file, or the still of it. Raises `_Died`."""
        if not self.ready:
            self._exchange(b"", _READY_WITHIN, 0)
            self.ready = True
        asked = msgspec.msgpack.encode(order)
        request = b"".join((len(asked).to_bytes(LENGTH), asked, len(data).to_bytes(LENGTH), data))
        answer = self._exchange(request, self.bounds.clock_for(len(data)), len(data))
        if order.job == "still":
            return msgspec.msgpack.decode(answer, type=Still)
        return msgspec.msgpack.decode(answer, type=MediaHashes)

    def _exchange(self, request: bytes, seconds: float, size: int) -> bytes:
        """Hand in a request about a file of a size and take its answer; the process is ended when that takes too long."""
        self.deadline.set(seconds)
        answer = None
        try:
            answer = self._pipe(request)
        except OSError:
            pass  # a broken pipe: the process is gone, and what is told of it below says how
        finally:
            self.deadline.lift()
            if answer is None:
                self.end()
        if answer is None:
            raise _Died(self._why(size, seconds if self.deadline.passed else None))
        return answer

    def _pipe(self, request: bytes) -> bytes | None:
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(request)
        stdin.flush()
        head = stdout.read(LENGTH)
        body = stdout.read(int.from_bytes(head)) if len(head) == LENGTH else b""
        return body if len(head) == LENGTH and len(body) == int.from_bytes(head) else None

    def _why(self, size: int, late: float | None) -> str:
        if not self.ready:
            return "the process that looks at media did not start"
        if late is not None:
            return f"took longer than {late:g} s to look at"
        if self.process.returncode == -_SIGXCPU:
            return f"took more than {self.bounds.processor_for(size)} s of processor time to look at"
        return f"the process that looked at it died ({self.process.returncode})"

    def end(self) -> None:
        """End the process and forget it."""
        self.deadline.close()
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self.process.wait()


class _Deadline:
    """Calls `end` when something takes too long. Its one thread sleeps over many deadlines that are set and lifted: a
    `threading.Timer` for each costs more than all else that the service does to hand a small file to a worker."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.passed = False
        """Whether `end` was called."""
        self._end = end
        self._due = self._wakes = math.inf
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="media-deadline", daemon=True)
        self._thread.start()

    def set(self, seconds: float) -> None:
        """From now on it is so many seconds."""
        with self._changed:
            self._due = time.monotonic() + seconds
            if self._due < self._wakes:
                self._changed.notify()

    def lift(self) -> None:
        """It was done in time, or is over: `end` is not called any more."""
        with self._changed:
            self._due = math.inf

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                left = self._due - time.monotonic()
                if left <= 0:
                    self.passed, self._due = True, math.inf
                    self._end()
                    continue
                self._wakes = self._due
                self._changed.wait(None if self._due == math.inf else left)
