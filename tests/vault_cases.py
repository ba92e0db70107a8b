"""A small vault for tests: short segments, a clock that a test moves, and the store's names and bytes laid open."""

import io
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import obstore

from underwing.casebook.custody import Custody, Problem, Signer, Verifier, verify
from underwing.casebook.database import Database
from underwing.casebook.vault import (
    Keeping,
    KeyFile,
    ObjectStore,
    Stored,
    Vault,
    load_retention,
    verify_vault,
)

SEGMENT = 64
START = datetime(2026, 1, 1, tzinfo=UTC)
WEED = Path(sys.executable).parent / "weed"
S3 = """{"identities": [{"name": "tests", "credentials": [{"accessKey": "tests", "secretKey": "only for tests"}],
 "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}"""


class Rig:
    """A vault with everything around it. Time moves a second with every look at the clock."""

    def __init__(
        self,
        home: Path,
        store: ObjectStore | None = None,
        start: datetime = START,
        segment: int = SEGMENT,
        where: str = "",
    ) -> None:
        home.mkdir(exist_ok=True)
        self.home, self.time = home, start
        key = home / "vault.key"
        self.keys = KeyFile(key) if key.exists() else KeyFile.make(key)
        pem = home / "custody.key"
        if not pem.exists():
            Signer.made().save(pem)
        self.signer = Signer.of(pem)
        self.store = store or ObjectStore.directory(home / "objects")
        self.database = Database(where or home / "casebook.db")
        self.custody = Custody(self.database, self.signer, self.clock)
        self.vault = Vault(
            self.database, self.store, self.keys, self.custody, clock=self.clock, segment_bytes=segment
        )
        self.keeping = Keeping(self.vault, load_retention(), self.signer)
        self.verifier = Verifier(self.signer.public)

    def clock(self) -> datetime:
        self.time += timedelta(seconds=1)
        return self.time

    def put(self, data: bytes, case: str = "c1", **more: object) -> Stored:
        return self.vault.put(io.BytesIO(data), case=case, by="anna", **more)  # type: ignore[arg-type]

    def get(self, address: str) -> bytes:
        return b"".join(self.vault.read(address, by="ben", looking="machine-read"))

    def problems(self) -> list[Problem]:
        """What verification finds in log and vault."""
        checkpoints = [(f"checkpoint {n}", c) for n, c in enumerate(self.custody.checkpoints(), 1)]
        found = list(verify(self.custody.entries(), self.verifier, checkpoints).problems)
        return found or list(verify_vault(self.vault, self.custody, self.verifier))

    def names(self) -> list[str]:
        return sorted(self.store.names())

    def lay(self, name: str, body: bytes) -> None:
        """Put bytes into the store behind the vault's back."""
        obstore.put(self.store._store, name, body)

    def lift(self, name: str) -> bytes:
        """Take a name out of the store behind the vault's back; its bytes."""
        body = self.look(name)
        obstore.delete(self.store._store, name)
        return body

    def look(self, name: str) -> bytes:
        return self.store.get(name, 1 << 30)

    def close(self) -> None:
        self.database.close()


def flipped(body: bytes, at: int, bits: int) -> bytes:
    """`body` with one byte changed; `bits` is 1 to 255."""
    at %= len(body)
    return body[:at] + bytes([body[at] ^ bits]) + body[at + 1 :]


@contextmanager
def seaweed(directory: Path) -> Iterator[dict[str, str]]:
    """A SeaweedFS of its own on loopback; the options of a store in it.

    The bucket `locked` keeps all versions and has object lock; others are made at the first put.
    """
    config = directory / "s3.json"
    config.write_text(S3)
    ports = free_ports(8)
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc")  # fmt: skip
    with (directory / "log").open("wb") as log:
        made = subprocess.Popen(
            [WEED, "server", f"-dir={directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}",
             "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=20",
             *(f"-{name}={port}" for name, port in zip(names, ports, strict=True))],
            stdout=log, stderr=log, cwd=directory,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{ports[6]}"
        _wait(url, made, directory / "log")
        os.environ |= {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "only for tests"}
        options = {"endpoint": url, "region": "us-east-1", "allow_http": "true"}
        _wait_for_writes(options)
        shell = [WEED, "shell", f"-master=127.0.0.1:{ports[0]}.{ports[1]}"]
        said = subprocess.run(
            shell,
            input="s3.bucket.create -name locked -withLock\n",
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "Object Lock" in said.stdout + said.stderr
        yield options
    finally:
        made.kill()
        made.wait(30)


def _wait(url: str, made: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 90
    while True:
        assert made.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)


def _wait_for_writes(options: dict[str, str]) -> None:
    """Its volumes come a moment after its door."""
    end = time.monotonic() + 60
    while True:
        try:
            ObjectStore.of("s3://tests/ready", options).put(str(time.monotonic()), b"")
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
