"""What decisions ask of streams, done on the media servers: beside the engine, in threads, tried again where it fails.

An action is on the disk before its decision is answered. A server that does not do it is asked again, ever later; what
nobody can do is told as not done, with the reason, so that a platform, or a person, does it.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from msgspec.structs import replace

from underwing.connectors import ControlError, control_at
from underwing.server.logs import note
from underwing.server.streams.store import Act, StreamStore

AGAIN = (1.0, 3.0, 10.0, 30.0, 60.0)
"""Seconds between tries; after the last an action counts as not done."""
TOO_LATE = 600.0
"""Seconds after which an action that waited for the service is not done any more: the minute is over that it was for."""
AT_ONCE = 16
"""Servers that are asked at the same time; of one stream one action after the other."""


class Hand:
    """Does the actions of the streams. `controls` gives the addresses of a stream's media servers, `told` is called in the
    event loop with each action whenever something became of it."""

    def __init__(
        self,
        store: StreamStore,
        controls: Callable[[str], tuple[str, ...]],
        secret: str,
        told: Callable[[Act], None],
    ) -> None:
        self._store, self._controls, self._secret, self._told = store, controls, secret, told
        self._threads = ThreadPoolExecutor(AT_ONCE, "underwing-streams")
        self._waiting: dict[int, Act] = {}
        self._busy: set[str] = set()
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, act: Act) -> None:
        """Do an action as soon as it is due."""
        self._waiting[act.number] = act
        self._woken.set()

    async def run(self) -> None:
        """Do what is due, for ever."""
        while True:
            now = time.time()
            for act in sorted(self._waiting.values(), key=lambda act: (act.due, act.number)):
                if act.due <= now and act.stream not in self._busy:
                    del self._waiting[act.number]
                    self._busy.add(act.stream)
                    task = asyncio.ensure_future(self._do(act))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            ahead = [act.due - now for act in self._waiting.values() if act.stream not in self._busy]
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), max(0.05, min([60.0, *ahead])))
            self._woken.clear()

    async def close(self) -> None:
        """Finish what is being done; what waits is done after the next start."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _do(self, act: Act) -> None:
        try:
            loop = asyncio.get_running_loop()
            after = await loop.run_in_executor(self._threads, self._tried, act)
        except Exception as error:  # a mistake of ours or of a disk: the action waits, and is tried again
            note("stream_action_fault", logging.ERROR, error)
            after = replace(act, due=time.time() + AGAIN[-1])
        finally:
            self._busy.discard(act.stream)
        if after.outcome == "waiting":
            self._waiting[after.number] = after
        else:
            level = logging.INFO if after.outcome == "done" else logging.ERROR
            note("stream_action", level, None, action=after.action, outcome=after.outcome, tries=after.tries)
        self._woken.set()
        self._told(after)

    def _tried(self, act: Act) -> Act:
        after = self._once(act)
        self._store.tried(after)
        return after

    def _once(self, act: Act) -> Act:
        """The action after one more try, with the first server that can do it."""
        if time.time() - act.at > TOO_LATE:
            return replace(act, outcome="not_done", problem=act.problem or "the service did not run in time")
        problem = "no media server is named that can do it; the platform has to"
        for address in self._controls(act.stream):
            try:
                control = control_at(address, self._secret)
                if act.action not in control.does:
                    continue
                control.do(act.action, act.decision)
            except ControlError as error:
                problem = str(error)[:300]
                break
            return replace(act, outcome="done", problem="", tries=act.tries + 1)
        else:
            return replace(act, outcome="not_done", problem=problem)
        tries = act.tries + 1
        if tries > len(AGAIN):
            return replace(act, outcome="not_done", problem=problem, tries=tries)
        return replace(act, problem=problem, tries=tries, due=time.time() + AGAIN[tries - 1])
