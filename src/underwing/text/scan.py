"""One pass over a message for every pattern of every language.

An Aho-Corasick automaton finds all search literals at once; each pattern is a conjunction of elements, and
only a pattern whose every element was seen is confirmed by its RE2 expression. Both are linear in the
message, whatever a pack holds (`docs/decisions/0002-scanning.md` has the measurement).
"""

import re2
from ahocorasick_rs import AhoCorasick, MatchKind
from msgspec import Struct

from underwing.model import ACTOR_STAGES, Signal
from underwing.text.canonical import canonical, span_of, tokens
from underwing.text.deobfuscate import Deobfuscator
from underwing.text.entries import Entry

EVASION_WEIGHT = 0.3
"""Added to a cue found only after look-alikes, leet or spacing were undone: hiding a word is a cue itself."""

_QUOTED = {"report_quote", "advice"}


MIN_AGE, MAX_AGE = 5, 99
"""Numbers outside this range are never taken for an age, in years."""


class Scan(Struct, frozen=True):
    """What a scan found."""

    view: str
    signals: tuple[Signal, ...]
    numbered: bool


class Scanner:
    """All entries, ready to scan. Build once; scanning keeps no state."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        literals: dict[str, int] = {}
        elements: dict[frozenset[str], int] = {}
        commonness: dict[str, int] = {}
        for entry in entries:
            for line in (*entry.examples, *entry.counter):
                for token in set(canonical(line).split()):
                    commonness[token] = commonness.get(token, 0) + 1
        self._patterns: list[tuple[int, int, object]] = []  # (required mask, entry index, regex)
        anchored: dict[int, list[int]] = {}
        options = re2.Options()
        options.log_errors = False
        for number, entry in enumerate(entries):
            for compiled in entry.patterns:
                mask, anchor, least = 0, -1, 1 << 30
                for element in compiled.required:
                    index = elements.setdefault(element, len(elements))
                    mask |= 1 << index
                    for literal in element:
                        literals.setdefault(literal, len(literals))
                    seen = sum(commonness.get(literal.strip(), 0) for literal in element)
                    if seen < least:
                        least, anchor = seen, index
                anchored.setdefault(anchor, []).append(len(self._patterns))
                self._patterns.append((mask, number, re2.compile(compiled.regex, options=options)))
        self._unless = [[re2.compile(c.regex, options=options) for c in e.unless_patterns] for e in entries]
        self._masks = [0] * len(literals)
        self._anchors: list[tuple[int, ...]] = [()] * len(literals)
        for element, index in elements.items():
            for literal in element:
                self._masks[literals[literal]] |= 1 << index
                if index in anchored:
                    at = literals[literal]
                    self._anchors[at] = (*self._anchors[at], *anchored[index])
        vocabulary = {literal.strip() for literal in literals if literal[0] == literal[-1] == " "}
        prefixes = {literal.strip() for literal in literals if literal[-1] != " "}
        self.deobfuscator = Deobfuscator(vocabulary, prefixes)
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
        self._masks += [0] * len(hints)
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
        mask = 0
        masks, anchors = self._masks, self._anchors
        candidates: set[int] = set()
        for index, _, _ in hits:
            mask |= masks[index]
        for index, _, _ in hits:
            for pattern in anchors[index]:
                required = self._patterns[pattern][0]
                if mask & required == required:
                    candidates.add(pattern)
        found: dict[int, tuple[int, int]] = {}
        for pattern in sorted(candidates):
            _, entry, regex = self._patterns[pattern]
            if entry in found:
                continue
            match = regex.search(view)  # type: ignore[attr-defined]
            if match and not any(u.search(view) for u in self._unless[entry]):
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
        if not found and not hidden:
            return Scan(view, (), numbered)
        light = tokens(text)
        quoting = any(self.entries[k].frame for k in (*found, *hidden))
        signals = [self._signal(k, span_of(view, *found[k], light), False, quoting) for k in found]
        if second is not None:
            signals += [
                self._signal(k, span_of(second.view, *v, second.spans or light), True, quoting)
                for k, v in hidden.items()
            ]
        return Scan(view, tuple(signals), numbered)

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
        elif evaded and weight > 0:
            weight += EVASION_WEIGHT
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
