r"""The pattern language of the packs, compiled to linear-time regular expressions over the light view.

A pattern is a sequence of elements separated by spaces, each matching whole tokens:

==============  =====================================================================
`word`          that word (normalised like any message: accents, case and apostrophes do not matter)
`word*` `*word` any token that begins / ends so
`<name>`        any phrase of the slot `name`
`(a|b c|<n>)`   any of these
`x?`            the element may be missing (`word?`, `<name>?`, `(a|b)?`)
`..`            up to 3 tokens in between
`...`           up to 7 tokens in between
`<num>`         a number of 1 to 5 digits        `<word>`  any one token
`BEGIN` `END`   begin and end of the message
`?`             a question mark
==============  =====================================================================

Patterns are matched at token boundaries; adjacent elements must be neighbours.
A phrase of a slot or an alternative may have gaps of its own (`(kick .. out|just for me)`).
"""

import re
from collections.abc import Mapping

from underwing.text.canonical import canonical

_ELEMENT = re.compile(r"\([^()]*\)\??|<[a-z_0-9]+>\??|[^\s()<>|]+")
_SAFE = re.compile(r"[\\.^$*+?{}()|\[\]]")
_TOKEN = "[^ ]+ "
_GAPS = {"..": f"(?:{_TOKEN}){{0,3}}", "...": f"(?:{_TOKEN}){{0,7}}"}
BUILT_IN = {"num": r"[0-9]{1,5} ", "word": _TOKEN}


class PatternError(ValueError):
    """A pattern that cannot be compiled; says which and why."""


def _quote(token: str) -> str:
    return _SAFE.sub(lambda m: "\\" + m.group(), token)


def _word(word: str) -> tuple[str, list[str]]:
    """One word with optional stars → (regex of whole tokens, its search literals)."""
    prefix, suffix = word.endswith("*"), word.startswith("*") and len(word) > 1
    folded = canonical(word.strip("*")).split()
    if not folded:
        raise PatternError(f"{word!r} is nothing but punctuation")
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


def _phrase(phrase: str) -> tuple[str, list[str]]:
    """Several words in a row → (regex, search literals of its most telling word)."""
    parts = [(_GAPS[w], [""]) if w in _GAPS else _word(w) for w in phrase.split()]
    if not any(literals[0] for _, literals in parts):
        raise PatternError(f"the phrase {phrase!r} has no word")
    literals = max((p[1] for p in parts), key=lambda ls: len(ls[0]))
    return "".join(p[0] for p in parts), literals


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
    if re.sub(_ELEMENT, "", pattern).strip():
        raise PatternError(f"cannot read {re.sub(_ELEMENT, '', pattern).strip()!r} in {pattern!r}")
    regex: list[str] = []
    required: list[frozenset[str]] = []

    def alternatives(body: str) -> tuple[str, frozenset[str]]:
        made: list[str] = []
        literals: set[str] = set()
        for option in body.split("|"):
            option = option.strip()
            slot = re.fullmatch(r"<([a-z_0-9]+)>", option)
            phrases = slot_phrases(slot[1]) if slot else [option]
            for phrase in phrases:
                expression, found = _phrase(phrase)
                made.append(expression)
                literals.update(found)
        return "(?:" + "|".join(sorted(set(made), key=lambda m: (-len(m), m))) + ")", frozenset(literals)

    def slot_phrases(name: str) -> list[str]:
        if name not in slots:
            raise PatternError(f"unknown slot <{name}> in {pattern!r}")
        return slots[name]

    elements = _ELEMENT.findall(pattern)
    for position, element in enumerate(elements):
        optional = len(element) > 1 and element.endswith("?")
        core = element[:-1] if optional else element
        literals: frozenset[str] = frozenset()
        if core in _GAPS:
            made = _GAPS[core]
        elif core == "BEGIN":
            if position:
                raise PatternError(f"BEGIN must come first in {pattern!r}")
            regex.append("^ ")
            continue
        elif core == "END":
            made = "$"
        elif core == "?":
            made, literals = r"\? ", frozenset([" ? "])
        elif core.startswith("<") and core[1:-1] in BUILT_IN:
            made = BUILT_IN[core[1:-1]]
        elif core.startswith("<"):
            made, literals = alternatives(core)
        elif core.startswith("("):
            made, literals = alternatives(core[1:-1])
        else:
            made, found = _word(core)
            literals = frozenset(found)
        if optional:
            made = f"(?:{made})?"
        elif literals:
            required.append(literals)
        regex.append(made)
    if not required:
        raise PatternError(f"{pattern!r} has no word that it needs")
    head = "" if elements[0] == "BEGIN" else " "
    return Compiled(head + "".join(regex), required)
