"""Finding comparisons that can never hold, such as `level == "urgent"` or `stage == "thread"`.

CEL answers `false` when two kinds are compared for equality and cannot know our stages: a slip of the pen
would give a rule that silently never fires. Only direct comparisons with a literal are looked at.
"""

import re
from difflib import get_close_matches
from typing import Any, NamedTuple

from underwing.policy.facts import VARIABLES

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<string>[rR]?(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
      | (?P<double>\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
      | (?P<uint>(?:0x[0-9a-fA-F]+|\d+)[uU])
      | (?P<int>0x[0-9a-fA-F]+|\d+)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<op>==|!=|<=|>=|&&|\|\||.)""",
    re.VERBOSE | re.DOTALL,
)
_COUNTRY = re.compile(r"^(?:[A-Z]{2})?$")
_MISTAKEN = {"UK": "GB", "EL": "GR"}


class Token(NamedTuple):
    """A piece of an expression; for literals `value` is what it stands for (None when not worked out)."""

    kind: str
    text: str
    value: Any = None


def tokens(expression: str) -> list[Token]:
    """The pieces of an expression, without space and comments; a minus before a number is part of it."""
    found: list[Token] = []
    for match in _TOKEN.finditer(expression):
        kind, text = str(match.lastgroup), match.group()
        if kind == "space":
            continue
        value: Any = None
        if kind == "string":
            bare = text.lstrip("rR")
            quote = 3 if bare[:3] in ('"""', "'''") else 1
            inner = bare[quote:-quote]
            value = inner if "\\" not in inner or bare != text else None
        elif kind == "int":
            value = int(text, 0) if text.startswith("0x") else int(text)
            if _is_sign(found):
                found.pop()
                text, value = f"-{text}", -value
        elif kind == "name" and text in ("true", "false"):
            kind, value = "bool", text == "true"
        elif kind == "name" and text == "null":
            kind = "null"
        found.append(Token(kind, text, value))
    return found


def _is_sign(found: list[Token]) -> bool:
    """Whether the last piece is a minus that belongs to the number after it."""
    if not found or found[-1].text != "-":
        return False
    return len(found) < 2 or (found[-2].kind == "op" and found[-2].text not in (")", "]"))


def never_true(expression: str) -> str | None:
    """What is wrong with the first comparison that cannot hold, or None."""
    pieces = tokens(expression)
    for index, piece in enumerate(pieces):
        if piece.kind != "name" or piece.text not in VARIABLES:
            continue
        after = pieces[index + 1 : index + 3]
        before = pieces[max(0, index - 2) : index]
        compared: list[Token] = []
        if len(after) == 2 and after[0].text in ("==", "!="):
            compared.append(after[1])
        elif len(after) == 2 and after[0].text == "in" and after[1].text == "[":
            for item in pieces[index + 3 :]:
                if item.text == "]":
                    break
                compared.append(item)
        if len(before) == 2 and before[1].text in ("==", "!="):
            compared.append(before[0])
        for literal in compared:
            wrong = _mismatch(piece.text, literal)
            if wrong:
                return wrong
    return None


def _mismatch(name: str, literal: Token) -> str | None:
    variable = VARIABLES[name]
    if literal.kind in ("name", "op"):
        return None
    if literal.kind != variable.kind:
        hint = ""
        if name == "level" and literal.kind == "string":
            hint = "; level is a number from 0 to 3, the names are in level_name"
        elif literal.kind == "bool" and variable.values:
            hint = f'; write {name} == "yes"' if "yes" in variable.values else ""
        elif literal.kind == "null":
            hint = '; unknown ages are -1, an unknown gap is -999, other unknowns are "unknown" or ""'
        return f"{name} is of kind {variable.kind} and never equal to {literal.text}{hint}"
    if literal.value is None:
        return None
    if variable.values and literal.value not in variable.values:
        near = get_close_matches(literal.value.lower(), variable.values, 1)
        meant = f'did you mean "{near[0]}"?' if near else f"it can be {', '.join(map(repr, variable.values))}"
        return f"{name} is never {literal.text}; {meant}"
    if name == "level" and literal.value not in range(4):
        return f"level is never {literal.text}; it is 0 (none), 1 (watch), 2 (review) or 3 (urgent)"
    if name == "region":
        return country_mistake(literal.value)
    return None


def country_mistake(code: str) -> str | None:
    """What is wrong with a country code (ISO 3166-1, two capital letters), or None."""
    if code in _MISTAKEN:
        return f"{code} is not the ISO code of that country, which is {_MISTAKEN[code]}"
    if not _COUNTRY.match(code):
        return f"{code!r} is not a country: write two capital letters, such as DE"
    return None
