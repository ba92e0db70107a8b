"""One pass over a message for every pattern of every language.

An Aho-Corasick automaton finds all search literals at once; each pattern is a conjunction of elements, and
only an entry of which a pattern has all its elements is confirmed by its RE2 set. Both are linear in the
message, whatever a pack holds (`docs/decisions/0002-scanning.md` has the measurement).
"""

import re
from collections.abc import Callable
from pathlib import Path

import re2
from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct, structs

from underwing.model import ACTOR_STAGES, Signal
from underwing.text.canonical import canonical, span_of, tokens
from underwing.text.deobfuscate import Deobfuscator
from underwing.text.entries import Entry

_QUOTED = {"report_quote", "advice"}


COMMON = 1500
"""A word in more than this many of 100,000 ordinary messages tells nothing by itself."""

MIN_AGE, MAX_AGE = 5, 99
"""Numbers outside this range are never taken for an age, in years."""


class Scan(Struct, frozen=True):
    """What a scan found."""

    view: str
    """The light view."""
    plain: str
    """The view in which hidden words were undone; the light view where nothing was hidden."""
    signals: tuple[Signal, ...]
    numbered: bool


def _common_words() -> dict[str, int]:
    """Word → how many of 100,000 ordinary messages hold it."""
    lines = (Path(__file__).parent / "common_words.txt").read_text(encoding="utf-8").splitlines()
    return {word: int(count) for word, count in (line.split() for line in lines if not line.startswith("#"))}


def _frequency(literal: str, common: dict[str, int]) -> int:
    """How often a search literal is met; of a part of a word, how often all words that have it."""
    if literal[0] == literal[-1] == " ":
        return common.get(literal.strip(), 1)
    part = literal.strip()
    whole = [
        n
        for word, n in common.items()
        if (word.startswith(part) if literal[0] == " " else word.endswith(part))
    ]
    return sum(whole) + 2


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


class Scanner:
    """All entries, ready to scan. Build once; scanning keeps no state."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        literals: dict[str, int] = {}
        elements: dict[frozenset[str], int] = {}
        rarity: dict[frozenset[str], int] = {}
        common = _common_words()
        frequency: dict[str, int] = {}
        # Rarest element → entry → what else each of its patterns takes.
        anchored: dict[int, dict[int, set[tuple[int, ...]]]] = {}
        self._sets: list[Callable[[str], list[int] | None]] = []
        for number, entry in enumerate(entries):
            together = re2.Set.SearchSet(_OPTIONS)
            for compiled in entry.patterns:
                for element in compiled.required:
                    elements.setdefault(element, len(elements))
                    for literal in element:
                        literals.setdefault(literal, len(literals))
                    if element not in rarity:
                        for literal in element:
                            if literal not in frequency:
                                frequency[literal] = _frequency(literal, common)
                        rarity[element] = sum(frequency[literal] for literal in element)
                rarest = sorted(set(compiled.required), key=lambda e: (rarity[e], elements[e]))
                others = tuple(elements[e] for e in rarest[1:])
                anchored.setdefault(elements[rarest[0]], {}).setdefault(number, set()).add(others)
                together.Add(compiled.regex)
            together.Compile()
            self._sets.append(together.Match)
        self._unless = [[re2.compile(c.regex, options=_OPTIONS) for c in e.unless_patterns] for e in entries]
        members = [frozenset(literals[literal] for literal in element) for element in elements]
        anchors: list[list[tuple[int, tuple[tuple[frozenset[int], ...], ...]]]] = [[] for _ in literals]
        for element, index in elements.items():
            for entry_number, ways in anchored.get(index, {}).items():
                taken = tuple(tuple(members[other] for other in way) for way in sorted(ways))
                for literal in element:
                    anchors[literals[literal]].append((entry_number, taken))
        self._anchors = [tuple(a) for a in anchors]
        self._telling = {
            literals[literal]
            for literal in literals
            if frequency[literal] <= COMMON
            and any(entries[n].stage in ACTOR_STAGES for n, _ in anchors[literals[literal]])
        }
        vocabulary = {literal.strip() for literal in literals if literal[0] == literal[-1] == " "}
        prefixes = {literal.strip() for literal in literals if literal[-1] != " "}
        self.deobfuscator = Deobfuscator(vocabulary, prefixes)
        # English words in an English message are the English pack's affair, whatever else they mean elsewhere.
        self._foreign = {n for n, entry in enumerate(entries) if entry.lang != "en"}
        self._english = {
            literal.strip()
            for entry in entries
            if entry.lang == "en"
            for compiled in entry.patterns
            for element in compiled.required
            for literal in element
            if literal[0] == literal[-1] == " "
        }
        # Lone letters and tripled letters are looked for in the same pass: hints that something is hidden.
        self._hints = len(literals)
        letters = "abcdefghijklmnopqrstuvwxyz"
        hints = [f" {c} " for c in letters if f" {c} " not in literals] + [c * 3 for c in letters]
        self._hint_weight = [1 if " " in hint else 3 for hint in hints]
        numbers = [f" {n} " for n in range(MIN_AGE, MAX_AGE + 1) if f" {n} " not in literals]
        self._own_numbers = {at for literal, at in literals.items() if literal.strip().isdigit()}
        self._numbers = self._hints + len(hints)
        hints += numbers
        self._hint_weight += [0] * len(numbers)
        self._own_lone = {at for literal, at in literals.items() if len(literal.strip()) == 1}
        self._anchors += [()] * len(hints)
        self._find = AhoCorasick(
            [*literals, *hints], matchkind=MatchKind.Standard, store_patterns=False
        ).find_matches_as_indexes

    def matches(self, view: str) -> dict[int, tuple[int, int]]:
        """Entries that match a canonical view: index of the entry → (start, end) of its first match."""
        return self._confirm(view, self._find(view, overlapping=True))

    def _confirm(self, view: str, hits: list[tuple[int, int, int]]) -> dict[int, tuple[int, int]]:
        if not hits:
            return {}
        anchors = self._anchors
        seen = {index for index, _, _ in hits}
        candidates: set[int] = set()
        for index in seen:
            for entry, ways in anchors[index]:
                if entry in candidates:
                    continue
                for way in ways:
                    for element in way:
                        if element.isdisjoint(seen):
                            break
                    else:
                        candidates.add(entry)
                        break
        found: dict[int, tuple[int, int]] = {}
        for entry in sorted(candidates):
            matched = self._sets[entry](view)
            if matched and not any(u.search(view) for u in self._unless[entry]):
                regex = re2.compile(self.entries[entry].patterns[min(matched)].regex, options=_OPTIONS)
                match = regex.search(view)
                found[entry] = (match.start(), match.end())
        return found

    def scan(self, text: str) -> Scan:
        """What is in one message: its light view, the signals in the order of the entries, and whether it
        has a number that could be an age.

        A message that quotes, reports or advises yields its risk cues only as quotations.
        """
        view = canonical(text)
        hits = self._find(view, overlapping=True)
        found = self._confirm(view, hits)
        numbered = bool(hits) and any(i >= self._numbers or i in self._own_numbers for i, _, _ in hits)
        second = self.deobfuscator(text, view, self._hint(hits) if hits else 0)
        hidden: dict[int, tuple[int, int]] = {}
        if second is not None and second.view != view:
            hidden = {k: v for k, v in self.matches(second.view).items() if k not in found}
        found = {k: v for k, v in found.items() if not self._is_english(k, view[v[0] : v[1]])}
        if not found and not hidden:
            return Scan(view, second.view if second is not None else view, (), numbered)
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
        return Scan(view, second.view if second is not None else view, tuple(signals), numbered)

    def telling_word(self, view: str) -> tuple[int, int] | None:
        """(start, end) in `view` of the first word that some risk entry is anchored on, unless a common one."""
        for index, start, end in self._find(view, overlapping=True):
            if index in self._telling:
                return start, end
        return None

    def _is_english(self, entry: int, matched: str) -> bool:
        """Whether an entry of another language matched nothing but words of the English pack."""
        return entry in self._foreign and all(w in self._english or w.isdigit() for w in matched.split())

    def _hint(self, hits: list[tuple[int, int, int]]) -> int:
        """What a view shows of hiding: 2 three lone letters in a row, 1 a tripled letter, 0 nothing."""
        run, last, hint = 1, -9, 0
        for index, start, _ in hits:
            if index >= self._hints or index in self._own_lone:
                weight = 1 if index < self._hints else self._hint_weight[index - self._hints]
                if weight != 1:
                    hint = hint or weight // 3
                    continue
                run = run + 1 if start == last + 2 else 1
                last = start
                if run == 3:
                    return 2
        return hint

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
