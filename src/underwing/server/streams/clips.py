"""What a watcher keeps of a stream's last seconds goes into the case that a decision about the stream has opened."""

import asyncio
from collections.abc import AsyncIterator, Callable

from underwing.live.crew import ClipError
from underwing.server.caring import Caring
from underwing.server.media.desk import Desk

BY = "underwing"


async def keep_clip(
    desk: Callable[[], Desk],
    caring: Callable[[], Caring | None],
    most: int,
    event: str,
    parts: AsyncIterator[bytes],
) -> None:
    """Take a clip from its watcher, hash it as any file, and seal it into the case of an event; never on disk in the clear.

    Raises:
        ClipError: nothing is kept, it is larger than `most` bytes, or there is no case that it could go to.
        Refusal: it cannot be looked at now.
    """
    care = caring()
    case = await asyncio.to_thread(care.evidence.case_of, event) if care is not None else None
    if care is None or case is None:
        raise ClipError("there is no case of this event")
    data = bytearray()
    async for part in parts:
        data += part
        if len(data) > most:
            raise ClipError(f"what is kept has more than {most} bytes")
    checked = await desk().check(bytes(data))
    await care.evidence.bring(bytes(data), case, event, checked, BY)
