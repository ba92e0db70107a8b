"""The OpenAPI 3.1 description, made from the same types that decode and encode: it cannot drift from them."""

from typing import Any, Union, get_args

import msgspec

from underwing import __version__
from underwing.model import Correction, Decision, Event
from underwing.server.answers import Explanation, Health, Problem, Readiness, Recent
from underwing.server.describe_casebook import CASEBOOK_TYPES, casebook_paths
from underwing.server.describing import ID, REF, answer, get, open_numbers, parameter, problems, text
from underwing.server.keys import ROLES
from underwing.server.media.describe import TYPES, media_paths
from underwing.server.media.describe_hma import hma_paths
from underwing.server.streams.describe import STREAM_TYPES, stream_paths

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


def describe() -> dict[str, Any]:
    """The whole description as plain JSON types."""
    sent: Any = Union[tuple(kind for kind in get_args(Event) if kind is not Correction)]  # noqa: UP007
    types = [sent, Decision, Explanation, Problem, Recent, Health, Readiness, *TYPES]
    types += [*CASEBOOK_TYPES, *STREAM_TYPES]
    refs, components = msgspec.json.schema_components(types, ref_template=REF)
    components["Event"] = refs[0]
    for schema in components.values():
        open_numbers(schema)
    explained = {"200": answer("Dated contributions, oldest first.", "Explanation")}
    inside = problems(400, 401, 403, 429, 500, 503)
    account = parameter("id", "path", "The account's id.", ID, True)
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
            "/v1/decisions/{event}": get(
                "getDecision",
                "The decision given for an event, byte for byte as it was answered.",
                {"200": answer("The decision.", "Decision"), **inside, **problems(404)},
                parameter("event", "path", "The event's id.", ID, True),
            ),
            "/v1/explain/pair": get(
                "explainPair",
                "Why a pair of accounts has its level.",
                {**explained, **inside, **problems(404)},
                parameter("actor", "query", "Who acts.", ID, True),
                parameter("target", "query", "Towards whom.", ID, True),
            ),
            "/v1/explain/actor/{id}": get(
                "explainActor",
                "What an account did to others.",
                {**explained, **inside, **problems(404)},
                account,
            ),
            "/v1/explain/target/{id}": get(
                "explainTarget",
                "What was done to an account.",
                {**explained, **inside, **problems(404)},
                account,
            ),
            "/v1/recent": get(
                "recent",
                "Decisions with reasons, for the page and for polling.",
                {"200": answer("Oldest first; without `after` the newest.", "Recent"), **inside},
                parameter(
                    "after",
                    "query",
                    "The number of the last decision seen.",
                    {"type": "integer", "minimum": 0, "maximum": 2**53},
                    False,
                ),
                parameter(
                    "limit",
                    "query",
                    "At most this many.",
                    {"type": "integer", "minimum": 1, "maximum": 500},
                    False,
                ),
            ),
            **media_paths(),
            **hma_paths(),
            **casebook_paths(),
            **stream_paths(),
            "/healthz": get(
                "health", "The process answers.", {"200": answer("It does.", "Health")}, key=False
            ),
            "/readyz": get(
                "ready",
                "Whether events are taken.",
                {"200": answer("Yes.", "Readiness"), "503": answer("Not now.", "Readiness")},
                key=False,
            ),
            "/metrics": get(
                "metrics",
                "Counters for Prometheus. The settings may let this machine itself ask without a key.",
                {
                    "200": text("Prometheus' text format.", "text/plain"),
                    **problems(401, 403, 429, 500, 503),
                },
            ),
            "/openapi.json": get(
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
                "password": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "A key as the password; any user.",
                },
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A key made with `underwing keys create --role ROLE`. "
                    + " ".join(f"{role}: {what}" for role, what in ROLES.items()),
                },
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
                "application/json": {"schema": {"$ref": REF.format(name="Event")}, "example": EXAMPLE},
                "application/x-ndjson": lines,
                "application/jsonl": lines,
            },
        },
        "responses": {
            "200": {
                "description": "The decision; for NDJSON one line an event: a decision or a problem.",
                "content": {
                    "application/json": {"schema": {"$ref": REF.format(name="Decision")}},
                    "application/x-ndjson": {"schema": {"type": "string"}},
                },
            },
            **problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
        },
    }
