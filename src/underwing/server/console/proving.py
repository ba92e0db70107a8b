"""Proving the custody log while people wait for it: one proof at a time, in a thread, with how far it is."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

from msgspec import Struct

from underwing.casebook.custody import Entry, Problem, Proof, Verifier, verify
from underwing.casebook.custody.paging import last_number
from underwing.casebook.errors import CasebookError
from underwing.casebook.vault import Home
from underwing.casebook.vault.verify import verify_vault

MOST_PROBLEMS = 20


class Proven(Struct, frozen=True, kw_only=True):
    """What came of a proof: `problems` with the log or the vault, the first ones; none means that everything holds."""

    at: float
    by: str
    contents: bool
    count: int
    head: str
    checkpoints: int
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    failed: str = ""
    """Why it could not be carried out."""


class Proving:
    """The proof that runs, and what the last one said. For one event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.done, self.total, self.in_vault = 0, 0, False
        self.last: Proven | None = None

    @property
    def running(self) -> bool:
        """Whether one runs."""
        return self._task is not None and not self._task.done()

    def start(self, home: Home, by: str, contents: bool) -> bool:
        """Begin; False where one runs already."""
        if self.running:
            return False
        self.done, self.total, self.in_vault = 0, 0, False
        self._task = asyncio.create_task(self._run(home, by, contents))
        return True

    async def _run(self, home: Home, by: str, contents: bool) -> None:
        try:
            proof, problems = await asyncio.to_thread(self._prove, home, contents)
            failed = ""
        except (CasebookError, OSError) as error:
            proof, problems, failed = (
                Proof(count=0, head="", checkpoints=0, problems=(), notes=()),
                (),
                str(error),
            )
        self.last = Proven(
            at=self._clock(), by=by, contents=contents, count=proof.count, head=proof.head, failed=failed,
            checkpoints=proof.checkpoints, problems=problems[:MOST_PROBLEMS], notes=proof.notes[:MOST_PROBLEMS],
        )  # fmt: skip

    def _prove(self, home: Home, contents: bool) -> tuple[Proof, tuple[Problem, ...]]:
        self.total = last_number(home.database)
        verifier = Verifier(home.signer.public)
        own = [(f"checkpoint {n}", made) for n, made in enumerate(home.custody.checkpoints(), 1)]
        now = datetime.fromtimestamp(self._clock(), UTC)
        proof = verify(self._counted(home.custody.entries()), verifier, own, now)
        if proof.problems:
            return proof, proof.problems
        self.in_vault = True
        return proof, tuple(verify_vault(home.vault, home.custody, verifier, contents))

    def _counted(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        for entry in entries:
            self.done += 1
            yield entry
