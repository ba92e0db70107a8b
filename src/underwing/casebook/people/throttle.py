"""How often one may try to sign in: per account and per address, in a bounded table, so that all processes count together.

The first tries are free, then each further one waits twice as long as the one before. After 100 wrong tries in a row an
account lets nobody in until it is reset (NIST SP 800-63B-4, section 3.2.2, allows no more). Names without an account count
the same way: waiting tells nothing. What is kept is a hash of the name, since people type pass-phrases there.
"""

import hashlib
import ipaddress

from msgspec import Struct
from sqlalchemy import case, delete, func, select, update

from underwing.casebook.database import Database
from underwing.casebook.people.tables import ATTEMPTS

CAPACITY = 20_000
"""Rows kept; those with the fewest failures, the oldest first, give way."""
_SPARE = 1_000


class Rule(Struct, frozen=True, kw_only=True):
    """`free` tries, then waits of `first` seconds, doubled up to `most`; no more after `stop` (0: never stopped). What is
    older than `forget` seconds (0: nothing) no longer counts."""

    free: int
    first: int = 30
    most: int = 900
    stop: int = 0
    forget: int = 0


ACCOUNT = Rule(free=5, stop=100)
ADDRESS = Rule(free=20, forget=3_600)
STOPPED = 86_400
"""What is said to wait where waiting alone does not help."""


def wait(rule: Rule, failures: int, last: int, now: int) -> int:
    """Seconds until the next try may be made, after so many failures, the last at `last`. Pure."""
    if rule.forget and now - last >= rule.forget:
        return 0
    if rule.stop and failures >= rule.stop:
        return STOPPED
    if failures < rule.free:
        return 0
    pause = min(rule.most, rule.first << min(failures - rule.free, 20))
    return max(0, last + pause - now)


def account_key(name: str) -> bytes:
    """The key of an account's row."""
    return hashlib.sha256(b"account " + name.encode("utf-8", "replace")).digest()


def address_key(address: str) -> bytes:
    """The key of an address' row; of IPv6 the first 64 bits, which one customer has to themselves."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
        network = f"{known}/64" if known.version == 6 else f"{known}/32"
        address = str(ipaddress.ip_network(network, strict=False))
    except ValueError:
        pass
    return hashlib.sha256(b"address " + address.encode("utf-8", "replace")).digest()


class Throttle:
    """The counts. `take` counts a try before it is judged; `good` takes that back."""

    def __init__(self, database: Database, capacity: int = CAPACITY) -> None:
        self._database, self._capacity = database, capacity

    def take(self, name: str, address: str, now: int) -> int:
        """Count a try, or the seconds to wait (then nothing is counted)."""
        keys = ((account_key(name), ACCOUNT), (address_key(address), ADDRESS))
        with self._database.transaction():
            pause = max(self._wait(key, rule, now) for key, rule in keys)
            if not pause:
                self._make_room()
                for key, rule in keys:
                    self._count(key, rule, now)
        return pause

    def good(self, name: str, address: str) -> None:
        """A try was right: the account's count ends, the address' is one less."""
        key = address_key(address)
        with self._database.transaction():
            self.forget(name)
            self._database.run(
                update(ATTEMPTS)
                .where(ATTEMPTS.c.key == key, ATTEMPTS.c.failures > 0)
                .values(failures=ATTEMPTS.c.failures - 1)
            )

    def forget(self, name: str) -> None:
        """End an account's count, as a reset does."""
        self._database.run(delete(ATTEMPTS).where(ATTEMPTS.c.key == account_key(name)))

    def _wait(self, key: bytes, rule: Rule, now: int) -> int:
        found = self._database.row(select(ATTEMPTS.c.failures, ATTEMPTS.c.last).where(ATTEMPTS.c.key == key))
        return wait(rule, found.failures, found.last, now) if found else 0

    def _count(self, key: bytes, rule: Rule, now: int) -> None:
        old = ATTEMPTS.c.last <= now - rule.forget if rule.forget else ATTEMPTS.c.failures < 0
        self._database.run(
            self._database.upsert(ATTEMPTS)
            .values(key=key, failures=1, last=now)
            .on_conflict_do_update(
                index_elements=["key"],
                set_={"failures": case((old, 1), else_=ATTEMPTS.c.failures + 1), "last": now},
            )
        )

    def _make_room(self) -> None:
        count = self._database.value(select(func.count()).select_from(ATTEMPTS)) or 0
        if count < self._capacity:
            return
        least = (
            select(ATTEMPTS.c.key)
            .order_by(ATTEMPTS.c.failures, ATTEMPTS.c.last)
            .limit(count - self._capacity + min(_SPARE, self._capacity // 2))
        )
        self._database.run(delete(ATTEMPTS).where(ATTEMPTS.c.key.in_(least)))
