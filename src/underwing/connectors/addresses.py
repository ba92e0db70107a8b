"""Which media server an address means: its kind, `+`, and a URL."""

from collections.abc import Callable
from urllib.parse import urlsplit

from underwing.connectors.control import Control, ControlError
from underwing.connectors.mediamtx import MediaMtx
from underwing.connectors.nginx_rtmp import NginxRtmp
from underwing.connectors.webhook import Webhook


def control_at(address: str, secret: str = "") -> Control:
    """The control of one stream by its address.

    `nginx-rtmp+http://host:port/control?app=live&name=stream`, `mediamtx+http://host:9997/path` (`secret`: user:password, or
    a token), `livekit+http://host:port/room?participant=identity` (key and secret: LIVEKIT_API_KEY, LIVEKIT_API_SECRET), or
    `webhook+https://host/path` (signed with `secret`).

    Raises:
        ControlError: an address of another kind, or one that lacks something; says what.
    """
    kind, found, _ = urlsplit(address).scheme.partition("+")
    url = address[len(kind) + 1 :]
    if not found or kind not in _KINDS or urlsplit(url).scheme not in ("http", "https"):
        raise ControlError(
            f"a control's address begins with {', '.join(_KINDS)}, then +https:// (or +http://, as on loopback)"
        )
    return _KINDS[kind](url, secret)


def _livekit(url: str, secret: str) -> Control:
    try:
        from underwing.connectors.livekit import LiveKit
    except ImportError:
        raise ControlError("livekit+… needs the extra livekit: pip install 'underwing[livekit]'") from None
    return LiveKit(url)


_KINDS: dict[str, Callable[[str, str], Control]] = {
    "nginx-rtmp": lambda url, secret: NginxRtmp(url),
    "mediamtx": MediaMtx,
    "livekit": _livekit,
    "webhook": Webhook,
}
