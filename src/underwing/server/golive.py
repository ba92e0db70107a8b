"""Putting a policy in force: the file that the service follows is replaced whole, and what was there is kept beside it.

File and record are made one by a third thing: within the transaction of the record the new policy is laid beside the file,
under the record's number; once that is committed it takes the file's place. A service that died in between does so at its
next start (`resume`), or throws away what no record speaks of.
"""

import os
import tempfile
from pathlib import Path

from underwing.casebook.custody import Custody
from underwing.policy import PolicyError, load_policy, parse_policy

PUT = "policy put in force"
"""What the record of it says was done."""


def put_in_force(path: Path, text: str) -> tuple[Path, str]:
    """Write `text` over the policy at `path`; (where the old one is kept, the new one's version).

    On the disk when it returns; a crash leaves the old policy or the new one, never half of one. The old one is kept under
    its version; a file that was there under that name already is the same policy and stays.

    Raises:
        PolicyError: the text is no policy, or the file cannot be written.
    """
    version = parse_policy(text.encode(), "the new policy").version
    return finish(path, stage(path, text, 0)), version


def stage(path: Path, text: str, record: int) -> Path:
    """Lay a policy beside the one at `path`, on the disk when it returns; where it lies. `record` is the number of the
    record that will say it is in force.

    Raises:
        PolicyError: the file cannot be written, or what it would replace is no policy and could not be kept.
    """
    staged = path.with_name(f".{path.name}.{record}.next")
    try:
        path.stat()
        load_policy(path)
        _write(staged, text.encode(), _mode(path))
    except OSError as error:
        raise _stays(path, error) from None
    return staged


def finish(path: Path, staged: Path) -> Path:
    """Let what was laid beside a policy take its place; where the old one is kept. May be done again after a crash.

    Raises:
        PolicyError: it cannot be written.
    """
    try:
        kept = path.with_name(f"{path.stem}.{load_policy(path).version}{path.suffix}")
        if not kept.exists():
            _write(kept, path.read_bytes(), _mode(path))
        staged.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _stays(path, error) from None
    return kept


def resume(path: Path, custody: Custody) -> list[str]:
    """Finish what a service that died had begun; the versions that are in force by that, oldest first.

    Raises:
        PolicyError: it cannot be written.
    """
    done = []
    for number, staged in sorted(_staged(path)):
        try:
            version = parse_policy(staged.read_bytes(), staged.name).version
        except PolicyError:  # half written: it died before the record
            version = ""
        if version and _recorded(custody, number) == version:
            finish(path, staged)
            done.append(version)
        else:
            staged.unlink(missing_ok=True)
    return done


def _staged(path: Path) -> list[tuple[int, Path]]:
    found = (
        (one.name.removeprefix(f".{path.name}.").removesuffix(".next"), one)
        for one in path.parent.glob(".*.next")
    )
    return [(int(number), one) for number, one in found if number.isdecimal()]


def _recorded(custody: Custody, number: int) -> str:
    """The version that a record says was put in force, "" where it says no such thing."""
    record = next(custody.records(number - 1), None)
    said = record is not None and record.number == number and record.facts.get("what") == PUT
    return str(record.facts.get("version", "")) if record is not None and said else ""


def _stays(path: Path, error: OSError) -> PolicyError:
    return PolicyError(f"{path}: {error.strerror or error}; the policy in force stays")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _write(path: Path, data: bytes, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(directory: Path) -> None:
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
