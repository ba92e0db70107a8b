"""What every reader yields: one labelled (or unlabelled) conversation, and the one error readers raise."""

import re
from datetime import datetime
from os import PathLike, fspath
from typing import Annotated, BinaryIO, Literal

from msgspec import Meta, Struct, field

from underwing.model import MendableError

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Channel = Literal["dm", "group", "live"]
Label = Literal["risk", "safe"]
Index = Annotated[int, Meta(ge=0)]

MAX_MESSAGES = 100_000
"""The most messages one conversation may have."""
MAX_LINE_BYTES = 16 * 2**20
"""The longest line of a text file that is read."""


class CorpusError(MendableError, ValueError):
    """A file that cannot be read as conversations: says which file, which line and what is wrong.

    The reason never quotes what stands in the file, so an error may be shown and logged.
    """

    def __init__(self, path: str | PathLike[str], line: int | None, reason: str) -> None:
        self.path, self.line, self.reason = fspath(path), line, reason
        super().__init__(f"{self.path}:{line}: {reason}" if line is not None else f"{self.path}: {reason}")


class Participant(Struct, frozen=True):
    """One account and what the platform knows of it; `None` means not known. Age in years."""

    id: Name
    declared_age: Annotated[int, Meta(ge=0, le=130)] | None = None
    minor: bool | None = None


class Line(Struct, frozen=True, omit_defaults=True):
    """One message: when (with an offset), from which account, its text, and the stage a reviewer gave it."""

    t: Annotated[datetime, Meta(tz=True)]
    sender: Name = field(name="from")
    text: str
    stage: Name | None = None


class Conversation(Struct, frozen=True, kw_only=True):
    """One conversation in time order. `onset` and `harm` are indices into `messages`, from 0.

    `label` is `None` where nobody has judged the conversation. `co_actors` are further accounts that the
    labels name beside `actor`. `family` names the scenario, so that a split can hold whole families out.

    Raises:
        ValueError: on parts that contradict each other (decoders report it as their own error).
    """

    id: Name
    lang: Name = "und"
    channel: Channel = "dm"
    label: Label | None = None
    kind: Name = "other"
    accounts: Annotated[tuple[Participant, ...], Meta(min_length=1)]
    actor: Name | None = None
    onset: Index | None = None
    harm: Index | None = None
    messages: Annotated[tuple[Line, ...], Meta(min_length=1, max_length=MAX_MESSAGES)]
    family: str | None = None
    co_actors: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        known = {account.id for account in self.accounts}
        if len(known) != len(self.accounts):
            raise ValueError("an account is listed twice")
        for index, message in enumerate(self.messages):
            if message.sender not in known:
                raise ValueError(f"message {index} is from an account that `accounts` does not list")
        if not known.issuperset(self.co_actors) or self.actor not in known | {None}:
            raise ValueError("`actor` is an account that `accounts` does not list")
        for name, at in (("onset", self.onset), ("harm", self.harm)):
            if at is not None and at >= len(self.messages):
                raise ValueError(f"`{name}` is beyond the last message")
        if self.label == "safe" and (self.actor, self.onset, self.harm) != (None, None, None):
            raise ValueError("a safe conversation has no `actor`, `onset` or `harm`")

    @property
    def blamed(self) -> frozenset[str]:
        """Accounts a warning may rightly name: the actors, and every account whose messages carry a stage."""
        staged = {message.sender for message in self.messages if message.stage is not None}
        return frozenset(staged | set(self.co_actors) | ({self.actor} if self.actor is not None else set()))


def explain(error: Exception) -> str:
    """Say what a decoder found wrong, without any value of the file."""
    text = str(error)
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if re.match(r"Invalid (enum )?value", text):
        place = re.search(r" - at `[$.\w\[\]]*`\Z", text)
        return "a value that the format does not allow" + (place[0] if place else "")
    return text


def open_file(path: str | PathLike[str]) -> BinaryIO:
    """Open a file for reading bytes.

    Raises:
        CorpusError: the file is missing, is a directory or may not be read.
    """
    try:
        return open(path, "rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise CorpusError(path, None, f"cannot be read ({reason})") from None


def next_line(file: BinaryIO, path: str | PathLike[str], number: int) -> str | None:
    """The next line as text, with its line end, or `None` at the end. `number` is used in errors only.

    Raises:
        CorpusError: a line that is not UTF-8 or is longer than `MAX_LINE_BYTES`.
    """
    raw = file.readline(MAX_LINE_BYTES + 1)
    if len(raw) > MAX_LINE_BYTES:
        raise CorpusError(path, number, f"the line is longer than {MAX_LINE_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8") if raw else None
    except UnicodeDecodeError as error:
        raise CorpusError(path, number, f"not UTF-8 (byte {error.start} of the line)") from None
