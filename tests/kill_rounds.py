"""What every kind of killing shares: workers that start in a moment, work until they are killed, and what is told of it."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Protocol

STARTING = 300.0
"""Seconds a worker may take until it says that it is ready."""


class Round(NamedTuple):
    """One kill: after how many seconds of work, what was answered until then, what was found after."""

    seconds: float
    answered: str
    found: str


class Kills(Protocol):
    """Rounds of killing over one casebook."""

    def kill_once(self, chance: random.Random) -> Round:
        """One process, killed at a random moment, and a look at what is left.

        Raises:
            AssertionError: something that was answered is lost, or something stands half.
        """
        ...


class Nursery:
    """Starts workers, one at a time, and kills them. One process has loaded a script's modules, and each worker is a fork of
    it: to start one from nothing takes seconds of computing, and two hundred most of an hour."""

    def __init__(self, script: str) -> None:
        self._made = subprocess.Popen(
            [sys.executable, "-u", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).parent,
        )  # fmt: skip
        self._pid = 0

    def start(self, out: Path, errors: Path, *arguments: Any) -> None:
        """Start a worker whose output and errors go to two files."""
        out.write_bytes(b"")
        errors.write_bytes(b"")
        self._pid = int(self._ask(json.dumps([str(out), str(errors), *arguments])))

    def kill(self) -> None:
        """`kill -9` to the worker, which must still be there."""
        os.kill(self._pid, signal.SIGKILL)
        self._pid = 0
        assert self._ask("") == str(-signal.SIGKILL), "the worker ended before it was killed"

    def answers(self, folder: Path, acts: int, seconds: float, *arguments: Any) -> list[str]:
        """Kill a worker so many seconds after it was ready and had written so many lines; what it wrote, by whole lines."""
        out, errors = folder / "answers", folder / "errors"
        self.start(out, errors, *arguments)
        end = time.monotonic() + STARTING
        while "ready" not in (lines := _whole(out)) or len(lines) <= acts:
            assert DIED not in lines, errors.read_text()
            assert time.monotonic() < end
            time.sleep(0.005)
        time.sleep(seconds)
        assert DIED not in _whole(out), errors.read_text()
        self.kill()
        return [line for line in _whole(out) if line != "ready"]

    def _ask(self, line: str) -> str:
        assert self._made.stdin is not None
        assert self._made.stdout is not None
        self._made.stdin.write(line + "\n")
        self._made.stdin.flush()
        return self._made.stdout.readline().strip()

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
        self._made.communicate()


DIED = "died"
"""What a worker writes that fails by itself."""


def fork_for_each_line(work: Callable[..., object]) -> None:
    """The nursery's own side: a line starts a worker, the next one waits for its end and tells how that was."""
    for line in sys.stdin:
        out, errors, *arguments = json.loads(line)
        pid = os.fork()
        if pid == 0:
            for number, name in ((1, out), (2, errors)):
                os.dup2(os.open(name, os.O_WRONLY | os.O_APPEND), number)
            try:
                work(*arguments)
            except BaseException:
                traceback.print_exc()
            print(DIED, flush=True)
            os._exit(1)
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _whole(path: Path) -> list[str]:
    return [line[:-1] for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
