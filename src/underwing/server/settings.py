"""Everything an operator can set, in one frozen value; `docs/settings.md` explains each."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert, structs

from underwing.server.media.remote import prefixes_of

PREFIX = "UNDERWING_"
_Positive = Annotated[int, Meta(ge=1)]


class SettingsError(ValueError):
    """A setting that cannot be used; names it and says what is wrong."""


class Settings(Struct, frozen=True, kw_only=True):
    """The service's settings. Each can be given as `UNDERWING_<NAME>` or as `--<name>` to the server."""

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8610
    """The TCP port; 0 lets the system choose."""
    database: str = "underwing.db"
    """The SQLite file with state, decisions and keys."""
    durability: Literal["full", "normal"] = "full"
    """`full` outlives a loss of power, `normal` the death of the process."""
    capacity: _Positive = 200_000
    """Entries of each kind of state kept in memory."""
    packs: str = ""
    """A directory of signal packs laid over the shipped ones; read at the start only."""
    meaning: bool = True
    """Whether the meaning layer runs beside the packs (capped; never alarms alone)."""
    policy: str = ""
    """A policy file; empty means the shipped one. Followed while the service runs."""
    shadow: str = ""
    """A policy file that only tells what it would have done; followed as well."""
    max_body: _Positive = 32 * 1024 * 1024
    """The largest NDJSON body, in bytes."""
    max_lines: _Positive = 50_000
    """The most lines of an NDJSON body."""
    max_bodies: _Positive = 4
    """NDJSON bodies taken in at the same time; further ones wait their turn."""
    max_waiting: _Positive = 10_000
    """Single events waiting for the engine; beyond, new ones are told to come back."""
    max_ahead: Annotated[int, Meta(ge=0)] = 600
    """How far in the future an event's `at` may lie, in seconds."""
    rate: _Positive = 50_000
    """Events per second allowed to each key."""
    read_seconds: _Positive = 30
    """How long a client may take to send a body."""
    drain_seconds: _Positive = 30
    """How long a stop waits for requests under way."""
    open_metrics: bool = True
    """Whether `/metrics` needs no key from this machine, while the service listens on loopback only."""
    https: bool = False
    """Whether a proxy in front speaks HTTPS: cookies become Secure, and HSTS is sent."""
    ticket: str = ""
    """A sign-in ticket for the page, good for one use: `/?key=<ticket>`. At least 32 characters."""
    url_lists: str = ""
    """A directory of URL lists that messages are held against; followed while the service runs."""
    banks: str = ""
    """The SQLite file with the banks; empty means `banks.db` beside the database."""
    receipt_key: str = ""
    """The file with the key that signs receipts, made when missing; empty means `receipts.pem` beside the database."""
    media_max: _Positive = 64 * 1024 * 1024
    """The largest file that is checked, in bytes."""
    media_in_flight: _Positive = 8
    """Files taken in and checked at the same time; further ones are told to come back."""
    media_workers: Annotated[int, Meta(ge=0)] = 0
    """Worker processes that look at files; 0 means one for each core."""
    media_seconds: _Positive = 60
    """How long a worker may look at one file before it is ended; 3 s more for each MiB of it."""
    media_memory: _Positive = 364 * 1024 * 1024
    """Memory a worker may take for one file, in bytes."""
    media_sources: str = ""
    """Prefixes of URLs (between blanks) that the HMA-compatible routes may fetch files from; empty means none."""
    casebook: str = ""
    """The casebook's SQLite file; empty means beside the database, `off` means none."""
    regions: str = ""
    """A TOML file of regions (clocks, context); empty means the shipped one."""
    context: bool = True
    """Whether the last messages of each conversation wait, encrypted, to be sealed into a case."""
    context_key: str = ""
    """The file of the context's key, made when missing; empty means `keys/context.key` beside the casebook."""
    page_webhook: str = ""
    """An address that is told, again and again, that a case waits; signed with `page_secret`."""
    page_secret: str = ""
    """The secret of the webhook, at least 24 characters."""
    page_mail: str = ""
    """The mail server for pages: `smtp://user:password@host:587` (STARTTLS), `smtps://`, or `smtp+plain://127.0.0.1:25`."""
    page_from: str = ""
    """The sender of pages by e-mail."""
    page_to: str = ""
    """Who gets pages by e-mail, separated by commas."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is logged; a request is `info`."""

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in ("127.0.0.1", "::1", "localhost")

    @property
    def banks_file(self) -> Path:
        """Where the banks are."""
        return Path(self.banks) if self.banks else Path(self.database).with_name("banks.db")

    @property
    def receipt_key_file(self) -> Path:
        """Where the key that signs receipts is."""
        return Path(self.receipt_key) if self.receipt_key else Path(self.database).with_name("receipts.pem")

    @property
    def casebook_path(self) -> Path | None:
        """The casebook's file, or None when it is off."""
        if self.casebook == "off":
            return None
        return Path(self.casebook) if self.casebook else Path(self.database).with_suffix(".casebook.db")

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None, **given: Any) -> "Settings":
        """The settings of the environment, with those in `given` (not None) before them.

        Raises:
            SettingsError: an unknown `UNDERWING_` variable, or a value that does not fit.
        """
        environ = os.environ if environ is None else environ
        names = {PREFIX + field.name.upper(): field.name for field in structs.fields(cls)}
        values: dict[str, Any] = {}
        for variable, value in environ.items():
            if variable.startswith(PREFIX):
                if variable not in names:
                    raise SettingsError(f"{variable} is not a setting; known are {', '.join(sorted(names))}")
                values[names[variable]] = value
        values.update({name: value for name, value in given.items() if value is not None})
        made: dict[str, Any] = {}
        for field in structs.fields(cls):
            if field.name in values:
                try:
                    made[field.name] = convert(values[field.name], field.type, strict=False)
                except ValidationError as error:
                    raise SettingsError(f"{field.name} ({PREFIX}{field.name.upper()}): {error}") from None
                del values[field.name]
        if values:
            raise SettingsError(f"{', '.join(values)}: no such setting")
        settings = cls(**made)
        if settings.ticket and len(settings.ticket) < 32:
            raise SettingsError("ticket: use at least 32 random characters, it opens the page")
        try:
            prefixes_of(settings.media_sources)
        except ValueError as error:
            raise SettingsError(f"media_sources: {error}") from None
        if settings.page_webhook and len(settings.page_secret) < 24:
            raise SettingsError(
                "page_secret: use at least 24 random characters, it signs what the webhook is told"
            )
        if settings.page_mail and not (settings.page_from and settings.page_to):
            raise SettingsError("page_from, page_to: say who sends pages by e-mail and who gets them")
        return settings
