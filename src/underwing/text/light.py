"""The light view of an ASCII message, in machine code: what `canonical` says, for the sieve to read on.

`numba` compiles a function when it is first used and keeps it beside its file, or in the user's cache directory.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

TELLING: Final = 8
"""The clue that a message has digits or signs which may hide something, or which a handle has."""
ROOM: Final = 2
"""A view takes at most so many bytes for each of its message's, and three."""

_OWN_TOKEN: Final = b"?$@+&%^"
_DELETED, _OWN, _OPENS = 1, 128, 129
_SPACE, _BRACKET = ord(" "), ord("[")


def _kinds() -> bytes:
    """For each ASCII byte the byte it becomes, or `_DELETED`, or `_OWN` for a token of its own, or `_OPENS`."""
    made = bytearray(b" " * 256)
    for code in b"abcdefghijklmnopqrstuvwxyz0123456789":
        made[code] = made[ord(chr(code).upper())] = code
    for code in _OWN_TOKEN:
        made[code] = _OWN
    for code in b"'`":
        made[code] = _DELETED
    made[_BRACKET] = _OPENS
    return bytes(made)


_KIND: Final = np.frombuffer(_kinds(), np.uint8)
_ALWAYS, _BEFORE_TEXT = 1, 2
_TELLS: Final = np.array(
    [_ALWAYS if c in b"0123456789@$|+*-_~^" else _BEFORE_TEXT if c in b".!" else 0 for c in range(256)],
    np.uint8,
)
"""Signs that may hide something always, and those that do not at the end of a sentence."""
_ELIDED: Final = tuple(
    int.from_bytes(word)
    for word in (*(b"%c" % c for c in b"cdjlmnst"), b"qu", b"jusqu", b"lorsqu", b"puisqu")
)
"""Words that lose their vowel before an apostrophe (French, Catalan, Italian)."""


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` in machine code, kept on disk where a directory can be written."""
    try:
        made: Callable[..., Any] = njit(cache=True)(function)
    except RuntimeError:
        made = njit(function)
    return made


@compiled
def _in_word(code: int) -> bool:
    """Whether a byte is a letter, a digit or an underscore."""
    return 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 or code == 95


@compiled
def _elides(text: bytes, at: int) -> bool:
    """Whether the apostrophe at `at` parts an elided article from its noun."""
    if at + 1 >= len(text) or not _in_word(text[at + 1]):
        return False
    word: Any = 0
    size = 0
    while size < 7 and at - 1 - size >= 0 and _in_word(text[at - 1 - size]):
        word |= np.int64(_KIND[text[at - 1 - size]]) << 8 * size
        size += 1
    for known in _ELIDED:  # noqa: SIM110 (machine code has no generators)
        if word == known:
            return True
    return False


@compiled
def write_light(text: bytes, view: Any) -> int:
    """Write the light view of ASCII `text` to `view` from its second byte; returns the view's end << 4 | `TELLING` or 0."""
    view[1] = _SPACE
    end = 2
    clues = 0
    for at in range(len(text)):
        code = text[at]
        kind = _KIND[code]
        tells = _TELLS[code]
        if tells == _ALWAYS:
            clues = TELLING
        elif tells == _BEFORE_TEXT and at + 1 < len(text):
            after = text[at + 1]
            if after != _SPACE and _TELLS[after] != _BEFORE_TEXT:
                clues = TELLING
        if kind == _DELETED:
            if not _elides(text, at):
                continue
            kind = _SPACE
        if kind >= _OWN:
            if view[end - 1] != _SPACE:
                view[end] = _SPACE
                end += 1
            view[end] = code
            end += 1
            if kind == _OWN:
                view[end] = _SPACE
                end += 1
        elif kind != _SPACE or view[end - 1] != _SPACE:
            view[end] = kind
            end += 1
    if end == 2 or view[end - 1] != _SPACE:
        view[end] = _SPACE
        end += 1
    return end << 4 | clues
