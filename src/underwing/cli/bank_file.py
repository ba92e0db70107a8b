"""What the commands that need the banks share: their file, opened, and how an entry's label is given."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from underwing.banks.store import Store
from underwing.cli.common import now, stop
from underwing.model import LABELS

Label = Annotated[str | None, typer.Option("--label", help=f"One of {', '.join(LABELS)}.")]


@contextmanager
def open_banks(path: Path, *, make: bool = False) -> Iterator[Store]:
    """The banks at `path`, with what has expired by now ended; they are made only if asked."""
    if not make and not path.exists():
        stop(
            f"no banks at {path}; make one with `underwing banks create NAME`, or name the file with --banks"
        )
    store = Store.open(path)
    try:
        store.expire(now())
        yield store
    finally:
        store.close()
