"""One pass over a message for every pattern of every language.

The sieve (`sieve.py`) finds the search literals of all patterns at once; only a pattern that has all its
elements is confirmed by RE2. Both are linear in the message, whatever a pack holds
(`docs/decisions/0002-scanning.md` has the measurement).
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

import re2
from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct, structs

from underwing.model import ACTOR_STAGES, Signal
from underwing.text.canonical import canonical, span_of, tokens
from underwing.text.deobfuscate import Deobfuscator
from underwing.text.entries import Entry
from underwing.text.light import TELLING
from underwing.text.patterns import EDGE
from underwing.text.rarity import rarity, rarity_of_any
from underwing.text.sieve import NUMBER, Conjunction, Sieve
from underwing.text.tongue import is_foreign, plainly

_QUOTED = {"report_quote", "advice"}


PLACE = 16
"""The clue that a message may say where its sender lives."""
COMMON = 1500
"""A word in more than this many of 100,000 ordinary messages tells nothing by itself."""


class Scan(Struct, frozen=True, gc=False):
    """What a scan found."""

    view: str
    """The light view."""
    plain: str
    """The view in which hidden words were undone; the light view where nothing was hidden."""
    signals: tuple[Signal, ...]
    clues: int
    """What the sieve noticed: `NUMBER`, `TRIPLED`, `LONE`, `TELLING`, `PLACE`; a message that is not ASCII is `TELLING`."""


def _words_of(literal: str) -> list[str]:
    """The search literals of a phrase's single words."""
    pieces = literal.strip(EDGE).split(" ")
    begun = [f" {pieces[-1]}"] if pieces[-1] else []
    ended = [f"{pieces[0]} "] if pieces[0] else []
    return [*ended, *(f" {word} " for word in pieces[1:-1]), *begun]


def _whole_words(literal: str) -> list[str]:
    """The whole words of a search literal."""
    return literal.strip(EDGE).split(" ")[1:-1]


_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_QUOTED_PART = re.compile(r'"[^"]{4,200}"|“[^”]{4,200}”|„[^“”]{4,200}[“”]|«[^»]{4,200}»')


def _as_quoted(signal: Signal, text: str) -> Signal:
    """A risk cue that stands wholly between quotation marks is somebody else's words."""
    if signal.span is None or signal.stage not in ACTOR_STAGES:
        return signal
    start, end = signal.span
    if any(m.start() <= start and end <= m.end() for m in _QUOTED_PART.finditer(text)):
        return structs.replace(signal, stage="report_quote", act="quote", weight=0.0)
    return signal


def _any_of(regexes: list[str]) -> Callable[[str], list[int] | None]:
    """Tells which of `regexes` match a view, in one pass; nothing where there are none."""
    if not regexes:
        return lambda view: None
    together = re2.Set.SearchSet(_OPTIONS)
    for regex in regexes:
        together.Add(regex)
    together.Compile()
    matches: Callable[[str], list[int] | None] = together.Match
    return matches


class Scanner:
    """All entries, ready to scan. Build once; scanning keeps no state."""

    def __init__(self, entries: list[Entry], places: Sequence[Conjunction] = ()) -> None:
        """`places` are the search literals of phrases that say where one lives, looked for in the same pass."""
        self.entries = entries
        self._regexes = [compiled.regex for entry in entries for compiled in entry.patterns]
        self._entry_of = [number for number, entry in enumerate(entries) for _ in entry.patterns]
        self._tests: list[Callable[[str], list[int] | None] | None] = [None] * len(self._regexes)
        required = [compiled.required for entry in entries for compiled in entry.patterns]
        self._first_place = len(required)
        self.sieve = Sieve([*required, *places])
        self._unless = [_any_of([compiled.regex for compiled in entry.unless_patterns]) for entry in entries]
        self._spans: dict[int, Any] = {}
        phrases = [p for e in entries for c in e.patterns for element in c.required for p in element]
        self.deobfuscator = Deobfuscator(
            {word for phrase in phrases for word in _whole_words(phrase)},
            {word for phrase in phrases if (word := phrase.rpartition(" ")[2].strip(EDGE))},
        )
        # English words in an English message are the English pack's affair, whatever else they mean elsewhere.
        self._foreign = {n for n, entry in enumerate(entries) if entry.lang != "en"}
        self._english = {
            word
            for entry in entries
            if entry.lang == "en"
            for compiled in entry.patterns
            for element in compiled.required
            for phrase in element
            for word in _whole_words(phrase)
        }
        told = {
            min(_words_of(phrase), key=rarity)
            for entry in entries
            if entry.stage in ACTOR_STAGES
            for compiled in entry.patterns
            for phrase in min(compiled.required, key=rarity_of_any)
        }
        self._find_telling = AhoCorasick(
            sorted(word for word in told if rarity(word) <= COMMON), matchkind=MatchKind.Standard
        ).find_matches_as_indexes

    def matches(self, view: str) -> dict[int, tuple[int, int]]:
        """Entries that match a canonical view: index of the entry → (start, end) of its first match."""
        return self._confirm(view, self.sieve(view)[0])

    def _confirm(self, view: str, candidates: list[int]) -> dict[int, tuple[int, int]]:
        """Of each entry with a pattern among `candidates` that matches: (start, end) of the first such pattern."""
        found: dict[int, tuple[int, int]] = {}
        refused = -1
        for pattern in candidates:
            if pattern >= self._first_place:
                break
            entry = self._entry_of[pattern]
            if entry == refused or entry in found:
                continue
            test = self._tests[pattern] or self._test(pattern)
            if test(view):
                if self._unless[entry](view):
                    refused = entry
                    continue
                match = self._span_finder(pattern).search(view)
                found[entry] = (match.start(), match.end())
        return found

    def _test(self, pattern: int) -> Callable[[str], list[int] | None]:
        """Tells whether a pattern matches; made when its literals are first met."""
        made = self._tests[pattern] = _any_of([self._regexes[pattern]])
        return made

    def _span_finder(self, pattern: int) -> Any:
        """The compiled regular expression of a pattern, made when it first matches."""
        made = self._spans.get(pattern)
        if made is None:
            made = self._spans[pattern] = re2.compile(self._regexes[pattern], options=_OPTIONS)
        return made

    def scan(self, text: str) -> Scan:
        """What is in one message: its light view, the signals in the order of the entries, and the clues.

        A message that quotes, reports or advises yields its risk cues only as quotations.
        """
        if text.isascii():
            view, candidates, clues = self.sieve.read(text)
            if not candidates and clues <= NUMBER:
                return Scan(view, view, (), clues)
        else:
            view = canonical(text)
            candidates, clues = self.sieve(view)
            clues |= TELLING
        if candidates and candidates[-1] >= self._first_place:
            clues |= PLACE
        found = self._confirm(view, candidates) if candidates else {}
        second = self.deobfuscator(text, view, clues)
        hidden: dict[int, tuple[int, int]] = {}
        if second is not None and second.view != view:
            hidden = {k: v for k, v in self.matches(second.view).items() if k not in found}
        found = self._own(found, view)
        if second is not None and hidden:
            hidden = self._own(hidden, second.view)
        if not found and not hidden:
            return Scan(view, second.view if second is not None else view, (), clues)
        light = tokens(text)
        quoting = any(self.entries[k].frame for k in (*found, *hidden))
        signals = [self._signal(k, span_of(view, *found[k], light), False, quoting) for k in found]
        if second is not None:
            signals += [
                self._signal(k, span_of(second.view, *v, second.spans or light), True, quoting)
                for k, v in hidden.items()
            ]
        if any(mark in text for mark in '"“”«»„'):
            signals = [_as_quoted(signal, text) for signal in signals]
        return Scan(view, second.view if second is not None else view, tuple(signals), clues)

    def telling_word(self, view: str) -> tuple[int, int] | None:
        """(start, end) in `view` of the first word that some risk entry is anchored on, unless a common one."""
        found = self._find_telling(view)
        return found[0][1:] if found else None

    def _own(self, found: dict[int, tuple[int, int]], view: str) -> dict[int, tuple[int, int]]:
        """Of entries that matched a view those that have a say in it: not those of another language than it is plainly in,
        nor those that matched nothing but words of the English pack."""
        if self._foreign.isdisjoint(found):
            return found
        plain = plainly(view)
        return {k: v for k, v in found.items() if not self._is_foreign(k, view[v[0] : v[1]], plain)}

    def _is_foreign(self, entry: int, matched: str, plain: str | None) -> bool:
        if entry not in self._foreign:
            return False
        return is_foreign(self.entries[entry].lang, plain) or all(
            word in self._english or word.isdigit() for word in matched.split()
        )

    def _signal(self, index: int, span: tuple[int, int] | None, evaded: bool, quoting: bool) -> Signal:
        entry = self.entries[index]
        stage, act, weight = entry.stage, entry.act, entry.weight
        if quoting and stage in ACTOR_STAGES:
            stage, act, weight = "report_quote", "quote", 0.0
        return Signal(
            signal=entry.id,
            stage=stage,
            act=act,
            direction=entry.direction,
            weight=weight,
            span=span,
            source=entry.source,
            evaded=evaded,
            needs=entry.needs,
        )
