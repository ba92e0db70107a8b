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
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

from msgspec import Struct, structs

from underwing.text.canonical import canonical
from underwing.text.rarity import rarity_of_any

_PIECE = re.compile(r"<[a-z_0-9]+>\??|\)\?|[()|]|\.{2,3}(?=[\s|)]|$)|[^\s()<>|]+")
_SAFE = re.compile(r"[\\.^$*+?{}()|\[\]]")
_ANY_WORD = "[^ ]+ "
_GAPS = {"..": f"(?:{_ANY_WORD}){{0,3}}", "...": f"(?:{_ANY_WORD}){{0,7}}"}
BUILT_IN = {"num": r"[0-9]{1,5} ", "word": _ANY_WORD}
EDGE = "\n"
"""Stands before and after a view while literals are looked for, so that they can tell where a message begins and ends."""
_DIGITS = frozenset("0123456789")
WAYS = 60
"""Neighbouring elements are searched for as one phrase while they make at most this many phrases."""
_NOTHING: frozenset[str] = frozenset([""])


class PatternError(ValueError):
    """A pattern that cannot be compiled; says which and why."""


class Compiled(Struct, frozen=True):
    """A compiled pattern, or a part of one."""

    regex: str
    """Matches whole tokens, each with the space after it."""
    required: tuple[frozenset[str], ...]
    """Sets of search literals; of each set at least one stands in whatever matches."""
    exact: frozenset[str] | None = None
    """All that the part can match, where these are few; None where they are many or not known."""


def compile_pattern(pattern: str, slots: Mapping[str, list[str]]) -> Compiled:
    """Compile `pattern` with the word classes `slots`.

    Raises:
        PatternError: unknown slot, unbalanced brackets, or a pattern that nothing anchors.
    """
    made = _read(pattern, slots)
    if not made.required:
        raise PatternError(f"{pattern!r} has no word that it needs")
    return structs.replace(made, regex=made.regex if made.regex.startswith("^") else f" {made.regex}")


def _read(pattern: str, slots: Mapping[str, list[str]]) -> Compiled:
    return _Reader(f"({pattern})" if _has_bare_bar(pattern) else pattern, slots).sequence(0)


def _has_bare_bar(pattern: str) -> bool:
    """Whether a `|` stands outside all brackets: the whole pattern is then a choice."""
    depth = 0
    for piece in _PIECE.findall(pattern):
        depth += (piece == "(") - (piece in (")", ")?"))
        if piece == "|" and depth == 0:
            return True
    return False


def _quote(token: str) -> str:
    return _SAFE.sub(lambda m: "\\" + m.group(), token)


class _Run:
    """Collects the search literals of a sequence: phrases of neighbours as long as they are few."""

    def __init__(self) -> None:
        self.required: list[frozenset[str]] = []
        self._phrases = frozenset([" "])
        self._whole = True

    def begin(self) -> None:
        """The next element is the first of the message."""
        self._phrases = frozenset([f"{EDGE} "])

    def add(self, exact: frozenset[str]) -> None:
        """The next element is one of `exact`, each "" or tokens with the space after them."""
        if len(self._phrases) * len(exact) > WAYS:
            self.cut()
        self._phrases = frozenset(before + after for before in self._phrases for after in exact)

    def begin_of_word(self, parts: frozenset[str]) -> None:
        """The next element begins with one of `parts` and goes on to the end of a token."""
        self.add(parts)
        self.cut()

    def end_of_word(self, part: str) -> None:
        """The next element ends with `part`, which has the space after it."""
        self.cut()
        self._phrases = frozenset([part])

    def cut(self) -> None:
        """What comes next is no neighbour of what came before."""
        if all(phrase.strip() for phrase in self._phrases):
            self.required.append(self._phrases)
        self._phrases, self._whole = frozenset([" "]), False

    def done(self) -> tuple[tuple[frozenset[str], ...], frozenset[str] | None]:
        """(required, exact) of the whole sequence."""
        exact = frozenset(phrase[1:] for phrase in self._phrases) if self._whole else None
        self.cut()
        return tuple(self.required), exact


class _Reader:
    """Recursive descent over the pieces of one pattern."""

    def __init__(self, pattern: str, slots: Mapping[str, list[str]]) -> None:
        self._pattern, self._slots = pattern, slots
        self._pieces = _PIECE.findall(pattern)
        self._at = 0

    def _fail(self, why: str) -> NoReturn:
        raise PatternError(f"{why} in {self._pattern!r}")

    def sequence(self, depth: int) -> Compiled:
        """Elements up to the end, or inside brackets up to `|` or `)`."""
        regex: list[str] = []
        run = _Run()
        while self._at < len(self._pieces):
            piece = self._pieces[self._at]
            if depth and piece in ("|", ")", ")?"):
                break
            self._at += 1
            regex.append(self._element(piece, depth, run, first=not regex))
        required, exact = run.done()
        return Compiled("".join(regex), required, exact)

    def _element(self, piece: str, depth: int, run: _Run, *, first: bool) -> str:
        """Read one element into `run`; returns its regex."""
        if piece in _GAPS:
            run.cut()
            return _GAPS[piece]
        if piece == "BEGIN":
            if depth or not first:
                self._fail("BEGIN that does not come first")
            run.begin()
            return "^ "
        if piece == "END":
            run.add(frozenset([EDGE]))
            return "$"
        if piece == "?":
            run.add(frozenset(["? "]))
            return r"\? "
        if piece in (")", ")?", "|"):
            self._fail(f"a stray {piece!r}")
        if piece == "(":
            made = self._group(depth + 1)
            return self._taken(made, run, optional=self._pieces[self._at - 1] == ")?")
        optional = piece.endswith("?")
        core = piece[:-1] if optional else piece
        if not core.startswith("<"):
            return self._word(core, run, optional=optional)
        name = core[1:-1]
        if name in BUILT_IN:
            if name == "num" and not optional:
                run.begin_of_word(_DIGITS)
            else:
                run.cut()
            return f"(?:{BUILT_IN[name]})?" if optional else BUILT_IN[name]
        if name not in self._slots:
            self._fail(f"unknown slot <{name}>")
        return self._taken(_slot(tuple(self._slots[name])), run, optional=optional)

    @staticmethod
    def _taken(made: Compiled, run: _Run, *, optional: bool) -> str:
        """Put a group or a slot into `run`."""
        if made.exact is not None:
            run.add(made.exact | _NOTHING if optional else made.exact)
        else:
            run.cut()
            if not optional:
                run.required.extend(made.required)
        return f"(?:{made.regex})?" if optional else made.regex

    def _word(self, word: str, run: _Run, *, optional: bool) -> str:
        """One word with an optional star."""
        prefix, suffix = word.endswith("*"), word.startswith("*") and len(word) > 1
        folded = canonical(word.strip("*")).split()
        if not folded:
            return ""
        if suffix and prefix:
            raise PatternError(f"{word!r} may have a star on one side only")
        if (prefix or suffix) and len(folded[-1 if prefix else 0]) < 2:
            raise PatternError(f"{word!r} is too short for a star")
        tokens = " ".join(folded)
        regex = f"{'[^ ]*' if suffix else ''}{_quote(tokens)}{'[^ ]*' if prefix else ''} "
        if prefix or suffix:
            if optional:
                run.cut()
            elif prefix:
                run.begin_of_word(frozenset([tokens]))
            else:
                run.end_of_word(f"{tokens} ")
        else:
            run.add(frozenset([f"{tokens} ", ""] if optional else [f"{tokens} "]))
        return f"(?:{regex})?" if optional else regex

    def _group(self, depth: int) -> Compiled:
        """What stands between brackets; the opening one was read, the closing one is read here."""
        options: list[Compiled] = []
        while True:
            made = self.sequence(depth)
            if made.regex:
                options.append(made)
            if self._at >= len(self._pieces):
                self._fail("a bracket that is never closed")
            self._at += 1
            if self._pieces[self._at - 1] != "|":
                break
        if not options:
            self._fail("brackets without a word")
        return _any_of(options)


@lru_cache(maxsize=4096)
def _slot(phrases: tuple[str, ...]) -> Compiled:
    """All phrases of a slot as one alternative. Slots do not name other slots."""
    options = [_read(phrase, {}) for phrase in phrases]
    for phrase, option in zip(phrases, options, strict=True):
        if not option.required:
            raise PatternError(f"the phrase {phrase!r} of a slot needs no word")
    if not options:
        raise PatternError("an empty slot")
    return _any_of(options)


def _any_of(options: list[Compiled]) -> Compiled:
    """One of `options`, the longest first, each once."""
    regex = "(?:" + "|".join(sorted({o.regex for o in options}, key=lambda o: (-len(o), o))) + ")"
    required: tuple[frozenset[str], ...] = ()
    if all(o.required for o in options):
        required = (frozenset().union(*(min(o.required, key=rarity_of_any) for o in options)),)
    exact: frozenset[str] | None = frozenset()
    for option in options:
        exact = exact | option.exact if exact is not None and option.exact is not None else None
    return Compiled(regex, required, exact if exact is not None and len(exact) <= WAYS else None)
