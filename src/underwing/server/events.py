"""`POST /v1/events`: one JSON event, or NDJSON of many, answered in order and only when durable."""

import asyncio
import time

from underwing.engine.runner import Answer
from underwing.model import MAX_EVENT_BYTES
from underwing.server.http import JSON, NDJSON, Refusal, Request, Response, Sender
from underwing.server.ingest import Ingest, Line
from underwing.server.intake import Problem, take
from underwing.server.limits import Rates, read_body
from underwing.server.metrics import Metrics
from underwing.server.settings import Settings

MANY = (NDJSON, b"application/jsonl")
CHUNK = 2_000
"""Lines of a body handed to the engine, and answered, together."""


class Events:
    """Takes events in, for one application."""

    def __init__(
        self, ingest: Ingest, metrics: Metrics, rates: Rates, settings: Settings, sender: Sender
    ) -> None:
        self._ingest, self._metrics, self._rates = ingest, metrics, rates
        self._settings, self._sender = settings, sender
        self._bodies = asyncio.Semaphore(settings.max_bodies)

    async def post(self, request: Request) -> Response | None:
        """Answer a request; None when the answer was sent in parts already."""
        media = request.media_type()
        if media == JSON:
            return await self._one(request)
        if media in MANY:
            async with self._bodies:
                await self._many(request)
                return None
        raise Refusal(
            415,
            "unsupported_type",
            "send application/json (one event) or application/x-ndjson (one event a line)",
            headers=((b"accept-post", b"application/json, application/x-ndjson, application/jsonl"),),
        )

    async def _one(self, request: Request) -> Response:
        settings = self._settings
        body = await read_body(
            request.receive,
            request.declared_length(),
            MAX_EVENT_BYTES,
            "an event",
            seconds=settings.read_seconds,
        )
        self._rates.charge(request.key, 1)
        event = take(body, time.time(), settings.max_ahead)
        outcome = event if isinstance(event, Problem) else await self._ingest.single(event)
        if isinstance(outcome, Answer):
            request.counts = {"taken": 1}
            return Response(outcome.body)
        request.counts = {"refused": 1}
        self._metrics.rejected.labels(outcome.code).inc()
        return Response(outcome.encoded(), status=outcome.status)

    async def _many(self, request: Request) -> None:
        settings = self._settings
        body = await read_body(
            request.receive,
            request.declared_length(),
            settings.max_body,
            "a body of NDJSON",
            lines=settings.max_lines,
            seconds=settings.read_seconds,
        )
        lines: list[Line] = [(n, line) for n, line in enumerate(body.split(b"\n"), 1) if line.strip()]
        del body
        if len(lines) > settings.max_lines:
            raise Refusal(
                413, "too_many_lines", f"at most {settings.max_lines} lines are taken; send several bodies"
            )
        self._rates.charge(request.key, len(lines))
        taken = 0
        request.counts = {"lines": len(lines), "taken": 0, "refused": 0}
        started = False
        for start in range(0, len(lines), CHUNK):
            part = lines[start : start + CHUNK]
            try:
                outcomes = await self._ingest.bulk(part)
            except Refusal as refusal:  # the service stops; the rest is safe to send again
                if not started:
                    raise
                outcomes = [Problem(refusal.status, refusal.code, refusal.message)] * len(part)
            made: list[bytes] = []
            for (number, _), outcome in zip(part, outcomes, strict=True):
                if isinstance(outcome, Answer):
                    taken += 1
                    made.append(outcome.body)
                else:
                    self._metrics.rejected.labels(outcome.code).inc()
                    made.append(outcome.encoded(number))
            made.append(b"")
            request.counts = {"lines": len(lines), "taken": taken, "refused": start + len(part) - taken}
            if not started:
                started = True
                await self._sender.start(request, Response(type=NDJSON))
            await request.send({"type": "http.response.body", "body": b"\n".join(made), "more_body": True})
        if not started:
            await self._sender.start(request, Response(type=NDJSON))
        await request.send({"type": "http.response.body", "body": b""})
