"""The PAN-2012 "sexual predator identification" XML, read from an operator's own copy.

Streamed: one conversation is in memory at a time. What the format's users have tripped over, and what is
done about it here:

* `<text>` may be empty or missing: the message stays, with an empty text, so that line numbers hold;
* text is HTML-escaped, sometimes several times: it is unescaped until nothing changes;
* an `<email/>` element or tag stands for an anonymised address: it becomes `[email]`;
* times are `HH:MM` without a date: they are dated from `START` on, a step back of more than an hour is
  taken as midnight passed, a smaller one as a clock that was off (the time before is kept);
* author ids have white space around them;
* predators also take part in ordinary conversations, so "has a predator among its authors" is a noisy
  label: report it as such;
* `…-diff.txt` marks lines that the anonymiser edited, not suspicious ones: it is refused as a label file.
"""

import html
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from os import PathLike
from os import path as os_path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import errors as expat_errors

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped,unused-ignore]
from defusedxml.ElementTree import iterparse  # type: ignore[import-untyped,unused-ignore]
from msgspec import Struct

from underwing.evaluation.conversation import (
    MAX_MESSAGES,
    Conversation,
    CorpusError,
    Line,
    Participant,
    next_line,
    open_file,
)

START = datetime(2012, 1, 1, tzinfo=UTC)
"""The date given to every conversation, which has none of its own."""

_MAX_DEPTH = 8
_MAX_NAME = 200
_JITTER = timedelta(hours=1)
_EMAIL = re.compile(r"<email\s*/?>(?:\s*</email>)?", re.IGNORECASE)
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?", re.ASCII)


class PanLabels(Struct, frozen=True):
    """`authors`: ids of predators. `lines`: conversation id → numbers of its suspicious lines."""

    authors: frozenset[str] = frozenset()
    lines: dict[str, frozenset[int]] = {}


def read_labels(paths: Sequence[str | PathLike[str]]) -> PanLabels:
    """Read label files: one author id a line, or `conversation<TAB>line` (problem 2).

    Raises:
        CorpusError: a line of neither shape, a file that mixes them, or the `diff` file.
    """
    authors: set[str] = set()
    lines: dict[str, set[int]] = {}
    for path in paths:
        if "diff" in os_path.basename(path).lower():
            reason = "marks lines the anonymiser edited, not suspicious ones; it is no label file"
            raise CorpusError(path, None, reason)
        with open_file(path) as file:
            number, width = 1, 0
            while (line := next_line(file, path, number)) is not None:
                parts = line.split()
                width = width or len(parts)
                if parts and (len(parts) != width or width > 2 or (width == 2 and not _is_number(parts[1]))):
                    raise CorpusError(path, number, "neither an author id nor `conversation<TAB>line`")
                if len(parts) == 1:
                    authors.add(parts[0])
                elif parts:
                    lines.setdefault(parts[0], set()).add(int(parts[1]))
                number += 1
    return PanLabels(frozenset(authors), {name: frozenset(found) for name, found in lines.items()})


def read_pan12(path: str | PathLike[str], labels: PanLabels | None = None) -> Iterator[Conversation]:
    """Read the XML. With `labels`, a conversation with a predator among its authors is `risk`, kind
    `grooming`, and its onset is the first suspicious line where problem 2 lists one; all others are `safe`.

    Raises:
        CorpusError: XML that is not well-formed, declares a DTD or entities, or is not PAN-2012's.
    """
    with open_file(path) as file:
        source = _ByLine(file)
        try:
            yield from _conversations(path, source, labels)
        except CorpusError:
            raise
        except DefusedXmlException:
            raise CorpusError(path, source.line, "declares a DTD or entities, which is refused") from None
        except ParseError as error:
            reason = expat_errors.messages.get(error.code, "not well-formed")
            raise CorpusError(path, error.position[0], f"not well-formed XML ({reason})") from None
        except (ValueError, LookupError):
            raise CorpusError(path, source.line, "an encoding that is not supported; use UTF-8") from None


class _ByLine:
    """Hands a file over line by line, so that an element's end can be told its line."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.line, self._ended = file, 1, False

    def read(self, size: int = 65_536) -> bytes:
        self.line += self._ended
        data = self.file.readline(size)
        self._ended = data.endswith(b"\n")
        return data


def _conversations(
    path: str | PathLike[str], source: _ByLine, labels: PanLabels | None
) -> Iterator[Conversation]:
    depth = 0
    root: Any = None
    open_now: str | None = None
    messages: list[tuple[str, Line]] = []
    for event, element in iterparse(source, events=("start", "end"), forbid_dtd=True):
        if event == "start":
            depth += 1
            root = element if root is None else root
            if depth > _MAX_DEPTH or (depth == 1 and element.tag != "conversations"):
                raise CorpusError(path, source.line, "not the PAN-2012 XML (`<conversations>` at its top)")
            if depth == 2 and element.tag == "conversation":
                open_now = _name(path, source, element.get("id"), "the conversation's `id`")
                messages = []
            continue
        depth -= 1
        if element.tag == "message" and depth == 2 and open_now is not None:
            messages.append(_message(path, source, element, messages[-1][1].t if messages else START))
            element.clear()
            if len(messages) > MAX_MESSAGES:
                raise CorpusError(path, source.line, f"more than {MAX_MESSAGES} messages in a conversation")
        elif depth == 1:
            if messages and open_now is not None:
                yield _labelled(open_now, messages, labels)
            messages, open_now = [], None
            root.clear()
        elif depth == 2:
            element.clear()


def _message(path: str | PathLike[str], source: _ByLine, element: Any, before: datetime) -> tuple[str, Line]:
    author = _name(path, source, element.findtext("author"), "`<author>`")
    clock = (element.findtext("time") or "").strip()
    at = before
    if clock:
        match = _TIME.fullmatch(clock)
        if match is None:
            raise CorpusError(path, source.line, "`<time>` is not HH:MM")
        at = _dated(before, int(match[1]), int(match[2]))
    node = element.find("text")
    return (element.get("line") or "").strip(), Line(t=at, sender=author, text=_text(node))


def _name(path: str | PathLike[str], source: _ByLine, value: str | None, what: str) -> str:
    name = (value or "").strip()
    if not name or len(name) > _MAX_NAME:
        raise CorpusError(path, source.line, f"{what} is missing or longer than {_MAX_NAME} characters")
    return name


def _dated(before: datetime, hour: int, minute: int) -> datetime:
    at = before.replace(hour=hour, minute=minute)
    if at >= before:
        return at
    return before if before - at <= _JITTER else at + timedelta(days=1)


def _text(node: Any) -> str:
    if node is None:
        return ""
    parts = [node.text or ""]
    for child in node.iter():
        if child is not node:
            parts += ["[email]" if child.tag == "email" else "", child.text or "", child.tail or ""]
    text = "".join(parts)
    for _ in range(5):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return _EMAIL.sub("[email]", text).strip()


def _labelled(name: str, found: list[tuple[str, Line]], labels: PanLabels | None) -> Conversation:
    authors = dict.fromkeys(line.sender for _, line in found)
    blamed = [author for author in authors if labels is not None and author in labels.authors]
    suspicious = labels.lines.get(name, frozenset()) if labels is not None else frozenset()
    onset = next((i for i, (number, _) in enumerate(found) if _listed(number, suspicious)), None)
    risk = bool(blamed)
    return Conversation(
        id=name,
        lang="en",
        channel="dm" if len(authors) <= 2 else "group",
        label=None if labels is None else "risk" if risk else "safe",
        kind="grooming" if risk else "other",
        accounts=tuple(Participant(id=author) for author in authors),
        actor=blamed[0] if risk else None,
        co_actors=tuple(blamed[1:]),
        onset=onset if risk else None,
        messages=tuple(line for _, line in found),
    )


def _listed(number: str, suspicious: frozenset[int]) -> bool:
    return _is_number(number) and int(number) in suspicious


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
