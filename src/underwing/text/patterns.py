r"""The pattern language of the packs, compiled to linear-time regular expressions over the light view.

A pattern is a sequence of elements separated by spaces, each matching whole tokens:

==============  =====================================================================
`word`          that word (normalised like any message: accents, case and apostrophes do not matter)
`word*` `*word` any token that begins / ends so
`<name>`        any phrase of the slot `name`
`(a|b c|<n>)`   any of these; brackets may stand in brackets
`x?`            the element may be missing (`word?`, `<name>?`, `(a|b)?`)
`..`            up to 3 tokens in between
`...`           up to 7 tokens in between
`<num>`         a number of 1 to 5 digits        `<word>`  any one token
`BEGIN` `END`   begin and end of the message
`?`             a question mark
==============  =====================================================================

Punctuation in a pattern is passed over, as it is in a message. Patterns are matched at token
 boundaries; adjacent elements must be neighbours.
A phrase of a slot or an alternative may have gaps of its own (`(kick .. out|just for me)`).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NoReturn

from underwing.text.canonical import canonical

_PIECE = re.compile(r"<[a-z_0-9]+>\??|\)\?|[()|]|\.{2,3}(?=[\s|)]|$)|[^\s()<>|]+")
_SAFE = re.compile(r"[\\.^$*+?{}()|\[\]]")
_ANY_WORD = "[^ ]+ "
_GAPS = {"..": f"(?:{_ANY_WORD}){{0,3}}", "...": f"(?:{_ANY_WORD}){{0,7}}"}
BUILT_IN = {"num": r"[0-9]{1,5} ", "word": _ANY_WORD}


class PatternError(ValueError):
    """A pattern that cannot be compiled; says which and why."""


def _quote(token: str) -> str:
    return _SAFE.sub(lambda m: "\\" + m.group(), token)


@lru_cache(maxsize=65_536)
def _word(word: str) -> tuple[str, list[str]]:
    """One word with optional stars → (regex of whole tokens, its search literals)."""
    prefix, suffix = word.endswith("*"), word.startswith("*") and len(word) > 1
    folded = canonical(word.strip("*")).split()
    if not folded:
        return "", [""]
    if suffix and prefix:
        raise PatternError(f"{word!r} may have a star on one side only")
    if (prefix or suffix) and len(folded[-1 if prefix else 0]) < 2:
        raise PatternError(f"{word!r} is too short for a star")
    body = " ".join(_quote(t) for t in folded)
    if prefix:
        literal = f" {folded[-1]}" if len(folded) == 1 else f" {folded[0]} "
        return f"{body}[^ ]* ", [literal]
    if suffix:
        literal = f"{folded[0]} " if len(folded) == 1 else f" {folded[-1]} "
        return f"[^ ]*{body} ", [literal]
    longest = max(folded, key=len)
    return f"{body} ", [f" {longest} "]


class Compiled:
    """A compiled pattern: a regex for the whole, and for each required element its search literals."""

    __slots__ = ("regex", "required")

    def __init__(self, regex: str, required: list[frozenset[str]]) -> None:
        self.regex = regex
        self.required = required


def compile_pattern(pattern: str, slots: Mapping[str, list[str]]) -> Compiled:
    """Compile `pattern` with the word classes `slots`.

    Raises:
        PatternError: unknown slot, unbalanced brackets, or a pattern that nothing anchors.
    """
    regex, required = _Reader(f"({pattern})" if _has_bare_bar(pattern) else pattern, slots).sequence(0)
    if not required:
        raise PatternError(f"{pattern!r} has no word that it needs")
    return Compiled(regex if regex.startswith("^") else f" {regex}", required)


def _has_bare_bar(pattern: str) -> bool:
    """Whether a `|` stands outside all brackets: the whole pattern is then a choice."""
    depth = 0
    for piece in _PIECE.findall(pattern):
        depth += (piece == "(") - (piece in (")", ")?"))
        if piece == "|" and depth == 0:
            return True
    return False


class _Reader:
    """Recursive descent over the pieces of one pattern."""

    def __init__(self, pattern: str, slots: Mapping[str, list[str]]) -> None:
        self._pattern, self._slots = pattern, slots
        self._pieces = _PIECE.findall(pattern)
        self._at = 0

    def _fail(self, why: str) -> NoReturn:
        raise PatternError(f"{why} in {self._pattern!r}")

    def sequence(self, depth: int) -> tuple[str, list[frozenset[str]]]:
        """Elements up to the end, or inside brackets up to `|` or `)`: (regex, required literals)."""
        regex: list[str] = []
        required: list[frozenset[str]] = []
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            if depth and piece in ("|", ")", ")?"):
                break
            self._at += 1
            made, literals, optional = self._element(piece, depth, first=not regex)
            if optional:
                made = f"(?:{made})?"
            elif literals:
                required.append(literals)
            regex.append(made)
        return "".join(regex), required

    def _element(self, piece: str, depth: int, *, first: bool) -> tuple[str, frozenset[str], bool]:
        """One element: (regex, its search literals, whether it may be missing)."""
        nothing: frozenset[str] = frozenset()
        if piece == "(":
            made, literals = self._group(depth + 1)
            closing = self._pieces[self._at - 1]
            return made, literals, closing == ")?"
        if piece in (")", ")?", "|"):
            self._fail(f"a stray {piece!r}")
        if piece in _GAPS:
            return _GAPS[piece], nothing, False
        if piece == "BEGIN":
            if depth or not first:
                self._fail("BEGIN that does not come first")
            return "^ ", nothing, False
        if piece == "END":
            return "$", nothing, False
        if piece == "?":
            return r"\? ", frozenset([" ? "]), False
        optional = piece.endswith("?")
        core = piece[:-1] if optional else piece
        if core.startswith("<"):
            name = core[1:-1]
            if name in BUILT_IN:
                return BUILT_IN[name], nothing, optional
            if name not in self._slots:
                self._fail(f"unknown slot <{name}>")
            return *_slot(tuple(self._slots[name])), optional
        made, found = _word(core)
        return made, frozenset(found) if made else nothing, optional and bool(made)

    def _group(self, depth: int) -> tuple[str, frozenset[str]]:
        """What stands between brackets; the opening one was read, the closing one is read here."""
        options: list[str] = []
        literals: set[str] = set()
        anchored = True
        while True:
            made, required = self.sequence(depth)
            if made:
                options.append(made)
                if required:
                    literals.update(max(required, key=_telling))
                else:
                    anchored = False
            if self._at >= len(self._pieces):
                self._fail("a bracket that is never closed")
            self._at += 1
            if self._pieces[self._at - 1] != "|":
                break
        if not options:
            self._fail("brackets without a word")
        return _any_of(options), frozenset(literals if anchored else ())


@lru_cache(maxsize=4096)
def _slot(phrases: tuple[str, ...]) -> tuple[str, frozenset[str]]:
    """All phrases of a slot as one alternative. Slots do not name other slots."""
    options: list[str] = []
    literals: set[str] = set()
    for phrase in phrases:
        made, required = _Reader(f"({phrase})" if _has_bare_bar(phrase) else phrase, {}).sequence(0)
        if not required:
            raise PatternError(f"the phrase {phrase!r} of a slot needs no word")
        options.append(made)
        literals.update(max(required, key=_telling))
    if not options:
        raise PatternError("an empty slot")
    return _any_of(options), frozenset(literals)


def _telling(literals: Iterable[str]) -> int:
    """How telling a required element is: the length of its shortest search literal."""
    return min(map(len, literals))


def _any_of(options: list[str]) -> str:
    """One of `options`, the longest first, each once."""
    return "(?:" + "|".join(sorted(set(options), key=lambda o: (-len(o), o))) + ")"
