"""`POST /v1/cases/{id}/evidence`: a platform brings a file that belongs to a case, later or by itself."""

import asyncio
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from underwing.casebook.cases import Casebook
from underwing.engine.keys import iso
from underwing.server.evidence import Evidence
from underwing.server.http import Refusal, Request, Response
from underwing.server.media.desk import Desk
from underwing.server.media.upload import read_upload
from underwing.server.settings import Settings

TYPE = "underwing-evidence+jws"


class EvidenceReceipt(Struct, frozen=True, kw_only=True):
    """What is signed: these bytes were sealed into this case at this time (whole seconds, UTC)."""

    sha256: str
    size: int
    case: int
    at: str


class EvidenceAnswer(Struct, frozen=True, kw_only=True):
    """A file that was sealed into a case. `file` is its number there, `receipt` a compact JWS over `EvidenceReceipt`."""

    case: int
    file: int
    sha256: str
    sha1: str
    md5: str
    size: int
    type: str
    at: str
    receipt: str


class Bring:
    """The route. What lies behind it refuses while it is not there."""

    def __init__(
        self,
        desk: Callable[[], Desk],
        evidence: Callable[[], Evidence],
        book: Callable[[], Casebook],
        settings: Settings,
    ) -> None:
        self._desk, self._evidence, self._book, self._settings = desk, evidence, book, settings

    async def post(self, request: Request, number: str) -> Response:
        """Seal a file into a case; answered when it is on the disk."""
        desk, evidence, settings = self._desk(), self._evidence(), self._settings
        query = request.query("event")
        event = query.get("event", "")
        if "event" in query and not event:
            raise Refusal(
                400, "bad_query", "event is the id of an event of the case; leave it out where there is none"
            )
        case = await asyncio.to_thread(self._case, number, event)
        with desk.place():
            upload = await read_upload(request, settings.media_max, seconds=settings.read_seconds)
            checked = await desk.check(upload.data)
            found = await evidence.bring(upload.data, case, event, checked, request.key or "platform")
        if found is None or not found.address:
            raise Refusal(
                503,
                "vault_unavailable",
                "the file could not be sealed; keep it and send it again",
                retry_after=60,
            )
        hashes, now = checked.hashes, iso(time.time())
        request.counts = {"bytes": hashes.size}
        receipt = EvidenceReceipt(sha256=hashes.sha256, size=hashes.size, case=case, at=now)
        answer = EvidenceAnswer(
            case=case, file=found.number, sha256=hashes.sha256, sha1=hashes.sha1, md5=hashes.md5, size=hashes.size,
            type=hashes.type, at=now, receipt=desk.signer.sign(receipt, TYPE),
        )  # fmt: skip
        return Response(msgspec.json.encode(answer), status=201)

    def _case(self, number: str, event: str) -> int:
        """The case that is meant, after merges.

        Raises:
            Refusal: 404, there is none, or the event is not in it.
        """
        book = self._book()
        case = book.case(int(number)) if number.isascii() and number.isdigit() and len(number) <= 15 else None
        while case is not None and case.into is not None:
            case = book.case(case.into)
        if case is None:
            raise Refusal(404, "unknown_case", "there is no such case")
        if event:
            item = book.where(event)
            if item is None or item.case != case.id:
                raise Refusal(404, "unknown_event", "the event is not in this case")
        return case.id
