"""A policy that follows its file, and never trades a good one for a bad one."""

from pathlib import Path

from underwing.policy.errors import PolicyError
from underwing.policy.loader import load_policy
from underwing.policy.policy import Policy


class PolicyFile:
    """The policy at `path` (None: the shipped one). When to look again is the caller's choice."""

    def __init__(self, path: Path | None = None) -> None:
        """Read the file for the first time.

        Raises:
            PolicyError: as `load_policy`; there is no older policy to keep.
        """
        self.path = path
        self._seen = self._stat()
        self._policy = load_policy(path)

    def current(self) -> Policy:
        """The last valid policy."""
        return self._policy

    def changed(self) -> bool:
        """Whether the file looks different from when it was last read (time, size or identity)."""
        return self.path is not None and self._stat() != self._seen

    def reload(self) -> str | None:
        """Read the file again; an invalid one changes nothing and its error text is returned."""
        self._seen = self._stat()  # before reading: a change in between shows up in `changed`
        try:
            policy = load_policy(self.path)
        except PolicyError as error:
            return str(error)
        if policy.version != self._policy.version:
            self._policy = policy
        return None

    def _stat(self) -> tuple[int, int, int] | None:
        if self.path is None:
            return None
        try:
            found = Path(self.path).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
