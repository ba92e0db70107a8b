"""One thread for all that takes long: reading, listening and guessing for the streams of a process.

So the senses together take no more than one core of a process, and no stream's frames wait for them. What comes when too
much waits is passed over and counted: a newer frame of the same stream takes the place of the older one, and a stream that
is watched closely goes before a calm one.
"""

import threading
from collections.abc import Callable, Hashable

MOST_WAITING = 16
Job = Callable[[], None]


class Thinker:
    """Does one job after another. `passed_over` counts those that never were done, `failed` those that raised."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting: dict[Hashable, tuple[bool, Job]] = {}
        self._change = threading.Condition()
        self._busy = self._closed = False
        self.passed_over = self.failed = 0
        threading.Thread(target=self._run, name="underwing-senses", daemon=True).start()

    def ask(self, key: Hashable, job: Job, *, urgent: bool = False) -> bool:
        """Have a job done; False where it is passed over. One of the same key that still waits is replaced."""
        with self._change:
            if self._waiting.pop(key, None) is not None:
                self.passed_over += 1
            elif len(self._waiting) >= self._most:
                self.passed_over += 1
                calm = next((k for k, (soon, _) in self._waiting.items() if not soon), None)
                if not urgent or calm is None:
                    return False
                del self._waiting[calm]
            self._waiting[key] = (urgent, job)
            self._change.notify_all()
            return True

    def wait(self, seconds: float) -> bool:
        """Wait until nothing waits; whether that came about in time."""
        with self._change:
            return self._change.wait_for(lambda: not self._busy and not self._waiting, seconds)

    def close(self) -> None:
        """Do nothing more; the job under way is finished."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # a plug-in raises what it likes: the stream is watched all the same
                self.failed += 1

    def _next(self) -> Job | None:
        with self._change:
            self._busy = False
            self._change.notify_all()
            self._change.wait_for(lambda: self._closed or bool(self._waiting))
            if self._closed:
                return None
            key = next((k for k, (soon, _) in self._waiting.items() if soon), next(iter(self._waiting)))
            self._busy = True
            return self._waiting.pop(key)[1]
