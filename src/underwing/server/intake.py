"""From bytes to an event that may be folded, or to a problem that says what is wrong without quoting it."""

import msgspec

from underwing.model import MAX_EVENT_BYTES, Account, BadEvent, Correction, Event, decode_event

EARLIEST = 946_684_800
"""Events dated before the year 2000 (epoch seconds) are taken for a mistake."""


class Problem(msgspec.Struct, frozen=True):
    """Why an event was not taken: the HTTP status it has alone, a stable code and a message."""

    status: int
    code: str
    message: str

    def encoded(self, line: int | None = None) -> bytes:
        """`{"error": {"code", "message"}}`, with the line's number when it came with others."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if line is not None:
            error["line"] = line
        return msgspec.json.encode({"error": error})


def take(data: bytes, now: float, max_ahead: float) -> Event | Problem:
    """Decode one event and hold its time against the server's clock (`now`, epoch seconds)."""
    if len(data) > MAX_EVENT_BYTES:
        return Problem(413, "too_large", f"an event may have at most {MAX_EVENT_BYTES} bytes")
    try:
        event = decode_event(data)
    except BadEvent as error:
        if isinstance(error.__context__, msgspec.ValidationError):
            return Problem(422, "invalid_event", unquoted(str(error)))
        return Problem(400, "malformed_json", _malformed(str(error)))
    if type(event) is Correction:
        return Problem(
            422, "not_from_here", "corrections come from the casebook; decide about the appeal there"
        )
    if type(event) is not Account:
        at = event.at.timestamp()  # type: ignore[union-attr]
        if at > now + max_ahead:
            return Problem(
                422,
                "in_the_future",
                f"at lies more than {max_ahead:g} s ahead of this server's clock; check the sender's clock",
            )
        if at < EARLIEST:
            return Problem(422, "too_old", "at lies before the year 2000; check its unit and its format")
    return event


def unquoted(message: str) -> str:
    """A validation message without the value that msgspec quotes for enumerations and tags."""
    for opening in ("Invalid enum value ", "Invalid value "):
        if message.startswith(opening):
            place = message.rpartition(" - at `")[2].rstrip("`")
            known = "unknown type of event" if place == "$.type" else "not one of the values known here"
            return f"{known} - at `{place}`"
    return message


def _malformed(message: str) -> str:
    if message.startswith("JSON is malformed") or message == "Input data was truncated":
        return message
    return "the event is not JSON in UTF-8"
