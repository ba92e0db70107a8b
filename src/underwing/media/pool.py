"""Worker processes for those who have no event loop: the same `Workers`, in a loop of a thread of their own.

Safe to use from any thread.
"""

import asyncio
import os
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from underwing.media.orders import Job, Order
from underwing.media.still import Still, Wish
from underwing.media.workers import Bounds, Workers
from underwing.model.media import MediaHashes


class Pool:
    """Workers that look at files. Close it, or use it as a context, so that they end."""

    def __init__(
        self, workers: int | None = None, bounds: Bounds | None = None, *, classifier: str = ""
    ) -> None:
        """`classifier` is the name of one that scores what is looked at by a job `scored`; see `classifier.py`."""
        self._lock = threading.Lock()
        self._closed = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="media", daemon=True)
        self._thread.start()

        async def begun() -> Workers:
            return Workers(workers or os.cpu_count() or 1, bounds or Bounds(), classifier=classifier)

        self._workers = asyncio.run_coroutine_threadsafe(begun(), self._loop).result()

    @property
    def deaths(self) -> int:
        """Workers that died, or were ended, over a file."""
        return self._workers.deaths

    def submit(self, data: bytes, job: Job | Order = "draft") -> Future[MediaHashes]:
        """All hashes of a file, later. Raises nothing but `RuntimeError` when the pool is closed."""
        return self._hand_in(data, job if isinstance(job, Order) else Order(job))

    def still(self, data: bytes, wish: Wish) -> Future[Still]:
        """A small still of a file, later. Raises as `submit` does."""
        return self._hand_in(data, Order("still", still=wish))

    def _hand_in(self, data: bytes, order: Order) -> Future[Any]:
        future: Future[Any] = Future()

        def hand_in() -> None:
            answer = self._workers.hand_in(data, order, future.set_running_or_notify_cancel)
            answer.add_done_callback(passed_on)

        def passed_on(answer: asyncio.Future[Any]) -> None:
            if (error := answer.exception()) is not None:
                future.set_exception(error)
            else:
                future.set_result(answer.result())

        with self._lock:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._loop.call_soon_threadsafe(hand_in)
        return future

    def look(self, data: bytes, job: Job | Order = "draft") -> MediaHashes:
        """All hashes of a file, waited for."""
        return self.submit(data, job).result()

    def pids(self) -> list[int]:
        """The processes there are now."""
        return self._workers.pids()

    def close(self) -> None:
        """Finish what was handed in, then end the workers."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        asyncio.run_coroutine_threadsafe(self._workers.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
