"""The light view of a message: casefolded, unaccented tokens between single spaces.

`" dont tell your mum ? "` is what the patterns are written against, and the patterns themselves go through
the same function, so that a pack author writes naturally. Zero-width, bidi and combining characters vanish
here; look-alikes, leet and spacing are `deobfuscate`'s job.
"""

import re
import unicodedata
from functools import lru_cache

import numpy as np

from underwing.text.light import ROOM, write_light

_APOSTROPHES = "'’‘`´ʼ′"
_ELISION = re.compile(
    r"['’ʼ´`](?=\w)(?:(?<=\b[cdjlmnst].)|(?<=\bqu.)|(?<=\bjusqu.)|(?<=\blorsqu.)|(?<=\bpuisqu.))"
)
"""The apostrophe between an elided article and its noun; begins with the apostrophe to be quick where there is none."""
_MONEY = "$€£¥₱₹₽₩₪﷼¢"
_OWN_TOKEN = {"?": "?", "؟": "?", "¿": " ", "@": "@", "+": "+", "&": "&", "%": "%"}
_LETTERS = {
    "ł": "l",
    "ø": "o",
    "đ": "d",
    "ħ": "h",
    "ı": "i",
    "æ": "ae",
    "œ": "oe",
    "ð": "d",
    "þ": "th",
    # Arabic: one form for letters that people and keyboards interchange.
    "ة": "ه",
    "ى": "ي",
    "ی": "ي",
    "ې": "ي",
    "ک": "ك",
    "ګ": "ك",
    "ھ": "ه",
    "ہ": "ه",
    "ٱ": "ا",
    "ـ": "",
}


def _fold(char: str) -> str:
    """What one decomposed, casefolded character becomes; "" deletes it, spaces split tokens."""
    if char in _LETTERS:
        return _LETTERS[char]
    if char in _APOSTROPHES:
        return ""
    if char in _MONEY:
        return " $ "
    if char in _OWN_TOKEN:
        own = _OWN_TOKEN[char]
        return f" {own} "
    if char == "[":
        return " ["
    category = unicodedata.category(char)
    if category[0] == "L":
        return char
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category[0] == "M" or category in ("Cf", "Cs") or 0x1F3FB <= ord(char) <= 0x1F3FF:
        return ""
    if category == "So" or category == "Sk":
        return f" {char} "
    return " "


class _Table(dict[int, str]):
    """A translation table that fills itself, bounded by the number of Unicode code points."""

    def __missing__(self, key: int) -> str:
        value = self[key] = _fold(chr(key))
        return value


_TABLE = _Table()
_ASCII_TOKEN = re.compile(r"[?$@+&%^]|\[[a-z0-9'`]*|[a-z0-9'`]+")


def canonical(text: str) -> str:
    """The light view of `text`: its tokens with one space before, between and after them.

    >>> canonical("Don’t tell your MUM, ok?")
    ' dont tell your mum ok ? '
    >>> canonical("[Photo] of l’école… ₱250")
    ' [photo of l ecole $ 250 '
    """
    if text.isascii():
        data = text.encode()
        view = np.empty(ROOM * len(data) + 8, np.uint8)
        return str(view.data[1 : write_light(data, view) >> 4], "ascii")
    folded = text.casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFKD", folded).casefold()
    if "'" in folded or "’" in folded or "`" in folded or "´" in folded or "ʼ" in folded:
        folded = _ELISION.sub(" ", folded)
    return " " + " ".join(folded.translate(_TABLE).split()) + " "


def tokens(text: str) -> list[tuple[str, int, int]]:
    """The tokens of the light view with the span of `text` each came from: (token, start, end).

    Agrees with `canonical`: joining the tokens gives the same view. Slower; used once something matched.
    """
    if text.isascii():
        lowered = _ELISION.sub(" ", text.lower()) if "'" in text or "`" in text else text.lower()
        pieces = [(m.group(), m.start(), m.end()) for m in _ASCII_TOKEN.finditer(lowered)]
        if "'" not in lowered and "`" not in lowered:
            return pieces
        bare = ((word.replace("'", "").replace("`", ""), start, end) for word, start, end in pieces)
        return [(word, start, end) for word, start, end in bare if word]
    split_at = _elisions(text) if any(mark in text for mark in _APOSTROPHES) else frozenset()
    found: list[tuple[str, int, int]] = []
    word = ""
    start = end = 0
    for index, original in enumerate(text):
        if index in split_at:
            pieces_of: tuple[str, ...] = (" ",)
        else:
            pieces_of = _pieces(original)
        for piece in pieces_of:
            if piece != " ":
                if not word:
                    start = index
                word += piece
                end = index + 1
            elif word:
                found.append((word, start, end))
                word = ""
    if word:
        found.append((word, start, end))
    return found


@lru_cache(maxsize=8192)
def _pieces(char: str) -> tuple[str, ...]:
    """What one original character becomes: pieces of tokens, " " where a token ends."""
    folded = unicodedata.normalize("NFKD", char.casefold()).casefold()
    made = "".join(_TABLE[ord(c)] for c in folded)
    return tuple(" " if piece.isspace() else piece for piece in re.findall(r"\s|\S+", made))


def _elisions(text: str) -> frozenset[int]:
    """Indices in `text` of the apostrophes that split an elided article from its noun."""
    folded: list[str] = []
    origin: list[int] = []
    for index, original in enumerate(text):
        for char in unicodedata.normalize("NFKD", original.casefold()).casefold():
            folded.append(char)
            origin.append(index)
    return frozenset(origin[match.end() - 1] for match in _ELISION.finditer("".join(folded)))


def span_of(view: str, start: int, end: int, spans: list[tuple[str, int, int]]) -> tuple[int, int] | None:
    """The original span of characters `start`..`end` of a view whose tokens are `spans`."""
    first = view.count(" ", 0, start + 1) - 1
    last = view.count(" ", 0, max(start + 1, end - 1)) - 1
    if view[start] != " ":
        last = max(last, first)
    if not 0 <= first < len(spans):
        return None
    return spans[first][1], spans[min(last, len(spans) - 1)][2]
