"""Brings answered events to the casebook, in the engine's thread, after the engine's commit and before the answer.

Off the hot path: of an ordinary message only its text is put into the context buffer (where context is on); only a
decision that names `open_case` or `page`, or a user's report, is looked at again.
"""

import logging
import socket
import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from underwing.casebook.cases import Casebook, Email, Mail, Marks, Pager, Taken, Webhook
from underwing.casebook.cases.book import CAUGHT_UP
from underwing.casebook.cases.paging import Channel
from underwing.casebook.cases.senders import Sender
from underwing.casebook.context import ContextBuffer, load_key
from underwing.casebook.database import CasebookError, Database
from underwing.casebook.regions import WIDEST, Window, load_regions
from underwing.casebook.vault import Home
from underwing.engine import Runner
from underwing.engine.keys import short_hash
from underwing.engine.overheard import as_message
from underwing.model import Event, Message, StreamText
from underwing.risk import is_minor
from underwing.server.golive import resume
from underwing.server.logs import note
from underwing.server.settings import Settings, SettingsError

TICK_SECONDS = 5.0
"""How often the pager looks, and what could not be sealed is tried again."""
SWEEP_SECONDS = 3_600.0
"""How often the vault is swept."""
_MAIL = {"smtp": ("starttls", 587), "smtps": ("tls", 465), "smtp+plain": ("none", 25)}


class Prepared(Struct, frozen=True):
    """What some answered events bring to the casebook: messages with the country their window goes by, what asks for a case,
    and the places of that among the events."""

    kept: list[tuple[Message, str]]
    taken: list[Taken]
    places: list[int]


class Casework:
    """The casebook and its vault, in one database, beside a runner. `record` is for the thread that owns the runner."""

    def __init__(self, book: Casebook, home: Home, runner: Runner, senders: Mapping[Channel, Sender]) -> None:
        self.book, self.home, self.database = book, home, book.database
        self._runner = runner
        self._rounds = Rounds(book, home, senders)

    def record(self, answered: Sequence[tuple[Event, bytes, bool]]) -> list[int]:
        """`write` what `prepare` made of it."""
        return self.write(self.prepare(answered))

    def prepare(self, answered: Sequence[tuple[Event, bytes, bool]]) -> "Prepared":
        """What is kept as context and what asks for a case, with what the engine's state says of it.

        For the thread that owns the runner. Each is an event, its decision, and whether that had been given before (such a
        message waits already)."""
        places = [n for n, (event, body, _) in enumerate(answered) if self.book.wants(event, body)]
        new = (event for event, _, again in answered if not again)
        said = (as_message(event) if type(event) is StreamText else event for event in new)
        messages = (event for event in said if type(event) is Message)
        try:
            kept = [] if self.book.context is None else [(event, self._country(event)) for event in messages]
            taken = [
                Taken(event=answered[n][0], decision=answered[n][1], marks=self._marks(answered[n][0]))
                for n in places
            ]
        except sqlite3.Error as error:
            note("casebook_fault", logging.ERROR, error, events=len(places))
            return Prepared([], [], places)
        return Prepared(kept, taken, places)

    def write(self, prepared: "Prepared") -> list[int]:
        """Keep context and take in what asks for a case, in any thread; the places of those that could not be written."""
        self._keep(prepared.kept)
        if not prepared.taken:
            return prepared.places
        try:
            self.book.take_in_all(prepared.taken)
        except (CasebookError, OSError, sqlite3.Error) as error:
            note("casebook_fault", logging.ERROR, error, events=len(prepared.taken))
            return prepared.places
        return []

    def close(self) -> None:
        """Stop what runs beside, and close the database and the file of what waits."""
        self._rounds.stop()
        self.database.close()
        if self.book.context is not None:
            self.book.context.close()

    def _keep(self, messages: Sequence[tuple[Message, str]]) -> None:
        """Context is a help, not a record: when it cannot be kept, that costs no answer."""
        if not messages:
            return
        try:
            limit = self._runner.engine.policy.context
            most = WIDEST if limit is None else Window(count=limit.count, hours=limit.hours)
            self.book.keep(messages, most)
        except (sqlite3.Error, OSError, CasebookError) as error:
            note("context_fault", logging.ERROR, error, messages=len(messages))

    def _country(self, event: Message) -> str:
        """The country whose window counts: that of the one addressed, else the sender's."""
        for account in (*event.to[:1], event.sender):
            facts = self._runner.state.accounts.get(account)
            if facts is not None and facts.country:
                return facts.country
        return ""

    def _marks(self, event: Event) -> Marks:
        """What the engine's state holds of the two accounts of an event."""
        sender: str = getattr(event, "sender", "")
        to = getattr(event, "to", ())
        others = [to] if isinstance(to, str) else list(to[:1])
        pairs = [(sender, other) for other in others] + [(other, sender) for other in others]
        scripts, payments, handles = [], [], []
        for actor, other in pairs:
            state, whom = self._runner.state.actors.get(actor), short_hash(other)
            if state is not None:
                scripts += [script for script, told in state.openers if told == whom]
                payments += [value for value, told in state.payments if told == whom]
                handles += [value for value, told in state.handles if told == whom]
        region, minors = "", {}
        for account in [*others, sender]:
            facts = self._runner.state.accounts.get(account)
            if facts is not None:
                region = region or facts.country or ""
                known = is_minor(facts)
                if known is not None:
                    minors[account] = known
        return Marks(
            region=region, script=scripts[0] if scripts else 0, payments=tuple(payments), handles=tuple(handles),
            minors=minors,
        )  # fmt: skip


class Rounds:
    """What is done beside the service again and again, in a thread of its own: pages every few seconds, context that could
    not be sealed, and once an hour what dead intakes left in the vault."""

    def __init__(self, book: Casebook, home: Home, senders: Mapping[Channel, Sender]) -> None:
        self._book, self._home = book, home
        self._pager = Pager(book, senders, failed=lambda why: _noted("page_failed", why)) if senders else None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="underwing-casebook", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a delivery under way is waited for."""
        self._end.set()
        self._thread.join(15)

    def _run(self) -> None:
        swept = time.monotonic()
        while not self._end.wait(TICK_SECONDS):
            try:
                if self._pager is not None:
                    self._pager.tick(int(time.time()))
                self._book.seal_pending()
                if time.monotonic() - swept >= SWEEP_SECONDS:
                    swept = time.monotonic()
                    self._home.vault.resume()
                    if count := self._home.vault.sweep():
                        note("vault_swept", intakes=count)
            except (CasebookError, OSError, sqlite3.Error) as error:
                note("casebook_round_fault", logging.ERROR, error)


def _engine(settings: Settings, database: Database) -> str:
    """What tells this service's decisions from those of others over the same casebook."""
    if database.kind == "sqlite":
        return CAUGHT_UP
    return f"{CAUGHT_UP} {socket.gethostname()}:{Path(settings.database).resolve()}"


def _noted(what: str, why: str) -> None:
    note(what, logging.ERROR, None, problem=why)


def load_casework(settings: Settings, runner: Runner) -> Casework | None:
    """The casebook and its vault as the settings say, with what a crash kept from them made good; None when it is off.

    Raises:
        CasebookError, RegionError, SettingsError: what cannot be used, and what to mend.
    """
    address = settings.casebook_address
    if address is None:
        return None
    senders = senders_of(settings)
    regions = load_regions(Path(settings.regions) if settings.regions else None)
    context = None
    if settings.context:
        context = ContextBuffer(settings.context_file, load_key(settings.context_key_file))
    database = Database(address, durability=settings.durability)
    try:
        home = Home.ensure(settings.vault_directory, database)
        if settings.policy:
            for version in resume(Path(settings.policy), home.custody):
                note("policy_put_in_force", version=version)
        book = Casebook(
            database, regions=regions, context=context, keys=home.keys,
            failed=lambda why: _noted("context_not_sealed", why),
        )  # fmt: skip
        missing = book.catch_up(runner.recent, _engine(settings, database))
    except BaseException:
        database.close()
        raise
    if missing:
        note("casebook_caught_up", decisions=missing)
    return Casework(book, home, runner, senders)


def senders_of(settings: Settings) -> dict[Channel, Sender]:
    """How pages leave, as the settings say; empty when they do not.

    Raises:
        SettingsError: the mail server's address cannot be read.
    """
    senders: dict[Channel, Sender] = {}
    if settings.page_webhook:
        senders["webhook"] = Webhook(settings.page_webhook, settings.page_secret.encode())
    if settings.page_mail:
        url = urlsplit(settings.page_mail)
        if url.scheme not in _MAIL or not url.hostname:
            raise SettingsError(
                f"page_mail: begin with one of {', '.join(f'{s}://' for s in _MAIL)} and a host"
            )
        security, port = _MAIL[url.scheme]
        senders["email"] = Email(
            Mail(
                host=url.hostname, port=url.port or port, security=security, user=unquote(url.username or ""),
                password=unquote(url.password or ""), sender=settings.page_from,
                to=tuple(part.strip() for part in settings.page_to.split(",") if part.strip()),
            )
        )  # fmt: skip
    return senders
