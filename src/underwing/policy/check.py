"""Compiling one condition and trying it out, so that nothing about it can go wrong later.

The evaluator has no type checker, and `&&` hides a wrong right side until the left side is true. So every
expression is run on the product of telling values of the variables it uses: fixed samples, the literals it
contains, and their neighbours. That reaches each branch that can be reached.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from math import prod
from typing import Any, NamedTuple

import cel

from underwing.policy.facts import VARIABLES
from underwing.policy.literals import never_true, tokens

MAX_LENGTH = 2_000
"""Characters of one expression; keeps the parser's recursion far from its limit."""

MAX_TRIALS = 2_000
"""Sets of values tried at most; beyond it an evenly spread part of the product is tried."""

OPERATORS = {
    "_==_": "==",
    "_!=_": "!=",
    "_<_": "<",
    "_<=_": "<=",
    "_>_": ">",
    "_>=_": ">=",
    "_&&_": "&&",
    "_||_": "||",
    "!_": "!",
    "_?_:_": "? :",
    "@in": "in",
    "_+_": "+",
    "_-_": "-",
    "-_": "-",
}
FUNCTIONS = ("startsWith", "endsWith", "contains", "matches", "size")
"""With the operators, all that an expression may call: total on their types, cheap and without a clock."""


class Checked(NamedTuple):
    """A condition that can be relied on; `can_fire` is None when not every combination was tried."""

    program: cel.Program
    can_fire: bool | None


def check(expression: str) -> Checked:
    """Compile `expression` and try it.

    Raises:
        ValueError: what is wrong with it and what to do; the caller adds file and rule.
    """
    if len(expression) > MAX_LENGTH:
        raise ValueError(f"it is {len(expression)} characters long, at most {MAX_LENGTH}: split the rule")
    try:
        program = cel.compile(expression)
    except Exception as error:
        raise ValueError(f"it does not compile: {_brief(error)}") from None
    _check_names(program)
    wrong = never_true(expression)
    if wrong:
        raise ValueError(wrong)
    grid = _grid(program, expression)
    total = prod(len(values) for values in grid.values())
    fired = False
    for sample in _samples(grid, total):
        try:
            result = program.execute(sample)
        except Exception as error:
            raise ValueError(f"it fails when {_said(sample)}: {_brief(error)}") from None
        if not isinstance(result, bool):
            raise ValueError(f"it must give true or false, and gives {result!r} when {_said(sample)}")
        fired = fired or result
    return Checked(program, fired if fired or total <= MAX_TRIALS else None)


def _check_names(program: cel.Program) -> None:
    for name in program.variables():
        if name not in VARIABLES:
            near = get_close_matches(name, VARIABLES, 1)
            meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(VARIABLES)}"
            raise ValueError(f"there is no variable {name}; {meant}")
    for name in program.functions():
        if name not in OPERATORS and name not in FUNCTIONS:
            known = " ".join(dict.fromkeys(OPERATORS.values())) + " " + " ".join(FUNCTIONS)
            raise ValueError(f"{name.strip('_@')} is not part of the policy language; use {known}")


def _grid(program: cel.Program, expression: str) -> dict[str, tuple[Any, ...]]:
    """Telling values for every variable in use."""
    inside = any(name in FUNCTIONS for name in program.functions())
    pieces = tokens(expression)
    numbers = {piece.value + step for piece in pieces if piece.kind == "int" for step in (-1, 0, 1)}
    words = dict.fromkeys(
        piece.value for piece in pieces if piece.kind == "string" and piece.value is not None
    )
    grid: dict[str, tuple[Any, ...]] = {}
    for name in program.variables():
        variable = VARIABLES[name]
        if variable.kind == "bool" or name == "level" or (inside and variable.values):
            grid[name] = variable.samples or variable.values
        elif variable.kind == "int":
            in_range = {number for number in numbers if min(variable.samples) <= number < 2**31}
            grid[name] = tuple(sorted(in_range | set(variable.samples)))
        elif variable.values:
            named = [word for word in variable.values if word in words]
            others = [word for word in variable.values if word not in words][:2]
            grid[name] = tuple(named + others)
        else:
            grid[name] = tuple(dict.fromkeys((*variable.samples, *words)))
    return grid


def _samples(grid: dict[str, tuple[Any, ...]], total: int) -> Iterator[dict[str, Any]]:
    """The whole product, or `MAX_TRIALS` members spread evenly over it."""
    for trial in range(min(total, MAX_TRIALS)):
        rest = trial if total <= MAX_TRIALS else trial * total // MAX_TRIALS
        if total > MAX_TRIALS:
            rest = (rest + trial * 7_919) % total  # a prime step: no variable stands still
        sample: dict[str, Any] = {}
        for name, values in grid.items():
            rest, place = divmod(rest, len(values))
            sample[name] = values[place]
        yield sample


def _said(sample: dict[str, Any]) -> str:
    def plain(value: Any) -> str:
        if isinstance(value, str):
            return f'"{value}"'
        return str(value).lower() if isinstance(value, bool) else str(value)

    return ", ".join(f"{name} = {plain(value)}" for name, value in sample.items()) or "evaluated"


def _brief(error: Exception) -> str:
    """The evaluator's message without its copy of the expression and its drawings."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if "ERROR: <input>:" in line:
            place, _, text = line.partition("ERROR: <input>:")[2].partition(": ")
            row, _, column = place.partition(":")
            return f"line {row}, character {column}: {text.removeprefix('Syntax error: ')}"
    return lines[0] if lines else type(error).__name__
