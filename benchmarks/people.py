"""What signing in costs, and whether a refusal's cost tells who has an account.

Method: CPU time of this process (`process_time`, all threads) as the median of ROUNDS; a SQLite casebook in a temporary
directory with `durability` normal, so that the disk's commits do not hide the work. Hashes are checked beside scrypt and
PBKDF2 of the standard library with the parameters that OWASP's Password Storage Cheat Sheet names; sessions beside a bare
look-up of one row by its key with the standard library's sqlite3. Refusals are counted with throttling forgotten before
each, once with the shipped hash and once with one that costs nothing, to see what is left of a difference.
"""

import hashlib
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import delete

from underwing.casebook.custody import Custody, Signer
from underwing.casebook.database import Database
from underwing.casebook.keys import KeyFile
from underwing.casebook.people import People
from underwing.casebook.people.hashing import Hasher
from underwing.casebook.people.tables import ATTEMPTS

ROUNDS, MANY = 15, 2_000
PHRASE, ADDRESS = "seven calm otters rowing", "192.0.2.7"


def cost(act: Callable[[], object], rounds: int) -> float:
    """Median CPU seconds of an act."""
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        act()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def hashes(out: Console) -> None:
    """A check of a pass-phrase."""
    hasher, salt, phrase = Hasher(), b"s" * 16, PHRASE.encode()
    made = hasher.make(PHRASE)
    known = {
        "argon2id, RFC 9106 second (shipped)": lambda: hasher.good(made, PHRASE),
        "scrypt N=2^17 r=8 p=1": lambda: hashlib.scrypt(phrase, salt=salt, n=2**17, r=8, p=1, maxmem=2**28),
        "PBKDF2-HMAC-SHA256, 600,000": lambda: hashlib.pbkdf2_hmac("sha256", phrase, salt, 600_000),
    }
    told({name: cost(act, ROUNDS) * 1e3 for name, act in known.items()}, "ms", "a pass-phrase checked", out)


def sessions(people: People, home: Path, out: Console) -> None:
    """A request's session."""
    member = people.member(people.add("anna", "Anna", "senior", "bench", password=PHRASE)[0].id)
    assert member is not None
    token = people._sessions.open(member.id, people.now, complete=True).token
    bare = sqlite3.connect(home / "bare.db")
    bare.execute("CREATE TABLE s (hash BLOB PRIMARY KEY, member TEXT, seen INTEGER)")
    key = hashlib.sha256(token.encode()).digest()
    bare.execute("INSERT INTO s VALUES (?, ?, ?)", (key, member.id, 0))

    def many(act: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            for _ in range(MANY):
                act()

        return run

    measured = {
        "bare look-up by key (sqlite3)": many(
            lambda: bare.execute("SELECT * FROM s WHERE hash = ?", (key,)).fetchone()
        ),
        "people.session(token)": many(lambda: people.session(token)),
    }
    told({name: cost(act, 5) / MANY * 1e6 for name, act in measured.items()}, "µs", "whose a cookie is", out)


class _Free(Hasher):
    """Knows by itself what is right."""

    def good(self, hash: str, phrase: str) -> bool:
        return bool(hash) and phrase == PHRASE

    def is_old(self, hash: str) -> bool:
        return False


def refusals(
    people: People, database: Database, hasher: Hasher, rounds: int, what: str, out: Console
) -> None:
    """Refused sign-ins of each kind."""
    people._hasher = hasher
    tries = {
        "no such account": ("nobody", "wrong wrong wrong"),
        "wrong pass-phrase": ("ben", "wrong wrong wrong"),
        "right pass-phrase, wrong code": ("ben", PHRASE),
        "closed account": ("carl", PHRASE),
    }

    def refused(name: str, phrase: str) -> Callable[[], None]:
        def run() -> None:
            database.run(delete(ATTEMPTS))
            people.sign_in(name, phrase, "000000", ADDRESS)

        return run

    told({kind: cost(refused(*given), rounds) * 1e3 for kind, given in tries.items()}, "ms", what, out)


def told(measured: dict[str, float], unit: str, what: str, out: Console) -> None:
    """A table with the ratio to its first line."""
    table = Table(title=what, title_justify="left")
    for column in ("", f"{unit} CPU", "ratio"):
        table.add_column(column, justify="left" if not column else "right")
    first = next(iter(measured.values()))
    for name, value in measured.items():
        table.add_row(name, f"{value:,.2f}", f"{value / first:.2f}")
    out.print(table)


def main() -> None:
    """Measure and print."""
    out = Console()
    print(__doc__)
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        database = Database(home / "casebook.db", durability="normal")
        people = People(database, Custody(database, Signer.made()), KeyFile.make(home / "key"))
        hashes(out)
        sessions(people, home, out)
        ben = people.add("ben", "Ben", "senior", "bench", password=PHRASE)[0]
        carl = people.add("carl", "Carl", "senior", "bench", password=PHRASE)[0]
        people._members.set(ben.id, totp=people._secrets.seal(ben.id, people.begin_totp(ben).secret))
        people.revoke(carl.id, "bench")
        refusals(people, database, Hasher(), ROUNDS, "a refused sign-in, shipped hash", out)
        refusals(people, database, _Free(), 200, "a refused sign-in, without the hash", out)
        database.close()


if __name__ == "__main__":
    main()
