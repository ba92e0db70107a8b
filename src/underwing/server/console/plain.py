"""Text that strangers wrote, made harmless to read: what cannot be seen is shown, and nothing is endless.

Escaping for HTML is the template's; this is about what escaping leaves: direction controls that turn a line around
(Trojan Source, CVE-2021-42574), invisible characters, piles of combining marks, and length.
"""

import unicodedata

MOST = 4_000
"""Characters of one text on a page."""
MOST_MARKS = 4
"""Combining marks in a row; what is beyond is shown as a count."""
_KEPT = "\n\t"
_HIDDEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))
_BLANK = "\u115f\u1160\u3164\uffa0\u2800\u034f"
"""Letters and marks that show nothing."""


def seen(character: str) -> str:
    """One character as it may be shown: itself, or `⟨U+202E⟩` for what would be obeyed or not be seen."""
    if character in _KEPT:
        return character
    if (
        character in _BLANK
        or unicodedata.category(character) in _HIDDEN
        or 0xE0100 <= ord(character) <= 0xE01EF
    ):
        return f"⟨U+{ord(character):04X}⟩"
    return character


def plain(text: object, most: int = MOST) -> str:
    """A text as it may be shown, at most `most` characters of it; then `… (+n)` says how many were left out."""
    given = str(text)
    if len(given) <= most and given.isascii() and given.isprintable():
        return given
    shown: list[str] = []
    marks = 0
    for character in given[:most]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MOST_MARKS:
            shown.append(seen(character))
        elif marks == MOST_MARKS + 1:
            shown.append("⟨…⟩")
    return "".join(shown) + (f" … (+{len(given) - most})" if len(given) > most else "")
