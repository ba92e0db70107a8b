"""Which addresses a platform may have us ask: by scheme, and by the hosts that the operator names. Never a file.

Hosts are compared as they are written, before anything is resolved: whoever names a host trusts what its name leads to.
"""

import ipaddress
import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from msgspec import Struct

from underwing.connectors import ControlError, control_at
from underwing.live.source import scheme_of
from underwing.server.http import Refusal

SCHEMES = ("rtmp", "rtmps", "http", "https", "srt", "livekit+ws", "livekit+wss", "whep+http", "whep+https")
_PORTS = {"rtmp": 1935, "rtmps": 443, "http": 80, "https": 443, "ws": 80, "wss": 443}
_PLAIN = re.compile(r"[!-~]+")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9._-]{0,252})|[0-9a-f:]+")


class HostError(ValueError):
    """A host of the settings that is none; says which."""


class Host(Struct, frozen=True):
    """A host that may be asked: a name, `*.` and a name, or an address; on one port or on all (0)."""

    name: str
    port: int = 0


def hosts_of(setting: str) -> tuple[Host, ...]:
    """The hosts of a setting, between blanks: `media.example`, `*.media.example`, `127.0.0.1:1935`, `[::1]:1935`.

    Raises:
        HostError: one of them is no host.
    """
    made = []
    for given in setting.lower().split():
        name, port = given, ""
        if given.startswith("["):
            name, _, port = given[1:].partition("]")
            port = port.removeprefix(":")
        elif given.count(":") == 1:
            name, _, port = given.partition(":")
        if not _HOST.fullmatch(name) or (port and not (port.isdigit() and 0 < int(port) < 65536)):
            raise HostError(f"{given} is no host; write media.example, *.media.example or 127.0.0.1:1935")
        made.append(Host(_canonical(name), int(port or 0)))
    return tuple(made)


def checked_url(url: str, hosts: tuple[Host, ...]) -> None:
    """Whether a stream at this address may be watched.

    Raises:
        Refusal: 422, it is none that can be watched; 403, its host is not one of `hosts`.
    """
    scheme = _plain(url)
    if scheme not in SCHEMES:
        raise Refusal(422, "unwatchable", f"streams are watched by {', '.join(SCHEMES)}")
    try:
        scheme_of(url)
    except ValueError:
        raise Refusal(422, "unwatchable", f"{scheme} is not watched by this service") from None
    if scheme == "srt" and dict(parse_qsl(urlsplit(url).query)).get("mode", "caller") != "caller":
        raise Refusal(422, "unwatchable", "srt is watched as a caller only")
    _checked_host(url, scheme, hosts)


def checked_control(address: str, hosts: tuple[Host, ...], secret: str = "") -> None:
    """Whether a stream may be acted on by this address.

    Raises:
        Refusal: 422, it is none; 403, its host is not one of `hosts`.
    """
    scheme = _plain(address)
    try:
        control_at(address, secret)
    except ControlError as error:
        raise Refusal(422, "no_control", str(error)) from None
    _checked_host(address, scheme, hosts)


def without_secrets(address: str) -> str:
    """An address as it may be shown: without user, query and fragment, and of the path no more than its first part, as
    the rest may be a stream's key."""
    parts = urlsplit(address)
    path = parts.path.strip("/").split("/")
    shown = "/…" if path[0] else ""
    if len(path) > 1:
        shown = f"/{path[0]}/…"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], shown, "", ""))


def _plain(url: str) -> str:
    """The scheme of a URL without blanks and control characters; "" for what is none."""
    if not _PLAIN.fullmatch(url) or "\\" in url:
        return ""
    scheme, found, _ = url.partition("://")
    return scheme.lower() if found else ""


def _checked_host(url: str, scheme: str, hosts: tuple[Host, ...]) -> None:
    try:
        parts = urlsplit(url)
        name, port = _canonical(parts.hostname or ""), parts.port or _PORTS.get(scheme.rpartition("+")[2], 0)
    except ValueError:
        raise Refusal(422, "unwatchable", "the address has no host, or no port that is one") from None
    if not name or not any(_is(host, name, port) for host in hosts):
        raise Refusal(
            403, "not_asked",
            "this host is not asked for streams or actions; the operator names the media servers' hosts in "
            "UNDERWING_STREAM_HOSTS",
        )  # fmt: skip


def _is(host: Host, name: str, port: int) -> bool:
    if host.port and host.port != port:
        return False
    return name.endswith(host.name[1:]) if host.name.startswith("*.") else name == host.name


def _canonical(name: str) -> str:
    """A host in one form: addresses as they are written shortest, so that no other spelling passes by."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name.lower().rstrip(".")
