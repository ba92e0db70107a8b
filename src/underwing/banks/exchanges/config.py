"""The file that says which sources there are: a TOML table a source, its credentials by the names of variables.

[ncmec]
kind = "ncmec"
bank = "ncmec"
database = "industry"

[ncmec.credentials]
user = "NCMEC_USER"              # the name of an environment variable, never the secret itself
password = "NCMEC_PASSWORD"
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from underwing.banks.exchanges import (
    ExchangeError,
    HttpPlace,
    ListFile,
    Ncmec,
    S3Place,
    Schedule,
    Secret,
    Source,
    StopNcii,
    TechAgainstTerrorism,
    ThreatExchange,
    read_credentials,
)
from underwing.banks.exchanges.credentials import PREFIX
from underwing.banks.exchanges.ncmec import DATABASES
from underwing.banks.formats.named import FORMATS, Reading, reader
from underwing.banks.labels import Labels
from underwing.model import HashKind

Kind = Literal["ncmec", "stopncii", "threatexchange", "tech-against-terrorism", "list", "s3"]
NEEDED: dict[str, tuple[str, ...]] = {
    "ncmec": ("user", "password"),
    "stopncii": ("subscription_key", "fetch_key"),
    "threatexchange": ("token",),
    "tech-against-terrorism": ("user", "password"),
    "list": (),
    "s3": ("access_key", "secret_key"),
}
"""The credentials of each kind of source. A list may have a `bearer` too."""
_Variable = Annotated[str, Meta(pattern="^[A-Z_][A-Z0-9_]{0,127}$")]
_Seconds = Annotated[int, Meta(ge=1)]


class Configured(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source. `address` stands for the usual one, `every` and `late_after` are seconds (see `Schedule`)."""

    kind: Kind
    bank: str
    address: str | None = None
    database: str = "industry"
    privacy_group: int | None = None
    types: tuple[str, ...] = ()
    format: str = "csv"
    label: str | None = None
    digits64: HashKind | None = None
    country: str = ""
    labels: tuple[str, ...] = ()
    unknown: str | None = None
    unverified: bool = False
    may_be_empty: bool = False
    bucket: str = ""
    key: str = ""
    region: str = "us-east-1"
    ca_file: str | None = None
    every: _Seconds = 3600
    late_after: _Seconds = 24 * 3600
    credentials: dict[str, _Variable] = {}

    @property
    def schedule(self) -> Schedule:
        """How often it is asked."""
        return Schedule(every=self.every, late_after=self.late_after)

    def variables(self, name: str) -> dict[str, str]:
        """The environment variable of each credential."""
        fields = dict.fromkeys((*NEEDED[self.kind], *self.credentials))
        return {field: self.credentials.get(field) or _usual(name, field) for field in fields}


def _usual(name: str, field: str) -> str:
    return f"{PREFIX}{name}_{field}".upper().replace("-", "_")


def read_config(path: Path) -> dict[str, Configured]:
    """The sources of a file, by name.

    Raises:
        ExchangeError: it cannot be read, or something in it cannot be used; says what.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        names = dict[Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")], Configured]
        sources = msgspec.convert(content, names)
    except OSError as error:
        raise ExchangeError(
            f"{path} cannot be read: {error.strerror}; name the file of the sources (--config, or UNDERWING_EXCHANGES)"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ExchangeError(f"{path} is no TOML") from None  # its message could quote a line with a secret
    except msgspec.ValidationError as error:
        hint = (
            " (the name of an environment variable, never the secret itself)"
            if "credentials" in str(error)
            else ""
        )
        raise ExchangeError(f"{path}: {error}{hint}") from None
    for name, source in sources.items():
        if problem := _problem(source):
            raise ExchangeError(f"{path}: {name}: {problem}")
    return sources


def _problem(source: Configured) -> str:
    if source.kind == "threatexchange" and source.privacy_group is None:
        return "privacy_group is missing"
    if source.kind == "ncmec" and source.database not in DATABASES:
        return f"unknown database; known are {', '.join(DATABASES)}"
    if source.kind in ("list", "s3") and source.format not in FORMATS:
        return f"unknown format; known are {', '.join(FORMATS)}"
    if source.kind == "list" and not source.address:
        return "address is missing"
    if source.kind == "s3" and not (source.bucket and source.key):
        return "bucket and key are needed"
    return ""


def make_source(
    name: str, said: Configured, label: str, *, environ: Mapping[str, str] | None = None
) -> Source[Any]:
    """The client of a source, with its credentials; `label` is that of entries which bring none.

    Raises:
        CredentialsMissing: a variable is not set.
        ExchangeError: an address cannot be used.
        LabelError: a file of label tables cannot be read.
    """
    environ = os.environ if environ is None else environ
    variables = said.variables(name)
    given = {_usual(name, field): environ.get(variable, "") for field, variable in variables.items()}
    try:
        secrets = read_credentials(name, tuple(variables), environ=given)
    except ExchangeError as error:
        text = str(error)
        for field, variable in variables.items():
            text = text.replace(_usual(name, field), variable)
        raise type(error)(text) from None
    exploitative = said.kind == "ncmec" and "exploitative" in said.database
    labels = Labels.load(*(Path(p) for p in said.labels), unknown=said.unknown, unverified=said.unverified)
    reading = Reading(
        label=said.label or label, digits64=said.digits64, country=said.country, exploitative=exploitative,
        labels=labels, source=name,
    )  # fmt: skip
    try:
        return _made(name, said, secrets, reading)
    except ValueError as error:
        raise ExchangeError(f"{name}: {error}") from None


def _made(name: str, said: Configured, secrets: dict[str, Secret], reading: Reading) -> Source[Any]:
    base: dict[str, Any] = {"name": name, **({"base": said.address} if said.address else {})}
    base |= {"ca_file": Path(said.ca_file)} if said.ca_file else {}
    if said.kind == "ncmec":
        base.setdefault("base", DATABASES[said.database])
        return Ncmec(secrets["user"], secrets["password"], reader("ncmec", reading), **base)
    if said.kind == "stopncii":
        keys = secrets["subscription_key"], secrets["fetch_key"]
        return StopNcii(*keys, reader("stopncii", reading), feedback_key=secrets.get("feedback_key"), **base)
    if said.kind == "threatexchange":
        group = said.privacy_group or 0
        return ThreatExchange(
            secrets["token"], group, reader("threatexchange", reading), types=said.types, **base
        )
    if said.kind == "tech-against-terrorism":
        return TechAgainstTerrorism(secrets["user"], secrets["password"], reader("tat", reading), **base)
    place: HttpPlace | S3Place
    if said.kind == "s3":
        place = S3Place(
            said.bucket, said.key, access_key=secrets["access_key"], secret_key=secrets["secret_key"],
            region=said.region, endpoint=said.address,
        )  # fmt: skip
    else:
        trust: dict[str, Any] = {"ca_file": Path(said.ca_file)} if said.ca_file else {}
        place = HttpPlace(said.address or "", bearer=secrets.get("bearer"), **trust)
    return ListFile(place, reader(said.format, reading), name=name, may_be_empty=said.may_be_empty)
