"""How often a search literal is met in ordinary chat: decides what is looked for first, never what is found."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

_TOGETHER = 10
"""How many times more often than by chance two words are taken to stand side by side."""
_DIGIT = 1000.0
"""A number that begins with a given digit, in 100,000 messages."""


_AT_AN_EDGE = 0.1
"""The share of a literal's messages that begin, or end, with it."""


@cache
def _common_words() -> dict[str, int]:
    """Word → how many of 100,000 ordinary messages hold it; a word that is not there is met once."""
    lines = (Path(__file__).parent / "common_words.txt").read_text(encoding="utf-8").splitlines()
    return {word: int(count) for word, count in (line.split() for line in lines if not line.startswith("#"))}


@cache
def _beginning(part: str) -> float:
    if part.isdigit():
        return _DIGIT
    return 2.0 + sum(count for word, count in _common_words().items() if word.startswith(part))


@cache
def _ending(part: str) -> float:
    return 2.0 + sum(count for word, count in _common_words().items() if word.endswith(part))


@cache
def rarity(literal: str) -> float:
    """In how many of 100,000 ordinary messages a literal stands: counted for a word, guessed for a phrase.

    A literal is one or more words with a space before, between and after them; without the space at an end, the word
    there may go on. A line break marks the beginning or the end of the message.
    """
    pieces = literal.strip("\n").split(" ")
    counts = [float(_common_words().get(word, 1)) for word in pieces[1:-1]]
    if pieces[0]:
        counts.append(_ending(pieces[0]))
    if pieces[-1]:
        counts.append(_beginning(pieces[-1]))
    guess = counts[0]
    for count in counts[1:]:
        guess = min(guess, count, guess * count * _TOGETHER / 100_000)
    return guess * _AT_AN_EDGE ** literal.count("\n")


def rarity_of_any(literals: Iterable[str]) -> float:
    """In how many of 100,000 ordinary messages at least one of several literals stands, at most."""
    return sum(map(rarity, literals))
