"""What a pack must hold to: every example found by its own entry, every counter-example not."""

from collections.abc import Iterator

from underwing.packs.loader import Packs
from underwing.text.canonical import canonical


def check_examples(packs: Packs) -> Iterator[tuple[str, str, str]]:
    """Yield (entry id, problem, text) for each example that is missed and each counter-example that is hit."""
    scanner = packs.scanner
    for index, entry in enumerate(scanner.entries):
        for text in entry.examples:
            if index not in scanner.matches(canonical(text)):
                yield entry.id, "its example is not found", text
        for text in entry.counter:
            if index in scanner.matches(canonical(text)):
                yield entry.id, "its counter-example is found", text


def lint(packs: Packs) -> Iterator[tuple[str, str]]:
    """Yield (entry id, problem) for entries that are incomplete: too few examples, no known source."""
    for entry in packs.entries:
        if len(entry.examples) < 2:
            yield entry.id, "has fewer than two examples"
        if len(entry.counter) < 2:
            yield entry.id, "has fewer than two counter-examples"
        if entry.source not in packs.sources:
            yield entry.id, f"cites the unknown source {entry.source!r} (list it under [sources])"
