"""A process that migrates a casebook up and down is killed (`kill -9`) at random moments; then everything is looked at.

`python tests/casebook_kills.py 200` for many rounds on each database; the suite does a few.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import func, insert, select, text

from underwing.casebook import migrations
from underwing.casebook.cases.tables import marks
from underwing.casebook.database import Database

ROWS = 50


def work(where: str) -> None:
    """Migrate down and up until killed."""
    database = Database(where, prepared=False)
    print("ready", flush=True)
    while True:
        migrations.downgrade(database, migrations.REVISIONS[0])
        migrations.upgrade(database)


class Kills:
    """Rounds of killing over one casebook."""

    def __init__(self, where: str) -> None:
        self.where, self.rounds, self.between = where, 0, 0
        database = Database(where)
        database.run(insert(marks), [{"name": f"row {n}", "value": n} for n in range(ROWS)])
        database.close()

    def kill(self, chance: random.Random, times: int) -> None:
        """One process, killed after up to 0.3 s of work; as often as told, with a look after each."""
        for _ in range(times):
            command = [sys.executable, "-u", __file__, "--work", self.where]
            with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parent) as made:
                assert made.stdout is not None
                assert made.stdout.readline() == b"ready\n"
                time.sleep(chance.uniform(0, 0.3))
                made.kill()
            self.look()

    def look(self) -> None:
        """The tables are those of one revision, whole, with every row; and this program can go on with them."""
        database = Database(self.where, prepared=False)
        found = migrations.revision(database)
        assert found in (migrations.REVISIONS[0], migrations.HEAD)
        self.between += found != migrations.HEAD
        migrations.upgrade(database)
        migrations.agree(database)
        assert database.value(select(func.count()).select_from(marks)) == ROWS
        if database.kind == "sqlite":
            assert database.value(text("PRAGMA integrity_check")) == "ok"
        database.close()
        self.rounds += 1


def main() -> None:
    """The script's own way in."""
    if sys.argv[1] == "--work":
        work(sys.argv[2])
    import postgres_server

    with tempfile.TemporaryDirectory() as folder, postgres_server.server() as server, server.empty() as url:
        for where in (str(Path(folder) / "casebook.db"), url):
            kills = Kills(where)
            kills.kill(random.Random(), int(sys.argv[1]))
            print(
                f"{kills.rounds} kills of migrations in {where}: {kills.between} found below; nothing lost, nothing half"
            )


if __name__ == "__main__":
    main()
