"""One sign-in through a provider: out with state, nonce and PKCE, back with a code.

What must be remembered in between is sealed into a cookie of the browser that began: nobody else can end the sign-in, and
the service keeps nothing. The key is this process's; a restart in between means beginning again.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Struct

from underwing.casebook.people import Identity
from underwing.server.oidc.config import identity
from underwing.server.oidc.errors import OidcError
from underwing.server.oidc.provider import Provider

MINUTES = 10
_CONTEXT = b"underwing oidc sign-in 1"
_NONCE = 12
_MOST_CODE = 4_096


class _Begun(Struct, frozen=True):
    state: str
    nonce: str
    verifier: str
    until: int


class Flow:
    """Begins and ends sign-ins at one provider."""

    def __init__(self, provider: Provider, *, clock: Callable[[], float] = time.time) -> None:
        self.provider, self._clock = provider, clock
        self._seal = AESGCM(AESGCM.generate_key(256))

    async def begin(self) -> tuple[str, str]:
        """(where to send the browser, the value of the cookie it must bring back).

        Raises:
            OidcError: the provider cannot be reached.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        url = await self.provider.authorize_url(state=state, nonce=nonce, challenge=challenge)
        begun = _Begun(state, nonce, verifier, int(self._clock()) + 60 * MINUTES)
        salt = secrets.token_bytes(_NONCE)
        sealed = salt + self._seal.encrypt(salt, msgspec.json.encode(begun), _CONTEXT)
        return url, base64.urlsafe_b64encode(sealed).decode()

    async def end(self, query: Mapping[str, str], cookie: str | None) -> Identity:
        """Who came back, from the query of the provider's redirect and the cookie.

        Raises:
            OidcError: another browser began, it took too long, or the provider or its token do not agree.
        """
        begun = self._opened(cookie or "")
        if not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
            raise OidcError("this sign-in was not begun in this browser; begin again")
        await self.provider.check_issuer(query.get("iss"))
        if "error" in query:
            raise OidcError("the identity provider did not let this account in")
        code = query.get("code", "")
        if not 0 < len(code) <= _MOST_CODE:
            raise OidcError("the identity provider sent no code")
        claims = await self.provider.claims(code, begun.verifier, begun.nonce)
        return identity(self.provider.config, claims)

    def _opened(self, cookie: str) -> _Begun:
        try:
            sealed = base64.urlsafe_b64decode(cookie.encode("ascii"))
            plain = self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], _CONTEXT)
        except (InvalidTag, ValueError):
            raise OidcError(
                "this sign-in was not begun in this browser, or too long ago; begin again"
            ) from None
        begun = msgspec.json.decode(plain, type=_Begun)
        if begun.until <= self._clock():
            raise OidcError("this sign-in took too long; begin again")
        return begun
