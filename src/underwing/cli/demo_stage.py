"""The service that the demo runs: on loopback, in a thread of its own, all its files in one folder."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2

from underwing.casebook.people import Member
from underwing.cli.common import stop as leave
from underwing.cli.demo_platform import Platform
from underwing.policy import default_path
from underwing.server.console.guests import DEMO
from underwing.server.run import Service
from underwing.server.settings import Settings

HURRY = 2.0
"""Seconds after which Ctrl-C ends the wait for a clean stop. Before, it is the first one, passed on by `uv` as well."""


class Stage:
    """A service on loopback that runs beside, in a thread of its own."""

    def __init__(self, settings: Settings) -> None:
        self.service = Service(settings)
        self._problem: list[BaseException] = []
        self._ended = threading.Event()  # `Thread.join` takes a thread for ended when it is interrupted
        self._thread = threading.Thread(target=self._run, name="underwing-demo", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.service.port}"

    def invited(self, member: Member = DEMO) -> str:
        """The address of the console with a sign-in as somebody that works once."""
        return self.address + self.service.app.welcome(member)

    @contextmanager
    def platform(self) -> Iterator[Platform]:
        """A client with a platform's key, once the service is ready.

        Raises:
            OSError: the address cannot be listened on; and whatever else keeps a service from starting.
        """
        self.service.started.wait(30)
        self._complain()
        headers = {"Authorization": f"Bearer {self.service.keys.create('platform', 'demo')}"}
        with httpx2.Client(base_url=self.address, headers=headers, timeout=60) as client:
            platform = Platform(client)
            while not platform.ready():
                time.sleep(0.1)
                self._complain()
            yield platform

    def wait(self) -> None:
        """Return when the service has ended."""
        self._ended.wait()
        self._complain()

    def stop(self) -> None:
        """End it, when what is under way is answered."""
        self.service.stop()
        while not self._ended.is_set():
            with suppress(KeyboardInterrupt):
                self._ended.wait()

    def _run(self) -> None:
        try:
            self.service.run()
        except BaseException as error:
            self._problem.append(error)
        finally:
            self._ended.set()

    def _complain(self) -> None:
        if self._problem:
            raise self._problem[0]


@contextmanager
def one_ctrl_c() -> Iterator[None]:
    """The first Ctrl-C breaks off what runs. Those that follow are the same one, until `HURRY` has passed: then the
    program is left. For the main thread."""
    pressed: list[float] = []

    def told(*_: object) -> None:
        if not pressed:
            pressed.append(time.monotonic())
            raise KeyboardInterrupt
        if time.monotonic() - pressed[0] > HURRY:
            leave("left before the service had ended")

    before = signal.signal(signal.SIGINT, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def staged(folder: Path, port: int = 0) -> Iterator[Stage]:
    """A service with all its files in `folder`, stopped at the end."""
    policy = folder / "policy.toml"  # a copy, so that another can be put in force
    policy.write_bytes(default_path().read_bytes())
    stage = Stage(Settings(port=port, database=str(folder / "demo.db"), policy=str(policy)))
    try:
        yield stage
    finally:
        stage.stop()
