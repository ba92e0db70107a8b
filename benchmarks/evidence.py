"""What the evidence vault and the custody log cost beside doing without them.

Method: an object of 64 MB goes in and comes out, beside (a) what any careful store does, hashing and copying to a file with
fsync, and (b) Fernet over the whole, the usual recipe of `cryptography`. Records are appended beside plain rows of the same
size in SQLite with `synchronous=FULL`, one transaction each: by bare `sqlite3`, and through the casebook's own door. All in
turn, five rounds; the best round's CPU time counts (process_time, all threads of the process). Ratios are to the first line
of each group.
"""

import hashlib
import io
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert
from sqlalchemy.schema import CreateTable

from underwing.casebook.custody import Custody, Verifier, verify
from underwing.casebook.database import Database
from underwing.casebook.vault import Home

SIZE, RECORDS, ROUNDS = 64_000_000, 500, 5
FERNET = Fernet(Fernet.generate_key())


def hash_and_copy(data: bytes, path: Path) -> None:
    """SHA-256, and the bytes to a new file that is on the disk."""
    source, hashed = io.BytesIO(data), hashlib.sha256()
    with path.open("wb") as file:
        while part := source.read(4 << 20):
            hashed.update(part)
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def read_and_hash(path: Path) -> None:
    """The file again, hashed."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(4 << 20):
            hashed.update(part)


def best(groups: list[dict[str, Callable[[], object]]]) -> list[dict[str, float]]:
    """The least CPU seconds of each, all in turn."""
    taken: list[dict[str, list[float]]] = [{name: [] for name in group} for group in groups]
    for _ in range(ROUNDS):
        for group, times in zip(groups, taken, strict=True):
            for name, act in group.items():
                start = time.process_time()
                act()
                times[name].append(time.process_time() - start)
    return [{name: min(seconds) for name, seconds in times.items()} for times in taken]


def main() -> None:
    """Measure and print."""
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        home = Home.make(Path(folder) / "vault", Database(Path(folder) / "casebook.db"))
        data = os.urandom(SIZE)
        plain = Path(folder) / "plain"
        address, token = "", b""
        count = 0

        def vault_in() -> None:
            nonlocal address, count
            count += 1
            address = home.vault.put(io.BytesIO(data), case=f"c{count}", by="bench").address

        def vault_out() -> None:
            for _ in home.vault.read(address, by="bench", looking="machine-read"):
                pass

        def fernet_in() -> None:
            nonlocal token
            token = FERNET.encrypt(data)
            hash_and_copy(token, plain.with_suffix(".fernet"))

        def fernet_out() -> None:
            FERNET.decrypt(token)

        database = Database(Path(folder) / "rows.db")
        plain_rows = Table(
            "rows", MetaData(), Column("number", Integer, primary_key=True), Column("body", LargeBinary)
        )
        database.run(CreateTable(plain_rows))
        log = Custody(Database(Path(folder) / "log.db"), home.signer)
        body = os.urandom(400)

        bare = sqlite3.connect(Path(folder) / "bare.db", isolation_level=None)
        for statement in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                          "CREATE TABLE rows (number INTEGER PRIMARY KEY, body BLOB)"):  # fmt: skip
            bare.execute(statement)

        def bare_rows() -> None:
            for _ in range(RECORDS):
                bare.execute("BEGIN IMMEDIATE")
                bare.execute("INSERT INTO rows (body) VALUES (?)", (body,))
                bare.execute("COMMIT")

        def rows() -> None:
            for _ in range(RECORDS):
                with database.transaction():
                    database.run(insert(plain_rows).values(body=body))

        def records() -> None:
            for _ in range(RECORDS):
                log.append("saw-metadata", "bench", case="case-1", object="a" * 64, reason="to decide")

        def proof() -> None:
            assert not verify(log.entries(), Verifier(log.public_key)).problems

        groups: list[dict[str, Callable[[], object]]] = [
            {"hash and copy": lambda: hash_and_copy(data, plain), "vault put": vault_in, "Fernet, hash and copy": fernet_in},
            {"read and hash": lambda: read_and_hash(plain), "vault read": vault_out, "Fernet": fernet_out},
            {"plain rows, sqlite3": bare_rows, "plain rows, SQLAlchemy": rows, "custody records": records},
        ]  # fmt: skip
        for group, per, unit in zip(
            best(groups), (SIZE / 1e6, SIZE / 1e6, RECORDS), ("MB", "MB", "row"), strict=True
        ):
            first = next(iter(group.values()))
            for name, seconds in group.items():
                print(f"{name:24} {seconds / per * 1e6:9.1f} µs CPU a {unit}   {seconds / first:5.2f}")
            print()
        start = time.process_time()
        proof()
        print(
            f"{'custody verify':24} {(time.process_time() - start) / (RECORDS * ROUNDS) * 1e6:9.1f} µs CPU a record"
        )


if __name__ == "__main__":
    main()
