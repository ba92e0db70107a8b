"""The pieces that the OpenAPI description is made of: answers, problems, parameters, operations."""

from typing import Any

REF = "#/components/schemas/{name}"


def answer(description: str, schema: str, media: str = "application/json") -> dict[str, Any]:
    """An answer with a schema of the components."""
    return {"description": description, "content": {media: {"schema": {"$ref": REF.format(name=schema)}}}}


def text(description: str, media: str) -> dict[str, Any]:
    """An answer of plain text."""
    return {"description": description, "content": {media: {"schema": {"type": "string"}}}}


def problems(*statuses: int) -> dict[str, Any]:
    """The answers of these statuses that are not a success."""
    said = {
        400: "The request cannot be read.",
        401: "No key, or not a live one.",
        403: "The key's role does not allow this.",
        404: "There is no such thing.",
        408: "The body did not arrive in time.",
        409: "Something else stands in its place.",
        413: "Too large.",
        415: "Not a content type taken here.",
        422: "An event, but not a valid one.",
        429: "Too many events; see Retry-After.",
        500: "Something failed inside; it is safe to send the same again.",
        503: "Not ready, overloaded or stopping; it is safe to send the same again.",
    }
    return {str(status): answer(said[status], "Problem") for status in statuses}


def parameter(name: str, place: str, about: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """One parameter."""
    return {"name": name, "in": place, "required": required, "description": about, "schema": schema}


ID = {"type": "string", "minLength": 1, "maxLength": 64}


def get(
    name: str, summary: str, answers: dict[str, Any], *parameters: dict[str, Any], key: bool = True
) -> dict[str, Any]:
    """An operation with GET; `key` False for one that needs none."""
    made: dict[str, Any] = {"operationId": name, "summary": summary, "responses": answers}
    if parameters:
        made["parameters"] = list(parameters)
    if not key:
        made["security"] = []
    elif name == "metrics":  # the settings may open it to the machine itself
        made["security"] = [{"key": []}, {}]
    return {"get": made}


def open_numbers(schema: Any) -> None:
    """Tuples of fixed length as JSON Schema 2020-12 has them (a list `items` is the older way)."""
    if isinstance(schema, dict):
        if isinstance(schema.get("items"), list):
            schema["prefixItems"] = schema.pop("items")
        for value in schema.values():
            open_numbers(value)
    elif isinstance(schema, list):
        for value in schema:
            open_numbers(value)
