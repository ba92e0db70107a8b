"""What was decided, over HTTP: one decision, the newest, and everything that led to warnings about an account or a pair."""

from collections.abc import Callable
from functools import partial

import msgspec

from underwing.server.explain import explain
from underwing.server.http import Refusal, Request, Response
from underwing.server.ingest import Ingest
from underwing.server.recent import recent
from underwing.server.routes import DECISIONS, EXPLAIN, Route, Routes


class Decided:
    """The routes that read decisions. `ingest` gives what runs the engine, or raises Refusal 503."""

    def __init__(self, ingest: Callable[[], Ingest]) -> None:
        self._ingest = ingest

    def lay(self, routes: Routes) -> None:
        """Lay the routes."""
        about = self._explain_one
        routes.add("/v1/decisions/{event}", GET=Route("decisions", self._decision, DECISIONS))
        routes.add("/v1/explain/pair", GET=Route("explain_pair", self._explain_pair, EXPLAIN))
        for side in ("actor", "target"):
            path = f"/v1/explain/{side}/{{id}}"
            routes.add(path, GET=Route(f"explain_{side}", partial(about, side), EXPLAIN))
        routes.add("/v1/recent", GET=Route("recent", self._recent, EXPLAIN))

    async def _decision(self, request: Request, event: str) -> Response:
        ingest = self._ingest()
        body = await ingest.call(partial(ingest.runner.decision, event))
        if body is None:
            raise Refusal(404, "unknown_event", "no decision was given for this id")
        return Response(body)

    async def _explain_pair(self, request: Request) -> Response:
        query = request.query("actor", "target")
        if not query.get("actor") or not query.get("target"):
            raise Refusal(400, "bad_query", "give both: ?actor=<account>&target=<account>")
        return await self._explain(query["actor"], query["target"])

    async def _explain_one(self, side: str, request: Request, id: str) -> Response:
        return await (self._explain(id, None) if side == "actor" else self._explain(None, id))

    async def _explain(self, actor: str | None, target: str | None) -> Response:
        ingest = self._ingest()
        found = await ingest.call(partial(explain, ingest.runner, actor, target))
        if found is None:
            raise Refusal(404, "nothing_known", "no decision with reasons is kept about this")
        return Response(msgspec.json.encode(found))

    async def _recent(self, request: Request) -> Response:
        query = request.query("after", "limit")
        after, limit = _number(query, "after", 0, 2**53), _number(query, "limit", 1, 500)
        ingest = self._ingest()
        found = await ingest.call(partial(recent, ingest.runner, after, limit or 100))
        return Response(msgspec.json.encode(found))


def _number(query: dict[str, str], name: str, least: int, most: int) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 16 and least <= int(value) <= most):
        raise Refusal(400, "bad_query", f"{name} is a whole number from {least} to {most}")
    return int(value)
