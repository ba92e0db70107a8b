"""A real PostgreSQL on loopback for the tests: one server a session, a database of its own for each test.

The server comes from the Debian package `postgresql`, which is installed if it is missing and we may. It will not run as
root: then it runs as `postgres`.
"""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from underwing.casebook.database import Database

TEMPLATE = "casebook_template"


def programs() -> Path:
    """The directory of `initdb` and `postgres`; the package is installed where root may do so."""
    for again in (False, True):
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        named = found[-1] if found else shutil.which("postgres")
        if named:
            return Path(named).resolve().parent
        if not again:
            assert os.geteuid() == 0, "install the package postgresql to run these tests"
            quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
            subprocess.run(["apt-get", "update", "-q"], check=True, **quiet)  # type: ignore[call-overload]
            install = ["apt-get", "install", "-qy", "--no-install-recommends", "postgresql"]
            subprocess.run(install, check=True, **quiet)  # type: ignore[call-overload]
    raise AssertionError("the package postgresql brought no server")


class Server:
    """A running server. Its data may be lost at a loss of power (`fsync=off`), but not at a kill of a client."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, name: str = "postgres") -> str:
        """The address of a database."""
        return f"postgresql://underwing@127.0.0.1:{self.port}/{name}"

    def run(self, sql: str, name: str = "postgres") -> None:
        """One statement, as the server's owner."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            connection.execute(sql.encode())

    @contextmanager
    def empty(self, template: str = "template0") -> Iterator[str]:
        """The address of a new database, dropped at the end."""
        name = f"test_{uuid4().hex[:16]}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield self.url(name)
        finally:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def casebook(self) -> Iterator[str]:
        """The address of a new database with the casebook's tables."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            there = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone()
        if not there:
            self.run(f"CREATE DATABASE {TEMPLATE}")
            Database(self.url(TEMPLATE)).close()
        with self.empty(TEMPLATE) as url:
            yield url


@contextmanager
def server() -> Iterator[Server]:
    """A server of its own on a free port of loopback."""
    home = Path(tempfile.mkdtemp(prefix="underwing-postgres-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)
        home.chmod(0o700)
    who = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}
    bin, data = programs(), home / "data"
    init = [
        bin / "initdb",
        "-D",
        data,
        "-U",
        "underwing",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd=home, **who)  # type: ignore[call-overload]
    port = _free_port()
    settings = {
        "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off",
        "full_page_writes": "off", "synchronous_commit": "off", "max_connections": 60, "shared_buffers": "64MB",
        "autovacuum": "off", "max_wal_size": "4GB",
    }  # fmt: skip
    asked = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        made = subprocess.Popen(
            [bin / "postgres", "-D", data, *asked], stdout=log, stderr=log, cwd=home, **who
        )  # type: ignore[call-overload]
    try:
        running = Server(port)
        end = time.monotonic() + 60
        while True:
            assert made.poll() is None, (home / "log").read_text()
            try:
                running.run("SELECT 1")
                break
            except psycopg.OperationalError:
                assert time.monotonic() < end, (home / "log").read_text()
                time.sleep(0.05)
        yield running
    finally:
        made.terminate()
        made.wait(60)
        shutil.rmtree(home)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
