"""What the OpenAPI description says of evidence, context and appeals."""

from typing import Any

from underwing.server import supplied
from underwing.server.appeals import routes as appeals
from underwing.server.describing import ID, REF, answer, parameter, problems
from underwing.server.media.bring import EvidenceAnswer

CASEBOOK_TYPES: list[Any] = [EvidenceAnswer, *supplied.TYPES, *appeals.TYPES]
_INSIDE = problems(400, 401, 403, 408, 413, 415, 422, 429, 500, 503)
_FILE = {"type": "string", "format": "binary", "minLength": 1}


def casebook_paths() -> dict[str, Any]:
    """The paths by which platforms bring evidence and context, give tokens and ask about appeals."""
    return {
        "/v1/cases/{case}/evidence": {
            "post": {
                "operationId": "bringEvidence",
                "summary": "Seal a file into a case; answered when it is on the disk.",
                "parameters": [
                    parameter("case", "path", "The case's number.", {"type": "integer", "minimum": 1}, True),
                    parameter("event", "query", "The event of the case that the file belongs to.", ID, False),
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/octet-stream": {"schema": _FILE},
                        "multipart/form-data": {
                            "schema": {
                                "type": "object",
                                "properties": {"file": _FILE},
                                "required": ["file"],
                                "additionalProperties": False,
                            }
                        },
                    },
                },
                "responses": {"201": answer("It is sealed.", "EvidenceAnswer"), **_INSIDE, **problems(404)},
            }
        },
        "/v1/context": {
            "post": _post(
                "supplyContext",
                "Supply what was said around an event that is in a case; answered when it is sealed.",
                "NewContext",
                "ContextAnswer",
            )
        },
        "/v1/appeals/tokens": {
            "post": _post("appealToken", "Make a token for an account holder.", "NewToken", "TokenAnswer")
        },
        "/v1/appeals": {
            "post": _post(
                "fileAppeal", "File what an account holder wrote elsewhere.", "NewAppeal", "AppealAnswer"
            )
        },
        "/v1/appeals/{id}": {
            "get": {
                "operationId": "appeal",
                "summary": "How an appeal stands.",
                "parameters": [parameter("id", "path", "The appeal's id.", ID, True)],
                "responses": {
                    "200": answer("It.", "AppealAnswer"),
                    **problems(400, 401, 403, 404, 429, 500, 503),
                },
            }
        },
    }


def _post(name: str, summary: str, body: str, made: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": REF.format(name=body)}}},
        },
        "responses": {"201": answer("It is made.", made), **_INSIDE, **problems(404)},
    }
