"""How pass-phrases are kept: Argon2id (RFC 9106).

Parameters: the second recommended option of RFC 9106, section 4 (t=3, 64 MiB, 4 lanes, salt of 128 bits, tag of 256), which
argon2-cffi calls `RFC_9106_LOW_MEMORY`. A hash made with others is made anew at the next good sign-in.
"""

import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from underwing.casebook.people.phrases import MOST, normal

AT_ONCE = 2
"""Hashes made at the same time: each takes 64 MiB."""


class Hasher:
    """Makes and checks hashes, a few at a time, so that a flood of sign-ins takes a bounded amount of memory."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    @cached_property
    def _nobody(self) -> str:
        """What is checked when there is no account, so that it takes as long."""
        return self._hasher.hash("nobody has this pass-phrase")

    def make(self, phrase: str) -> str:
        """The hash of a phrase in its normal form."""
        with self._turn:
            return self._hasher.hash(phrase)

    def good(self, hash: str, phrase: str) -> bool:
        """Whether `phrase` (as typed) is the one. An empty hash takes as long as any and is never the one."""
        typed = normal(phrase[: 4 * MOST])
        with self._turn:
            try:
                return self._hasher.verify(hash or self._nobody, typed) and bool(hash)
            except (VerificationError, InvalidHashError):
                return False

    def is_old(self, hash: str) -> bool:
        """Whether a hash was made with other parameters."""
        return self._hasher.check_needs_rehash(hash)
