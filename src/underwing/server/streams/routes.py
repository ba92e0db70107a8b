"""`/v1/streams`: watches are begun and ended, and what is known of each is told."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from underwing.model import MediaHashes, MediaMatch
from underwing.risk import is_minor
from underwing.risk.context import UNKNOWN
from underwing.server.caring import Caring
from underwing.server.http import Refusal, Request, Response
from underwing.server.ingest import Ingest
from underwing.server.media.asked import read_json
from underwing.server.media.desk import Desk
from underwing.server.metrics import Metrics
from underwing.server.routes import DECISIONS, EVENTS, Route, Routes
from underwing.server.settings import Settings
from underwing.server.streams.answers import NewStream, StreamList
from underwing.server.streams.clips import keep_clip
from underwing.server.streams.guarded import checked_control, checked_url, hosts_of
from underwing.server.streams.hooks.config import load_hooks
from underwing.server.streams.hooks.routes import Hooks
from underwing.server.streams.store import StreamStore
from underwing.server.streams.streams import Streams

MAX_BODY = 16 * 1024


class StreamRoutes:
    """The routes, and what lies behind them once the service has started.

    Raises:
        HookError: the file of hooks cannot be used.
    """

    def __init__(self, settings: Settings, metrics: Metrics, ingest: Callable[[], Ingest]) -> None:
        self._settings, self._metrics, self._ingest = settings, metrics, ingest
        self._hosts = hosts_of(settings.stream_hosts)
        self._streams: Streams | None = None
        self._hooks = Hooks(
            load_hooks(Path(settings.stream_hooks)) if settings.stream_hooks else {}, self.streams, metrics
        )

    def lay(self, routes: Routes) -> None:
        """Put them into the table."""
        routes.add(
            "/v1/streams",
            GET=Route("streams", self.all, DECISIONS),
            POST=Route("begin_stream", self.begin, EVENTS),
        )
        routes.add(
            "/v1/streams/{id}",
            GET=Route("stream", self.one, DECISIONS),
            DELETE=Route("end_stream", self.end, EVENTS),
        )
        self._hooks.lay(routes)

    # -- life -------------------------------------------------------------------------------------------

    def start(self, ingest: Ingest, desk: Callable[[], Desk], caring: Callable[[], Caring | None]) -> Streams:
        """What lies behind the routes, with the watches of before. Call it in the event loop.

        Raises:
            StoreError: its file cannot be opened.
        """
        settings = self._settings

        async def match(hashes: MediaHashes) -> tuple[MediaMatch, ...]:
            return (await desk().match(hashes)).found.matches

        self._streams = made = Streams(
            StreamStore(settings.streams_file, settings.durability), ingest, match, most=settings.stream_most,
            watchers=settings.stream_watchers, give_up=float(settings.stream_give_up), secret=settings.control_secret,
            clip=partial(keep_clip, desk, caring, settings.media_max), keep=settings.stream_keep, plan=settings.stream_plan,
            guarded=partial(_may_be_child, ingest),
        )  # fmt: skip
        ingest.follow(made.follow)
        self._metrics.watch_streams(made.counts)
        return made

    async def stop(self) -> None:
        """End the watchers; the watches go on with the next start."""
        streams, self._streams = self._streams, None
        if streams is not None:
            await streams.close()

    def details(self) -> dict[str, str]:
        """What `/readyz` tells of the streams."""
        if self._streams is None:
            return {"streams": "loading"}
        counts = self._streams.counts()
        told = f"{sum(counts.values())} watched" if counts else "none"
        return {
            "streams": told + (f", {counts['unseen']} of them cannot be seen" if counts.get("unseen") else "")
        }

    def streams(self) -> Streams:
        """What is watched.

        Raises:
            Refusal: 503, the service starts or stops.
        """
        _ = self._ingest()
        if self._streams is None:
            raise Refusal(503, "not_ready", "the service starts or stops; try again in 1 s", retry_after=1)
        return self._streams

    # -- routes -----------------------------------------------------------------------------------------

    async def begin(self, request: Request) -> Response:
        """Watch a stream: 201; 200 where it is watched already."""
        streams = self.streams()
        asked: NewStream = await read_json(request, NewStream, MAX_BODY, seconds=self._settings.read_seconds)
        self.check(asked)
        one, new = await streams.begin(asked)
        return Response(msgspec.json.encode(one.answer()), status=201 if new else 200)

    def check(self, asked: NewStream) -> None:
        """Whether a platform may ask for this.

        Raises:
            Refusal: 403 or 422.
        """
        checked_url(asked.url, self._hosts)
        for address in asked.control:
            checked_control(address, self._hosts)

    async def end(self, request: Request, id: str) -> Response:
        """Watch a stream no longer."""
        one = await self.streams().end(id, "ended by the platform")
        return Response(msgspec.json.encode(one.answer()))

    async def one(self, request: Request, id: str) -> Response:
        """How one stream stands."""
        return Response(msgspec.json.encode(self.streams().get(id).answer()))

    async def all(self, request: Request) -> Response:
        """Every stream that is watched, with `ended=true` those that were of late too."""
        wish = request.query("ended").get("ended", "false")
        if wish not in ("true", "false"):
            raise Refusal(400, "bad_query", "ended is true or false")
        streams = self.streams()
        shown = [one for one in streams.all() if one.ended is None or wish == "true"]
        counts = streams.counts()
        found = StreamList(
            streams=tuple(one.answer(1) for one in shown), watched=sum(counts.values()),
            unseen=counts.get("unseen", 0),
        )  # fmt: skip
        return Response(msgspec.json.encode(found))


async def _may_be_child(ingest: Ingest, account: str) -> bool:
    """Whether an account is a child's, or may be."""

    def known() -> bool:
        return is_minor(ingest.runner.state.accounts.get(account) or UNKNOWN) is not False

    return await ingest.call(known)
