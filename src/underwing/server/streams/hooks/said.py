"""What a hook says, by the kind of its server, once it has proved who it is.

Sources: nginx-rtmp-module's directives, "Notify" (forms with `call`, `app`, `name`, `clientid` and the publisher's
arguments); MediaMTX's hooks, whose variables a command of the operator sends as a form; LiveKit's webhooks (`WebhookEvent`
as JSON, and a token in `Authorization` whose claim `sha256` is the body's hash in base64).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from msgspec import Struct

from underwing.server.http import Refusal
from underwing.server.streams.hooks.config import Server

LEEWAY = 60
"""Seconds that the clock of a media server may be wrong."""
_MOST_FIELDS, _MOST_CHARACTERS = 100, 500
_STARTS = {"nginx-rtmp": ("publish", "update_publish"), "mediamtx": ("ready",)}
_STOPS = {"nginx-rtmp": ("publish_done", "done"), "mediamtx": ("not_ready",)}


class Said(Struct, frozen=True, kw_only=True):
    """A stream starts or stops, or nothing that is of use here. `session` is the server's name for this publishing; it ends
    with a slash where all that begin so stop."""

    what: Literal["start", "stop", "nothing"] = "nothing"
    session: str = ""
    fields: dict[str, str] = {}


def prove_shared(server: Server, given: str) -> None:
    """Whether a hook knows the server's secret.

    Raises:
        Refusal: 401, it does not.
    """
    if not hmac.compare_digest(server.secret.encode(), given.encode()):
        raise unproven()


def prove_signed(server: Server, token: str, body: bytes, now: int) -> None:
    """Whether LiveKit signed this body: HS256 with the secret of `key`, in time, and over the body's SHA-256.

    Raises:
        Refusal: 401, it did not.
    """
    try:
        claims = jwt.decode(token, OctKey.import_key(server.secret), algorithms=["HS256"]).claims
        jwt.JWTClaimsRegistry(
            now=now, leeway=LEEWAY, iss={"essential": True, "value": server.key}, exp={"essential": True}
        ).validate(claims)
    except (JoseError, ValueError, TypeError, UnicodeError):
        raise unproven() from None
    made = base64.b64encode(hashlib.sha256(body).digest())
    if not hmac.compare_digest(made, str(claims.get("sha256", "")).encode()):
        raise unproven()


def unproven() -> Refusal:
    """A hook that does not prove who it is, or of a server that is not in the file: which of both is not told."""
    return Refusal(
        401, "unproven_hook", "this media server, or its secret, is not the one in the file of hooks",
        headers=((b"www-authenticate", b'Bearer realm="underwing hooks"'),),
    )  # fmt: skip


def said_in_form(server: Server, body: bytes, query: Mapping[str, str]) -> Said:
    """What a form says; the query adds what the form lacks.

    Raises:
        Refusal: 400, it is no form.
    """
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refusal(400, "bad_form", "the hook is no form in UTF-8") from None
    form = {**query, **dict(pairs)}
    arguments = form.pop("query" if server.kind == "mediamtx" else "args", "")
    form |= {f"arg_{name}": value for name, value in parse_qsl(arguments[:_MOST_CHARACTERS])}
    plain = ("app", "name", "addr", "clientid", "tcurl", "path", "id")
    fields = {
        name if name in plain or name.startswith("arg_") else f"arg_{name}": value
        for name, value in form.items()
        if len(value) <= _MOST_CHARACTERS
    }
    call = form.get("call", "")
    if server.apps and fields.get("app") not in server.apps:
        return Said()
    session = fields.get("clientid" if server.kind == "nginx-rtmp" else "id", "")
    if (
        not session and "name" in fields
    ):  # a command of nginx-rtmp's `exec_publish` is not told the client's number
        session = f"{fields.get('app', '')} {fields['name']}"
    if call in _STARTS[server.kind]:
        return Said(what="start", session=session, fields=fields)
    return Said(what="stop", session=session) if call in _STOPS[server.kind] and session else Said()


class _Room(Struct, frozen=True):
    sid: str = ""
    name: str = ""


class _Participant(Struct, frozen=True):
    sid: str = ""
    identity: str = ""
    name: str = ""


class _Track(Struct, frozen=True):
    type: Any = "AUDIO"


class _Event(Struct, frozen=True):
    event: str = ""
    room: _Room = _Room()
    participant: _Participant = _Participant()
    track: _Track = _Track()


def said_by_livekit(body: bytes) -> Said:
    """What a webhook of LiveKit says: a watch of whoever publishes a picture, until that participant, or the room, is gone.

    Raises:
        Refusal: 400, it is no event.
    """
    try:
        told = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeError):
        raise Refusal(400, "bad_webhook", "the webhook is no event of LiveKit") from None
    room, who = told.room, told.participant
    if told.event == "room_finished" and room.sid:
        return Said(what="stop", session=f"{room.sid}/")
    session = f"{room.sid}/{who.sid}"
    if told.event in ("participant_left", "participant_connection_aborted") and who.sid:
        return Said(what="stop", session=session)
    if told.event == "track_published" and told.track.type in ("VIDEO", 1):
        fields = {"room": room.name, "participant": who.identity, "name": who.name}
        return Said(what="start", session=session, fields=fields)
    return Said()
