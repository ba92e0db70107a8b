"""Services that start in a moment: one process has loaded modules and packs, and each service is a fork of it.

To start one from nothing takes seconds of computing; two hundred would take half an hour.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from underwing.server import run
from underwing.server.settings import Settings


class Nursery:
    """Starts services, one at a time, and kills them."""

    def __init__(self) -> None:
        self._made = subprocess.Popen(
            [sys.executable, "-u", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._pid = 0

    def start(self, log: Path, **settings: Any) -> str:
        """Start a service with its log in a file; its address, once it is ready."""
        log.write_bytes(b"")
        self._pid = int(self._ask(json.dumps({"log": str(log), "settings": settings})))
        end = time.monotonic() + 300
        while True:
            lines = [json.loads(s) for s in log.read_text().splitlines(keepends=True) if s.endswith("\n")]
            told = {line["event"]: line for line in lines}
            if "ready" in told:
                return f"http://127.0.0.1:{told['listening']['port']}"
            assert "cannot_serve" not in told, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """`kill -9` to the service, which must still be there."""
        os.kill(self._pid, signal.SIGKILL)
        self._pid = 0
        assert self._ask("") == str(-signal.SIGKILL), "the service ended before it was killed"

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


def main() -> None:
    """Fork a service for each line that gives settings; the next line waits for its end and tells how that was."""
    packs = run.load_packs()
    run.load_packs = lambda *_: packs
    for line in sys.stdin:
        given = json.loads(line)
        pid = os.fork()
        if pid == 0:
            log = os.open(given["log"], os.O_WRONLY | os.O_APPEND)
            os.dup2(log, sys.stderr.fileno())
            os.dup2(log, sys.stdout.fileno())
            os._exit(run.serve(Settings.read({}, **given["settings"])))
        print(pid, flush=True)
        sys.stdin.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
