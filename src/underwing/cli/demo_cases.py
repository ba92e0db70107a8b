"""What the demo adds when its conversations are through: files, a report, what two colleagues did, and an appeal.

Nothing here is more than a platform and its people could do: the platform speaks over HTTP, the people act on the casebook
and every act is recorded. All accounts are made up; the files are a drawn heron and a drawn pattern.
"""

import io
from collections.abc import Iterable
from datetime import UTC, datetime

from PIL import Image

from underwing.casebook.cases import Casebook, Item, Outcome
from underwing.casebook.cases.values import Priority
from underwing.casebook.people import Member, Role
from underwing.cli.demo_platform import Platform
from underwing.media.test_picture import drawn
from underwing.model import Account, Event, Media, UserReport
from underwing.server.console import Desk

OPERATOR = "operator:demo"
WITH_FILE = "demo-1"
"""The conversation to whose case a file is brought."""
LONGEST = 50
"""Messages of the longest conversation, at least."""


def furnish(platform: Platform, desk: Desk, robin: "Colleague", merle: "Colleague") -> None:
    """Files, a report, colleagues at work, and an appeal: the cases that a console shows on an ordinary evening."""
    _files(platform, desk)
    _reported(platform)
    robin.close(
        "demo-12",
        "A threat and a demand for money. The account is suspended; the child was shown where help is.",
        "harm",
        "Blackmail with a picture; reported to the authority.",
    )
    merle.close(
        "demo-9",
        "Invites a child to evenings without parents, and asks her to bring others.",
        "harm",
        "Recruitment of children for somebody else; account closed, the authority and the family were told.",
    )
    robin.close(
        "demo-report-2", "A quarrel about a game, nothing else in 40 messages.", "no_harm", "Two friends who fell out."
    )  # fmt: skip
    robin.hold("demo-10", "Says 14 in one place and 19 in another. Asked the platform for the account's age.")
    merle.open_by_hand()
    _appealed(platform, desk, "demo-12")


def item_of(book: Casebook, about: str) -> Item:
    """What a case holds of an event, or first of a conversation of the demo.

    Raises:
        LookupError: nothing of it is in a case.
    """
    for event in (about, *(f"{about}/{number}" for number in range(LONGEST))):
        item = book.where(event)
        if item is not None:
            return item
    raise LookupError(f"no case came of {about}")


class Colleague:
    """One of the people who work here."""

    def __init__(self, desk: Desk, who: Member) -> None:
        self._desk, self._book, self.who = desk, desk.book, who

    def waiting(self, events: Iterable[Event]) -> list[str]:
        """One event of each case that these events opened and that waits."""
        found = (self._book.where(event.id) for event in events if not isinstance(event, Account))
        first = {item.case: item.found.event for item in found if item is not None}
        open_ = {case.id for case in self._book.queue("open")}
        return [event for case, event in sorted(first.items()) if case in open_]

    def hold(self, about: str, note: str) -> int:
        """Take the case of an event or conversation, and write down what was seen; the case."""
        item = item_of(self._book, about)
        with self._book.database.transaction():
            self._book.take(item.case, self.who.id)
            self._book.note(item.case, self.who.id, note)
            self._desk.audit(self.who, "take", f"case:{item.case}")
            self._desk.audit(self.who, "note", f"case:{item.case}")
        return item.case

    def close(self, about: str, note: str, outcome: Outcome, reason: str) -> None:
        """Take the case of an event or conversation and close it."""
        case = self.hold(about, note)
        with self._book.database.transaction():
            self._book.close(case, self.who.id, outcome, reason)
            self._desk.audit(self.who, "close", f"case:{case}")

    def open_by_hand(self) -> None:
        """Open a case that no machine saw."""
        with self._book.database.transaction():
            made = self._book.open(
                self.who.id, "A mother called: somebody from the drawing room asks her son for photos.",
                actor="demo:sketchbook", target="demo:inkwell", region="IE", priority=Priority.image,
            )  # fmt: skip
            self._desk.audit(self.who, "open", f"case:{made.case}")


def team(desk: Desk) -> tuple[Colleague, Colleague]:
    """Robin, a reviewer, and Merle, a senior reviewer: accounts that nobody has signed in with yet."""
    return Colleague(desk, _member(desk, "Robin", "reviewer")), Colleague(
        desk, _member(desk, "Merle", "senior")
    )


def others(desk: Desk) -> list[Member]:
    """Somebody of each other role, and a second senior: what takes two can be tried."""
    roles: tuple[tuple[str, Role], ...] = (
        ("Swift", "senior"), ("Kestrel", "author"), ("Martin", "administrator"), ("Osprey", "auditor"),
    )  # fmt: skip
    return [_member(desk, name, role) for name, role in roles]


def _member(desk: Desk, name: str, role: Role) -> Member:
    made: Member = desk.people.add(name.lower(), name, role, OPERATOR)[0]
    return made


def _files(platform: Platform, desk: Desk) -> None:
    """The test picture, which the banks know, is sent to a child; a pattern is brought to a case that there is."""
    platform.send(Account(id="demo:wren", declared_age=12, minor=True, country="GB"))
    platform.send_file(drawn(), Media(
        id="demo-picture", at=datetime.now(UTC), surface="dm", conversation="demo-picture", sender="demo:otter",
        to=["demo:wren"],
    ))  # fmt: skip
    item = item_of(desk.book, WITH_FILE)
    platform.bring(_pattern(), item.case, item.found.event)


def _pattern() -> bytes:
    """A harmless picture that no bank knows: a Mandelbrot set, as a PNG."""
    made = io.BytesIO()
    Image.effect_mandelbrot((480, 360), (-2.2, -1.3, 1.2, 1.3), 60).save(made, "PNG")
    return made.getvalue()


def _reported(platform: Platform) -> None:
    now = datetime.now(UTC)
    for number, (sender, to, reason) in enumerate(
        (("demo:lark", "demo:thicket", "wants to move to another app"), ("demo:finch", "demo:teal", "was mean to me")), 1
    ):  # fmt: skip
        platform.send(Account(id=sender, declared_age=14, minor=True, country="DE"))
        platform.send(UserReport(id=f"demo-report-{number}", at=now, sender=sender, to=to, reason=reason))


def _appealed(platform: Platform, desk: Desk, conversation: str) -> None:
    """The account whose case was closed as harm is told why, and objects."""
    item = item_of(desk.book, conversation)
    assert item.found.actor is not None
    platform.appeal(
        item.found.actor,
        item.found.event,
        {
            "measures": ["account_suspended"],
            "clause": "Rule 4: no threats, no blackmail",
            "where": "everywhere",
        },
        "My brother used my phone that evening. Please look at it again, I need the account for school.",
    )
