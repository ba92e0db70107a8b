"""What the OpenAPI description says of streams."""

from typing import Any

from underwing.server.describing import ID, REF, answer, get, parameter, problems
from underwing.server.streams.answers import TYPES
from underwing.server.streams.hooks.routes import HookAnswer
from underwing.server.streams.switches import SwitchAnswer, SwitchQuestion

STREAM_TYPES: list[Any] = [*TYPES, HookAnswer, SwitchQuestion, SwitchAnswer]
_ABOUT = parameter("id", "path", "The stream's id.", ID, True)
_INSIDE = problems(400, 401, 403, 429, 500, 503)


def stream_paths() -> dict[str, Any]:
    """The paths by which platforms have streams watched."""
    begin = {
        "operationId": "beginStream",
        "summary": "Watch a live stream, until it ends, is given up, or is deleted; durable when answered.",
        "description": "Sending the same again is safe. Addresses must lie on hosts that the operator names.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(name="NewStream")}}},
        },
        "responses": {
            "200": answer("It is watched already.", "StreamAnswer"),
            "201": answer("It is watched from now on.", "StreamAnswer"),
            **problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 500, 503),
        },
    }
    end = {
        "operationId": "endStream",
        "summary": "Watch a stream no longer.",
        "parameters": [_ABOUT],
        "responses": {"200": answer("How it stood.", "StreamAnswer"), **_INSIDE, **problems(404)},
    }
    switches = {
        "operationId": "switches",
        "summary": "What a child's live stream has switched off; and what of its settings is wider than that.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(name="SwitchQuestion")}}},
        },
        "responses": {
            "200": answer("What is to be set, and why.", "SwitchAnswer"),
            **problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503),
        },
    }
    return {
        "/v1/switches": {"post": switches},
        "/v1/streams": {
            **get(
                "streams",
                "The streams that are watched, those that need somebody first.",
                {"200": answer("Them.", "StreamList"), **_INSIDE},
                parameter(
                    "ended", "query", "Whether those that ended of late come too.", {"type": "boolean"}, False
                ),
            ),
            "post": begin,
        },
        "/v1/streams/hooks/{server}": {
            "post": {
                "operationId": "streamHook",
                "summary": "A media server's hook: what is published is watched, what ends no longer.",
                "description": "nginx-rtmp's forms, MediaMTX's hooks as forms, LiveKit's webhooks. It proves itself by the "
                "secret in the operator's file (Bearer, the password of HTTP Basic, or `secret` in the query), LiveKit by "
                "its signature. Answered 200 whatever becomes of the watch: no stream is kept from being published.",
                "security": [],
                "parameters": [
                    parameter("server", "path", "The server's name in the file of hooks.", ID, True)
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-www-form-urlencoded": {"schema": {"type": "object"}},
                        "application/webhook+json": {"schema": {"type": "object"}},
                    },
                },
                "responses": {
                    "200": answer("What followed.", "HookAnswer"),
                    **problems(400, 401, 408, 413, 500, 503),
                },
            }
        },
        "/v1/streams/{id}": {
            **get(
                "stream",
                "How a stream stands: what can be seen, what was decided, what was done, and why not.",
                {"200": answer("It.", "StreamAnswer"), **_INSIDE, **problems(404)},
                _ABOUT,
            ),
            "delete": end,
        },
    }
