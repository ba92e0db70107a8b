"""Where decisions reach people: cases, their context, the evidence vault, the custody log, who works with them.

`cases/` gathers what belongs together, says what comes first and wakes people; `context/` keeps the last messages of each
conversation, encrypted; `custody/` is the log of who did what to which evidence; `vault/` keeps the evidence itself;
`people/` are those who work here, `care/` guards what they look at, `appeals/` answers whom a decision met.
All of them share one database (`database.py`, `columns.py`, `tables.py`, `migrations/`), so that an act and its record are
one transaction; only what waits of conversations lies in a file of its own. `backup/` puts everything into one file.
Nothing here judges: the engine decided, a person looks, and what they decide goes back as labels.

May import: model.
"""
