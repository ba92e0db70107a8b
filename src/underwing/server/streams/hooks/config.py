"""The operator's file of media servers: a table each, `[edge1]`, with templates that make a stream of a hook's fields."""

import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from underwing.casebook.database import CasebookError
from underwing.casebook.private import read_private
from underwing.connectors import ControlError, control_at
from underwing.server.streams.answers import NewStream
from underwing.server.streams.guarded import SCHEMES

Kind = Literal["nginx-rtmp", "mediamtx", "livekit"]
FIELDS: dict[str, tuple[str, ...]] = {
    "nginx-rtmp": ("app", "name", "addr", "clientid", "tcurl"),
    "mediamtx": ("path", "id"),
    "livekit": ("room", "participant", "name"),
}
"""What each kind says; those with arguments of the publisher say these too, as `arg_NAME`."""
LEAST_SECRET = 24


class HookError(ValueError):
    """The file of hooks cannot be used; says what to mend."""


class Server(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One media server. `secret_file` holds what its hooks prove themselves by, beside this file and readable by its owner
    alone; `key` is the API key whose secret that is (LiveKit). The rest are templates of `NewStream`."""

    kind: Kind
    secret_file: str
    url: str
    stream: str
    streamer: str
    key: str = ""
    conversation: str = ""
    control: tuple[str, ...] = ()
    many: bool = False
    apps: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """Of nginx-rtmp: only these applications are watched; empty: all."""
    secret: str = ""

    def asked(self, fields: Mapping[str, str]) -> NewStream:
        """The stream that the fields of a hook name.

        Raises:
            HookError: a field is missing, or what they make is no stream.
        """
        try:
            made = {
                "id": self.stream.format_map(fields),
                "url": self.url.format_map(_Quoted(fields)),
                "streamer": self.streamer.format_map(fields),
                "conversation": self.conversation.format_map(fields),
                "kind": "many" if self.many else "one",
                "control": tuple(control.format_map(_Quoted(fields)) for control in self.control),
            }
            return msgspec.convert(made, NewStream)
        except KeyError as error:
            raise HookError(f"the hook says no {error}") from None
        except msgspec.ValidationError as error:
            raise HookError(str(error)) from None


class _Quoted(dict[str, str]):
    """Fields for a URL: whoever publishes chooses a name, and nothing else of the address."""

    def __getitem__(self, name: str) -> str:
        value = super().__getitem__(name)
        if any(part in (".", "..") for part in value.split("/")):
            raise HookError("a name that steps out of its folder is not watched")
        return quote(value, safe="/")


def load_hooks(path: Path) -> dict[str, Server]:
    """The servers of a file by their names, with their secrets.

    Raises:
        HookError: the file, a secret or a template cannot be used.
    """
    try:
        servers = msgspec.convert(tomllib.loads(path.read_text("utf-8")), dict[str, Server])
    except OSError as error:
        raise HookError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise HookError(f"{path}: {error}") from None
    made = {}
    for name, server in servers.items():
        try:
            made[name] = _checked(server, path.parent)
        except (HookError, CasebookError, ControlError, UnicodeDecodeError) as error:
            raise HookError(f"{path}: {name}: {error}") from None
    return made


def _checked(server: Server, folder: Path) -> Server:
    if server.secret or not server.secret_file:
        raise HookError("name the file with the secret: secret_file")
    secret = read_private(folder / server.secret_file).decode("utf-8").strip()
    if len(secret) < LEAST_SECRET:
        raise HookError(f"{server.secret_file}: use at least {LEAST_SECRET} random characters")
    if server.kind == "livekit" and not server.key:
        raise HookError("name the API key whose secret signs the webhooks: key")
    for template in (server.url, server.stream, server.streamer, server.conversation, *server.control):
        _checked_template(template, FIELDS[server.kind])
    for address in (server.url, *server.control):
        parts = urlsplit(address)
        if "{" in parts.scheme + parts.netloc:
            raise HookError(f"{address}: fields stand behind the host, never in it")
    if urlsplit(server.url).scheme not in SCHEMES:
        raise HookError(f"{server.url}: streams are watched by {', '.join(SCHEMES)}")
    for address in server.control:
        control_at(address)
    return replace(server, secret=secret)


def _checked_template(template: str, known: tuple[str, ...]) -> None:
    try:
        parts = [(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template)]
    except ValueError as error:
        raise HookError(f"{template}: {error}") from None
    for name, spec, conversion in parts:
        if name is None:
            continue
        plain = name in known or (name.startswith("arg_") and name.isidentifier())
        if not plain or spec or conversion:
            raise HookError(
                f"{template}: fields are {', '.join(f'{{{one}}}' for one in known)} and {{arg_NAME}}"
            )
