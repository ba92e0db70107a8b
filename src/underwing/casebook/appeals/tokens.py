"""Tokens: how one objects without an account, while suspended. Only a hash of each is kept."""

import re
import secrets
from hashlib import sha256

LONGEST_DAYS, DAYS = 400, 190
"""Days that a token lasts at the most and if nothing is said: at least six months, as Art. 20(1) DSA asks."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


def make() -> str:
    """A new token: 256 random bits in 43 characters that stand in an address as they are."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str | None:
    """What is kept of a token (hex); None for what cannot be one. A plain hash does: nobody guesses 256 bits."""
    return sha256(b"underwing appeal\n" + token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None
