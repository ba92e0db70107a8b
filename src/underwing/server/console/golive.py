"""Putting a policy in force: the file that the service follows is replaced whole, and what was there is kept beside it."""

import os
import tempfile
from pathlib import Path

from underwing.policy import PolicyError, load_policy, parse_policy


def put_in_force(path: Path, text: str) -> tuple[Path, str]:
    """Write `text` over the policy at `path`; (where the old one is kept, the new one's version).

    On the disk when it returns; a crash leaves the old policy or the new one, never half of one. The old one is kept under
    its version; a file that was there under that name already is the same policy and stays.

    Raises:
        PolicyError: the text is no policy, or the file cannot be written.
    """
    data = text.encode("utf-8")
    version = parse_policy(data, "the new policy").version
    try:
        old = path.read_bytes()
        kept = path.with_name(f"{path.stem}.{load_policy(path).version}{path.suffix}")
        if not kept.exists():
            _write(kept, old)
        _write(path, data)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror or error}; the policy in force stays") from None
    return kept, version


def _write(path: Path, data: bytes) -> None:
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
