"""The OpenAPI 3.1 description, made from the same types that decode and encode: it cannot drift from them."""

from typing import Any

import msgspec

from underwing import __version__
from underwing.model import Decision, Event
from underwing.server.answers import Explanation, Health, Problem, Readiness, Recent
from underwing.server.keys import ROLES

_REF = "#/components/schemas/{name}"

EXAMPLE = {
    "type": "message",
    "id": "m-1",
    "at": "2026-11-02T17:05:00Z",
    "surface": "dm",
    "conversation": "c-1",
    "from": "account-1",
    "to": ["account-2"],
    "text": "underwing test phrase heron review",
}


def _answer(description: str, schema: str, media: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": {"$ref": _REF.format(name=schema)}}}}


def _text(description: str, media: str) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": {"type": "string"}}}}


def _problems(*statuses: int) -> dict[str, Any]:
    said = {
        400: "The request cannot be read.",
        401: "No key, or not a live one.",
        403: "The key's role does not allow this.",
        404: "There is no such thing.",
        408: "The body did not arrive in time.",
        413: "Too large.",
        415: "Not a content type taken here.",
        422: "An event, but not a valid one.",
        429: "Too many events; see Retry-After.",
        500: "Something failed inside; it is safe to send the same again.",
        503: "Not ready, overloaded or stopping; it is safe to send the same again.",
    }
    return {str(status): _answer(said[status], "Problem") for status in statuses}


def _parameter(name: str, place: str, about: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "description": about, "schema": schema}


_ID = {"type": "string", "minLength": 1, "maxLength": 64}


def _get(
    name: str, summary: str, answers: dict[str, Any], *parameters: dict[str, Any], key: bool = True
) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        made["parameters"] = list(parameters)
    if not key:
        made["security"] = []
    elif name == "metrics":  # the settings may open it to the machine itself
        made["security"] = [{"key": []}, {}]
    return {"get": made}


def describe() -> dict[str, Any]:
    """The whole description as plain JSON types."""
    types = [Event, Decision, Explanation, Problem, Recent, Health, Readiness]
    refs, components = msgspec.json.schema_components(types, ref_template=_REF)
    components["Event"] = refs[0]
    for schema in components.values():
        _open_numbers(schema)
    explained = {"200": _answer("Dated contributions, oldest first.", "Explanation")}
    inside = _problems(400, 401, 403, 429, 500, 503)
    account = _parameter("id", "path", "The account's id.", _ID, True)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Underwing",
            "version": __version__,
            "summary": "Chat events in, explained and early warnings out.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/events": {"post": _post_events()},
            "/v1/decisions/{event}": _get(
                "getDecision",
                "The decision given for an event, byte for byte as it was answered.",
                {"200": _answer("The decision.", "Decision"), **inside, **_problems(404)},
                _parameter("event", "path", "The event's id.", _ID, True),
            ),
            "/v1/explain/pair": _get(
                "explainPair",
                "Why a pair of accounts has its level.",
                {**explained, **inside, **_problems(404)},
                _parameter("actor", "query", "Who acts.", _ID, True),
                _parameter("target", "query", "Towards whom.", _ID, True),
            ),
            "/v1/explain/actor/{id}": _get(
                "explainActor",
                "What an account did to others.",
                {**explained, **inside, **_problems(404)},
                account,
            ),
            "/v1/explain/target/{id}": _get(
                "explainTarget",
                "What was done to an account.",
                {**explained, **inside, **_problems(404)},
                account,
            ),
            "/v1/recent": _get(
                "recent",
                "Decisions with reasons, for the page and for polling.",
                {"200": _answer("Oldest first; without `after` the newest.", "Recent"), **inside},
                _parameter(
                    "after",
                    "query",
                    "The number of the last decision seen.",
                    {"type": "integer", "minimum": 0, "maximum": 2**53},
                    False,
                ),
                _parameter(
                    "limit",
                    "query",
                    "At most this many.",
                    {"type": "integer", "minimum": 1, "maximum": 500},
                    False,
                ),
            ),
            "/healthz": _get(
                "health", "The process answers.", {"200": _answer("It does.", "Health")}, key=False
            ),
            "/readyz": _get(
                "ready",
                "Whether events are taken.",
                {"200": _answer("Yes.", "Readiness"), "503": _answer("Not now.", "Readiness")},
                key=False,
            ),
            "/metrics": _get(
                "metrics",
                "Counters for Prometheus. The settings may let this machine itself ask without a key.",
                {
                    "200": _text("Prometheus' text format.", "text/plain"),
                    **_problems(401, 403, 429, 500, 503),
                },
            ),
            "/openapi.json": _get(
                "description",
                "This description.",
                {
                    "200": {
                        "description": "OpenAPI 3.1.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
                key=False,
            ),
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key made with `underwing keys create --role ROLE`. "
                    + " ".join(f"{role}: {what}" for role, what in ROLES.items()),
                }
            },
        },
    }


def _post_events() -> dict[str, Any]:
    lines = {"schema": {"type": "string", "description": "One event a line; blank lines are ignored."}}
    return {
        "operationId": "postEvents",
        "summary": "Send one event, or many as NDJSON; answered in order, after they are durable.",
        "description": "Sending an event again is safe: an id that was answered before gets the same answer. "
        "In NDJSON a bad line is answered in its place with an error, the others are taken.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": _REF.format(name="Event")}, "example": EXAMPLE},
                "application/x-ndjson": lines,
                "application/jsonl": lines,
            },
        },
        "responses": {
            "200": {
                "description": "The decision; for NDJSON one line an event: a decision or a problem.",
                "content": {
                    "application/json": {"schema": {"$ref": _REF.format(name="Decision")}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            **_problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
        },
    }


def _open_numbers(schema: Any) -> None:
    """Tuples of fixed length as JSON Schema 2020-12 has them (a list `items` is the older way)."""
    if isinstance(schema, dict):
        if isinstance(schema.get("items"), list):
            schema["prefixItems"] = schema.pop("items")
        for value in schema.values():
            _open_numbers(value)
    elif isinstance(schema, list):
        for value in schema:
            _open_numbers(value)
