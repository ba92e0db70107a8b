"""Bytes to events and back. One place decides what a bad event is and how it is said."""

import msgspec

from underwing.model.errors import MendableError
from underwing.model.events import Event

MAX_EVENT_BYTES = 262_144
"""The largest single event accepted, in bytes of JSON; measured before anything is parsed."""

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_encoder = msgspec.json.Encoder()


class BadEvent(MendableError, ValueError):
    """An event that cannot be taken; the message says which part is wrong and never quotes its text."""


def decode_event(data: bytes | str) -> Event:
    """Parse one JSON event.

    Raises:
        BadEvent: not JSON, unknown type, missing field, wrong time, or a value beyond its limit.
    """
    if len(data) > MAX_EVENT_BYTES:
        raise BadEvent(f"the event is {len(data)} bytes long, at most {MAX_EVENT_BYTES} are taken")
    try:
        event = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadEvent(str(error)) from None
    return event


def encode(value: object) -> bytes:
    """Encode any model value as JSON, fields in their declared order: equal values give equal bytes."""
    return _encoder.encode(value)
