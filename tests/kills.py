"""Processes are killed (`kill -9`) at random moments; what they had answered must be there then, and nothing stand half.

    python tests/kills.py 200                          # 200 kills of each kind over SQLite
    python tests/kills.py 200 --postgresql             # over a PostgreSQL of its own
    python tests/kills.py 200 --only vault --seed 7    # one kind; the seed of the moments

| kind | who is killed | while it |
|---|---|---|
| `service` | the whole service | takes in events and files, and a person decides cases in the console |
| `vault` | the vault | takes evidence in and destroys it |
| `migration` | a migration | goes up and down |

A line tells of each kill: after how many seconds of work, what was answered before, what was found after. The suite does a
few of each (`test_kills.py`).
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from kill_migration import MigrationKills
from kill_rounds import Kills, Nursery
from kill_service import ServiceKills
from kill_vault import VaultKills
from postgres_server import server

KINDS: dict[str, Callable[[Path, str, Nursery], Kills]] = {
    "service": ServiceKills,
    "vault": VaultKills,
    "migration": MigrationKills,
}


def main() -> None:
    """Kill as told."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kills", type=int, help="how many of each kind")
    parser.add_argument("--postgresql", action="store_true", help="over a PostgreSQL of its own, not SQLite")
    parser.add_argument("--only", choices=KINDS, action="append", help="this kind (may be given again)")
    parser.add_argument("--seed", type=int, help="of the moments")
    given = parser.parse_args()
    seed = random.randrange(1_000_000) if given.seed is None else given.seed
    store = "postgresql" if given.postgresql else "sqlite"
    with ExitStack() as stack:
        running = stack.enter_context(server()) if given.postgresql else None
        for kind in given.only or KINDS:
            with ExitStack() as one:
                where = one.enter_context(running.empty()) if running is not None else ""
                folder = Path(one.enter_context(tempfile.TemporaryDirectory()))
                nursery = one.enter_context(Nursery(f"kill_{kind}.py"))
                kills = KINDS[kind](folder, where, nursery)
                chance = random.Random(seed)
                for number in range(1, given.kills + 1):
                    seconds, answered, found = kills.kill_once(chance)
                    when = f"{kind} {store} {number:4}  killed after {seconds:.3f} s"
                    print(when, answered, found, sep=" | ", flush=True)
            print(
                f"{given.kills} kills of {kind} over {store}, seed {seed}: nothing lost, nothing half",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
