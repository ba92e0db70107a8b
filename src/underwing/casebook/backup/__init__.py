"""Backups: everything that a service knows in one file, made while it runs, and brought back proven or not at all.

`archive` is the file (a tar, encrypted under a pass-phrase), `rows` the casebook's tables as values that fit both databases,
`files` copies of SQLite files, `take` makes a backup, `bring` restores one. May import: model.
"""

from underwing.casebook.backup.archive import BackupError
from underwing.casebook.backup.bring import Brought, Places, bring
from underwing.casebook.backup.take import Taken, take

__all__ = ["BackupError", "Brought", "Places", "Taken", "bring", "take"]
