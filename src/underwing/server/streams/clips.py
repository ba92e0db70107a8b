"""What a watcher keeps of a stream's last seconds goes into the case that a decision about the stream has opened."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from underwing.live.clip import NOTE, SUFFIX, Times
from underwing.live.crew import ClipError
from underwing.server.caring import Caring
from underwing.server.evidence import Evidence
from underwing.server.media.desk import Checked, Desk

BY = "underwing"


async def keep_clip(
    desk: Callable[[], Desk],
    caring: Callable[[], Caring | None],
    most: int,
    stream: str,
    event: str,
    parts: AsyncIterator[Times | bytes],
) -> None:
    """Take a stream's clips from its watcher, hash each as any file, and seal it into the case of an event; never on disk
    in the clear. The custody log says when each is of.

    Raises:
        ClipError: nothing is kept, it is larger than `most` bytes, or there is no case that it could go to.
        Refusal: it cannot be looked at now.
    """
    care = caring()
    case = await asyncio.to_thread(care.evidence.case_of, event) if care is not None else None
    if care is None or case is None:
        raise ClipError("there is no case of this event")
    times: Times | None = None
    data = bytearray()
    async for part in parts:
        if isinstance(part, Times):
            if times is not None:
                await _bring(
                    care.evidence, await desk().check(bytes(data)), bytes(data), case, event, stream, times
                )
            times, data = part, bytearray()
            continue
        data += part
        if len(data) > most:
            raise ClipError(f"what is kept has more than {most} bytes")
    if times is not None:
        await _bring(care.evidence, await desk().check(bytes(data)), bytes(data), case, event, stream, times)


async def _bring(
    evidence: Evidence, checked: Checked, data: bytes, case: int, event: str, stream: str, times: Times
) -> None:
    began, ended = _time(times.began), _time(times.ended)
    how = frames = ""
    if times.stills is not None:
        how, frames = f"{times.stills} {NOTE}; ", f", {times.stills} frames"
    reason = (
        f"the last seconds of stream {stream}: seconds {times.first:.1f} to {times.last:.1f} of it, taken in from {began} "
        f"to {ended}; {how}MD5 {checked.hashes.md5}"
    )
    await evidence.bring(
        data, case, event, checked, BY, name=f"{stream} {began} {times.first:.0f}-{times.last:.0f} s{frames}{SUFFIX}",
        reason=reason, made="" if times.stills is None else "stills",
    )  # fmt: skip


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
