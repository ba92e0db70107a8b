"""Files become conversations: picks the reader by what the file holds, and reads the corpus format itself.

Plain exports are read by `exports`, the PAN-2012 XML by `pan12`. Every reader streams or says why not.
"""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

import msgspec

from underwing.evaluation.conversation import Conversation, CorpusError, explain, next_line, open_file
from underwing.evaluation.exports import read_csv, read_rows
from underwing.evaluation.pan12 import read_labels, read_pan12

AnyPath = str | PathLike[str]

_decoder = msgspec.json.Decoder(Conversation)


def read(path: AnyPath, labels: AnyPath | Sequence[AnyPath] | None = None) -> Iterator[Conversation]:
    """Read the conversations of a file, whichever of the four formats it is in.

    * JSON Lines, one conversation a line (has `messages`): the corpus format;
    * JSON Lines, one message a line: a plain export, see `exports`;
    * CSV with a header: the same as an export;
    * XML: PAN-2012. `labels` are its label files: author ids (`…-predators-….txt`,
      `…-groundtruth-problem1.txt`) and `…-groundtruth-problem2.txt`, told apart by what they hold.
      Without them every conversation is unlabelled.

    Raises:
        CorpusError: naming file and line, as soon as the bad line is reached; never quoting its text.
    """
    kind = _sniff(path)
    if kind == "pan12":
        paths = [labels] if isinstance(labels, str | PathLike) else list(labels or ())
        yield from read_pan12(path, read_labels(paths) if paths else None)
        return
    if labels:
        raise CorpusError(path, None, "label files go with the PAN-2012 XML only; this file holds its own")
    yield from {"corpus": read_corpus, "rows": read_rows, "csv": read_csv}[kind](path)


def read_corpus(path: AnyPath) -> Iterator[Conversation]:
    """Read the corpus format: UTF-8 JSON Lines, one conversation a line; blank lines are passed over.

    Raises:
        CorpusError: a line that is not JSON or not as the format says, or an id that comes twice.
    """
    seen: set[str] = set()
    with open_file(path) as file:
        number = 1
        while (line := next_line(file, path, number)) is not None:
            if line.strip():
                try:
                    conversation = _decoder.decode(line)
                except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                    raise CorpusError(path, number, explain(error)) from None
                if conversation.id in seen:
                    raise CorpusError(path, number, "this `id` stands in the file already; ids are unique")
                seen.add(conversation.id)
                yield conversation
            number += 1


def _sniff(path: AnyPath) -> str:
    with open_file(path) as file:
        start = file.read(4096)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise CorpusError(path, 1, "the file is UTF-16; save it as UTF-8")
        start = start.removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith(b"<"):
            return "pan12"
        if start.startswith(b"["):
            raise CorpusError(path, 1, "a JSON array; write one JSON object a line (JSON Lines)")
        if start and not start.startswith(b"{"):
            return "csv"
        file.seek(0)
        number = 1
        while (line := next_line(file, path, number)) is not None:
            if line.strip():
                try:
                    first: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
                except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                    raise CorpusError(path, number, explain(error)) from None
                return "corpus" if "messages" in first else "rows"
            number += 1
    raise CorpusError(path, 1, "the file is empty")
