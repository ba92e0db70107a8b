"""A running service over a real socket, for the tests of the server."""

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from underwing.engine import Engine, Runner
from underwing.server.app import App, create_app
from underwing.server.keys import Keys
from underwing.server.logs import flush, set_up
from underwing.server.settings import PREFIX, Settings

TRIGGER = "underwing test phrase heron review"


class Running:
    """A service that runs in a thread: its parts, its address, a key and a client for each role."""

    def __init__(self, app: App, runner: Runner, keys: Keys, log: io.StringIO) -> None:
        self.app, self.runner, self.keys, self._log = app, runner, keys, log
        self.tokens = {
            role: keys.create(role, f"test {role}") for role in ("platform", "reviewer", "operator")
        }
        config = uvicorn.Config(
            app, port=0, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=10
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.005)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def client(self, role: str | None = "operator", **more: Any) -> httpx2.Client:
        headers = {"authorization": f"Bearer {self.tokens[role]}"} if role else {}
        return httpx2.Client(
            base_url=self.url, headers={**headers, **more.pop("headers", {})}, timeout=30, **more
        )

    def with_banks(self) -> "Running":
        """This, once the banks are loaded."""
        with self.client() as client:
            while client.post("/v1/hashes", json={"md5": "0" * 32}).status_code == 503:
                assert self.thread.is_alive()
                time.sleep(0.02)
        return self

    @property
    def log(self) -> str:
        flush()
        return self._log.getvalue()

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.log.splitlines()) if line["event"] == event]

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


@contextmanager
def running(engine: Engine, directory: Path, **settings: Any) -> Iterator[Running]:
    """The service over `engine` with its file in `directory`."""
    log = io.StringIO()
    set_up("info", log)
    path = directory / "store.db"
    given = Settings(database=str(path), **settings)
    with Runner(engine, path) as runner, Keys(path) as keys:
        service = Running(create_app(runner, keys, given), runner, keys, log)
        try:
            yield service
        finally:
            service.stop()
            set_up("info")


@contextmanager
def process(database: Path, log: Path, **settings: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """The service as a process of its own, ready, and its address."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
    flags = [f"--{name}={value}" for name, value in settings.items()]
    with log.open("wb") as stream:
        made = subprocess.Popen(
            [sys.executable, "-m", "underwing.server", "--port", "0", "--database", str(database), *flags],
            stderr=stream,
            env=environ,
        )
    try:
        end = time.monotonic() + 300
        while True:
            lines = [
                json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")
            ]
            events = {line["event"]: line for line in lines}
            assert made.poll() is None, log.read_text()
            if "ready" in events:
                break
            assert time.monotonic() < end
            time.sleep(0.05)
        yield made, f"http://127.0.0.1:{events['listening']['port']}"
    finally:
        made.kill()
        made.wait(10)


def event(number: int | str, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A message as plain JSON types."""
    return {
        "type": "message", "id": f"m{number}", "at": "2026-01-01T12:00:00Z", "surface": "dm",
        "conversation": "c", "from": "a", "to": ["k"], "text": text, **more,
    }  # fmt: skip


def ahead(seconds: float) -> str:
    """A time some seconds from now."""
    return datetime.fromtimestamp(time.time() + seconds, UTC).isoformat()


def ndjson(*values: Any) -> bytes:
    """One line each; bytes as they are."""
    return b"\n".join(v if isinstance(v, bytes) else json.dumps(v).encode() for v in values) + b"\n"


def post(client: httpx2.Client, *values: Any, media: str = "application/x-ndjson") -> list[dict[str, Any]]:
    """Send lines and read the answers."""
    answer = client.post("/v1/events", content=ndjson(*values), headers={"content-type": media})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]
