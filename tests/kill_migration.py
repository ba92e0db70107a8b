"""A process that migrates a casebook up and down is killed; then everything is looked at."""

import random
from pathlib import Path

from sqlalchemy import func, insert, select, text

from kill_rounds import Nursery, Round, fork_for_each_line
from underwing.casebook import migrations
from underwing.casebook.cases.tables import marks
from underwing.casebook.database import Database

ROWS = 50


def work(where: str) -> None:
    """Migrate down and up until killed."""
    database, ready = Database(where, prepared=False), False
    while True:
        migrations.downgrade(database, migrations.REVISIONS[0])
        print("down", flush=True)
        migrations.upgrade(database)
        print("up", flush=True)
        if not ready:  # by now everything is loaded, and kills fall into the work itself
            ready = True
            print("ready", flush=True)


class MigrationKills:
    """Rounds of killing over one casebook."""

    def __init__(self, folder: Path, where: str, nursery: Nursery) -> None:
        self.folder, self.where, self.nursery = folder, where or str(folder / "migrated.db"), nursery
        database = Database(self.where)
        database.run(insert(marks), [{"name": f"row {n}", "value": n} for n in range(ROWS)])
        database.close()

    def kill_once(self, chance: random.Random) -> Round:
        """One process, killed after up to 0.5 s of migrating down and up."""
        seconds = chance.uniform(0, 0.5)
        told = self.nursery.answers(self.folder, 0, seconds, self.where)
        return Round(seconds, f"{told.count('down')} times down, {told.count('up')} up", self.look())

    def look(self) -> str:
        """The tables are those of one revision, whole, with every row; and this program can go on with them."""
        database = Database(self.where, prepared=False)
        found = migrations.revision(database)
        assert found in (migrations.REVISIONS[0], migrations.HEAD)
        migrations.upgrade(database)
        migrations.agree(database)
        assert database.value(select(func.count()).select_from(marks)) == ROWS
        if database.kind == "sqlite":
            assert database.value(text("PRAGMA integrity_check")) == "ok"
        database.close()
        return f"whole at revision {found}"


if __name__ == "__main__":
    fork_for_each_line(work)
