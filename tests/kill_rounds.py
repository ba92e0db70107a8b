"""What every kind of killing shares: a process that works until it is killed, and what is told of it."""

import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

STARTING = 300.0
"""Seconds a process may take until it says that it is ready."""


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


def killed(script: str, arguments: list[str], answers: Path, seconds: float) -> list[str]:
    """Run a script until so many seconds after it wrote `ready`, then kill it; the lines that it wrote whole after that."""
    errors = answers.with_suffix(".errors")
    with answers.open("wb") as out, errors.open("wb") as wrong:
        made = subprocess.Popen(
            [sys.executable, "-u", script, *arguments], stdout=out, stderr=wrong, cwd=Path(__file__).parent
        )
        try:
            end = time.monotonic() + STARTING
            while b"ready\n" not in answers.read_bytes():
                assert made.poll() is None, errors.read_text()
                assert time.monotonic() < end
                time.sleep(0.005)
            time.sleep(seconds)
            assert made.poll() is None, errors.read_text()
        finally:
            made.kill()
            made.wait()
    lines = answers.read_text().splitlines(keepends=True)
    with suppress(FileNotFoundError):
        answers.unlink()
    return [line.rstrip("\n") for line in lines if line.endswith("\n") and line != "ready\n"]
