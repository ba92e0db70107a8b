"""`POST /v1/media` and `POST /v1/hashes`: is this on a list, and what follows."""

import asyncio
import time
from collections.abc import Callable

import msgspec
from msgspec import structs

from underwing.engine.keys import iso
from underwing.model import Decision, Media, MediaHashes, Pdq, View
from underwing.server.evidence import Evidence, Kept
from underwing.server.http import Refusal, Request, Response
from underwing.server.ingest import Ingest
from underwing.server.intake import Problem
from underwing.server.media.answers import (
    HashAnswer,
    HashQueries,
    HashQuery,
    MediaAnswer,
)
from underwing.server.media.asked import event_of, media_event, read_json
from underwing.server.media.desk import Checked, Desk
from underwing.server.media.receipts import CheckVersions, Receipt, verdict_of
from underwing.server.media.upload import read_upload
from underwing.server.metrics import Metrics
from underwing.server.settings import Settings

MAX_QUERY_BYTES = 4 * 1024 * 1024
_decision = msgspec.json.Decoder(Decision).decode


class Checks:
    """The routes that check. `desk` and `ingest` give what lies behind them, or refuse while it is not there."""

    def __init__(
        self,
        desk: Callable[[], Desk],
        ingest: Callable[[], Ingest],
        metrics: Metrics,
        settings: Settings,
        evidence: Callable[[], Evidence | None] = lambda: None,
    ) -> None:
        self._evidence = evidence
        self._desk, self._ingest, self._metrics, self._settings = desk, ingest, metrics, settings

    async def post_media(self, request: Request) -> Response:
        """Check the bytes of a file; with event fields, decide on its having been sent."""
        desk, settings = self._desk(), self._settings
        with desk.place():
            upload = await read_upload(request, settings.media_max, seconds=settings.read_seconds)
            event = event_of(request, upload, settings.max_ahead)
            if event is not None:
                self._ingest()
            checked = await desk.check(upload.data, scored=True)
            decision, evidence = await self._decided(request, event, upload.data, checked)
        now = iso(time.time())
        hashes, found = checked.hashes, checked.found
        verdict = verdict_of(hashes, found.matches)
        self._metrics.media_checked.labels("file", verdict).inc()
        request.counts = {"bytes": hashes.size, "matches": len(found.matches)}
        receipt = desk.signer.sign(
            Receipt(
                sha256=hashes.sha256, at=now, verdict=verdict,
                versions=CheckVersions(hashes.profile, checked.banks),
            )
        )  # fmt: skip
        answer = MediaAnswer(
            sha256=hashes.sha256, sha1=hashes.sha1, md5=hashes.md5, size=hashes.size, type=hashes.type, pdq=hashes.pdq,
            frames=len(hashes.frames), duration=hashes.duration, matches=found.matches, more=found.more,
            error=hashes.error, score=hashes.score, unscored=hashes.unscored, decision=decision, receipt=receipt,
            evidence=evidence,
        )  # fmt: skip
        return Response(msgspec.json.encode(answer))

    async def _decided(
        self, request: Request, event: Media | None, data: bytes, checked: Checked
    ) -> tuple[Decision | None, Kept | None]:
        """The decision on a file's having been sent, and what became of its bytes where a case asks for them."""
        if event is None:
            return None, None
        hashes = checked.hashes
        error = hashes.error[:500] if hashes.error else None
        event = structs.replace(
            event, sha256=hashes.sha256, error=error, matches=list(checked.found.matches), score=hashes.score
        )
        decision = await self._decide(event)
        keeper = self._evidence()
        if keeper is None:
            return decision, None
        return decision, await keeper.keep(data, event, checked, decision, request.key or "platform")

    async def post_hashes(self, request: Request) -> Response:
        """Look hashes up: one query, or many."""
        desk, settings = self._desk(), self._settings
        asked: HashQuery | list[HashQuery] = await read_json(
            request, HashQuery | HashQueries, MAX_QUERY_BYTES, seconds=settings.read_seconds
        )
        queries = asked if isinstance(asked, list) else [asked]
        events = [self._event(query) for query in queries]
        checked = await desk.match_all([_hashes(query) for query in queries])
        made = map(self._hash_answer, queries, events, checked)
        answers = await asyncio.gather(*made) if any(events) else [await one for one in made]
        request.counts = {"queries": len(queries), "matches": sum(len(a.matches) for a in answers)}
        return Response(msgspec.json.encode(answers if isinstance(asked, list) else answers[0]))

    def _event(self, query: HashQuery) -> Media | None:
        if not (query.sha256 or query.sha1 or query.md5 or query.pdq):
            raise Refusal(422, "no_hash", "give at least one of sha256, sha1, md5 and pdq")
        if query.event is None:
            return None
        self._ingest()
        return media_event(msgspec.to_builtins(query.event), self._settings.max_ahead)

    async def _hash_answer(self, query: HashQuery, event: Media | None, checked: Checked) -> HashAnswer:
        found, decision = checked.found, None
        verdict = verdict_of(checked.hashes, found.matches)
        self._metrics.media_checked.labels("hash", verdict).inc()
        if event is not None:
            decision = await self._decide(
                structs.replace(event, sha256=query.sha256, matches=list(found.matches))
            )
        return HashAnswer(matches=found.matches, more=found.more, decision=decision)

    async def _decide(self, event: Media) -> Decision:
        outcome = await self._ingest().single(event)
        if isinstance(outcome, Problem):
            raise Refusal(outcome.status, outcome.code, outcome.message, retry_after=1)
        return _decision(outcome.body)


def _hashes(query: HashQuery) -> MediaHashes:
    views = (View("plain", Pdq(query.pdq, query.quality)),) if query.pdq else ()
    return MediaHashes(
        sha256=query.sha256 or "", sha1=query.sha1 or "", md5=query.md5 or "", size=0, views=views
    )
