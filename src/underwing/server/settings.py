"""Everything an operator can set, in one frozen value; `docs/settings.md` explains each."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert, structs

from underwing.casebook.vault.place import vault_beside
from underwing.live.plugins import Plan, require
from underwing.live.rolling import Keep
from underwing.live.senses import SenseMissingError
from underwing.server.media.remote import prefixes_of
from underwing.server.streams.guarded import hosts_of
from underwing.server.streams.store import streams_beside

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
    second_reader: bool = False
    """Whether a sentence encoder, a hundred times slower, also reads what is not dull, where a minor is known to be."""
    policy: str = ""
    """A policy file; empty means the shipped one. Followed while the service runs."""
    shadow: str = ""
    """A policy file that only tells what it would have done; followed as well."""
    switches: str = ""
    """A TOML file with the switches of children's streams; empty means the shipped one. Read at the start only."""
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
    proxies: str = "127.0.0.1 ::1"
    """Addresses of proxies in front (between blanks), whose `X-Forwarded-For` is believed."""
    session_idle_minutes: Annotated[int, Meta(ge=1, le=60)] = 30
    """How long a session of the console lives without a request."""
    session_hours: Annotated[int, Meta(ge=1, le=24)] = 12
    """How long a session of the console lives at most."""
    second: str = ""
    """A TOML file of acts that take a second person, laid over the shipped one."""
    oidc: str = ""
    """A TOML file about an identity provider (OpenID Connect); empty means local accounts only."""
    ticket: str = ""
    """A ticket that opens the console once, as a senior reviewer: `/?key=<ticket>`. At least 32 characters."""
    url_lists: str = ""
    """A directory of URL lists that messages are held against; followed while the service runs."""
    banks: str = ""
    """The SQLite file with the banks; empty means `banks.db` beside the database."""
    exchanges: str = ""
    """The file that names the sources of lists, which are asked when they are due; empty means `exchanges.toml` beside the
    database, where there is one; `off` means that none is asked."""
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
    media_long_video: _Positive = 600
    """Seconds of a video from which on its keyframes are looked at first, and closely what came near something known."""
    classifier: str = ""
    """The classifier that scores pictures and videos (`open-nsfw`, or an own one as `module:name`); empty means none."""
    media_sources: str = ""
    """Prefixes of URLs (between blanks) that the HMA-compatible routes may fetch files from; empty means none."""
    stream_hosts: str = ""
    """Hosts (between blanks, `host`, `*.host` or `host:port`) whose streams may be watched, and that may be asked to act on
    them; empty means none."""
    stream_most: _Positive = 500
    """Streams watched at the same time."""
    stream_watchers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Processes that watch streams, many each; 0 means one for each core. They start when they are needed."""
    stream_give_up: _Positive = 120
    """Seconds that a stream which cannot be seen is tried again before its watch ends."""
    stream_hooks: str = ""
    """A TOML file of media servers whose hooks start and stop watches; empty means none."""
    stream_keep_seconds: Annotated[int, Meta(ge=0, le=600)] = 60
    """Seconds of each stream that are kept in memory, sealed, for a case that opens; 0 keeps nothing."""
    stream_keep_bytes: Annotated[int, Meta(ge=1 << 20, le=1 << 30)] = 24 * 1024 * 1024
    """The most bytes of each stream that are kept so."""
    stream_text: str = ""
    """What reads text on the screen of children's streams (`rapidocr`, or an own one as `module:name`); empty means none."""
    stream_words: str = ""
    """What makes words of speech in children's streams (`whisper`, or an own one as `module:name`); empty means none."""
    control_secret: str = ""
    """The secret that signs what a stream's `webhook+https://` is told, at least 24 characters; empty: not signed."""
    casebook: str = ""
    """The casebook: a SQLite file or `postgresql://user:password@host/name`; empty means a file beside the database, `off`
    means none."""
    vault: str = ""
    """The directory of the evidence vault, made when missing; empty means `vault` beside the casebook."""
    regions: str = ""
    """A TOML file of regions (clocks, context); empty means the shipped one."""
    context: bool = True
    """Whether the last messages of each conversation wait, encrypted, to be sealed into a case."""
    context_key: str = ""
    """The file of the waiting context's key, made when missing; empty means `keys/context.key` beside the database."""
    keep_media: bool = True
    """Whether a checked file is sealed into the vault when the decision about it asks for a case."""
    care: str = ""
    """A TOML file of limits (how much a person may look at, breaks) laid over the shipped one."""
    appeal_webhook: str = ""
    """An address that is told how an appeal ended; signed with `appeal_secret`."""
    appeal_secret: str = ""
    """The secret of that webhook, at least 24 characters."""
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
    def exchanges_file(self) -> Path | None:
        """The file of the sources of lists, or None when none is asked."""
        if self.exchanges == "off":
            return None
        return Path(self.exchanges) if self.exchanges else Path(self.database).with_name("exchanges.toml")

    @property
    def receipt_key_file(self) -> Path:
        """Where the key that signs receipts is."""
        return Path(self.receipt_key) if self.receipt_key else Path(self.database).with_name("receipts.pem")

    @property
    def casebook_address(self) -> str | None:
        """The casebook's file or its address in PostgreSQL, or None when it is off."""
        if self.casebook == "off":
            return None
        return self.casebook or str(Path(self.database).with_suffix(".casebook.db"))

    @property
    def vault_directory(self) -> Path:
        """Where the vault is."""
        return vault_beside(self.casebook_address or self.database, self.vault, Path(self.database))

    @property
    def context_file(self) -> Path:
        """Where the context waits."""
        return Path(self.database).with_suffix(".context.db")

    @property
    def stream_keep(self) -> Keep | None:
        """How much of each stream's last seconds is kept, None: nothing."""
        kept = Keep(seconds=float(self.stream_keep_seconds), most=self.stream_keep_bytes)
        return kept if self.stream_keep_seconds else None

    @property
    def stream_plan(self) -> Plan:
        """The senses that are turned to children's streams."""
        return Plan(reader=self.stream_text, recogniser=self.stream_words, classifier=self.classifier)

    @property
    def streams_file(self) -> Path:
        """Where the watches of streams are kept."""
        return streams_beside(Path(self.database))

    @property
    def context_key_file(self) -> Path:
        """Where the key of the context that waits is."""
        return (
            Path(self.context_key)
            if self.context_key
            else Path(self.database).parent / "keys" / "context.key"
        )

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
        try:
            require(Plan(reader=settings.stream_text, recogniser=settings.stream_words))
        except (ValueError, SenseMissingError) as error:
            raise SettingsError(f"stream_text, stream_words: {error}") from None
        try:
            hosts_of(settings.stream_hosts)
        except ValueError as error:
            raise SettingsError(f"stream_hosts: {error}") from None
        if settings.control_secret and len(settings.control_secret) < 24:
            raise SettingsError("control_secret: use at least 24 random characters, it signs what is told")
        if settings.page_webhook and len(settings.page_secret) < 24:
            raise SettingsError(
                "page_secret: use at least 24 random characters, it signs what the webhook is told"
            )
        if settings.appeal_webhook and len(settings.appeal_secret) < 24:
            raise SettingsError("appeal_secret: use at least 24 random characters, it signs what is told")
        if settings.page_mail and not (settings.page_from and settings.page_to):
            raise SettingsError("page_from, page_to: say who sends pages by e-mail and who gets them")
        return settings
