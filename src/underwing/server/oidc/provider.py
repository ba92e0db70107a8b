"""Talks to an identity provider: discovery, keys, the exchange of a code, and the proof of an ID token.

OpenID Connect Core 1.0 (sections 3.1.2 and 3.1.3), Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
Answers are bounded in size and time, no redirect is followed, and no symmetric or empty signature is taken.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from underwing.server.oidc.config import OidcConfig, is_safe
from underwing.server.oidc.errors import OidcError

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
_SECONDS = 10.0
_MOST = 512 * 1024
_FRESH_SECONDS = 3_600.0
"""How long discovery and keys are kept."""
_AGAIN_SECONDS = 30.0
"""Keys are fetched anew for an unknown key id, at most this often."""
_OLDEST_SECONDS = 600
"""How long ago an ID token may have been issued: it was made for this sign-in."""


class Provider:
    """One identity provider and its keys. For one event loop."""

    def __init__(
        self,
        config: OidcConfig,
        secret: str = "",
        *,
        clock: Callable[[], float] = time.time,
        client: httpx2.AsyncClient | None = None,
    ) -> None:
        self.config, self._secret, self._clock = config, secret, clock
        self._client = client or httpx2.AsyncClient(follow_redirects=False, trust_env=False, timeout=_SECONDS)
        self._turn = asyncio.Lock()
        self._metadata: dict[str, Any] = {}
        self._metadata_at = self._keys_at = float("-inf")
        self._keys = KeySet([])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def authorize_url(self, *, state: str, nonce: str, challenge: str) -> str:
        """Where the browser is sent to sign in.

        Raises:
            OidcError: the provider cannot be reached, or its description does not hold.
        """
        where: str = (await self._described())["authorization_endpoint"]
        asked = {
            "response_type": "code", "client_id": self.config.client_id, "redirect_uri": self.config.redirect,
            "scope": " ".join(self.config.scopes), "state": state, "nonce": nonce, "code_challenge": challenge,
            "code_challenge_method": "S256",
        }  # fmt: skip
        return where + ("&" if urlsplit(where).query else "?") + urlencode(asked)

    async def check_issuer(self, given: str | None) -> None:
        """That the answer came from this provider and not another (RFC 9207).

        Raises:
            OidcError: it names another one, or none although this one always does.
        """
        always = (await self._described()).get("authorization_response_iss_parameter_supported") is True
        if (given is None and always) or (given is not None and given != self.config.issuer):
            raise OidcError("the answer is not from the identity provider that was asked")

    async def claims(self, code: str, verifier: str, nonce: str) -> dict[str, Any]:
        """Exchange a code and prove the ID token; its claims.

        Raises:
            OidcError: the provider refuses or cannot be reached, or the token does not hold.
        """
        described = await self._described()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": self.config.redirect,
            "code_verifier": verifier,
        }  # fmt: skip
        auth, more = self._credentials(described)
        answer = await self._asked("POST", described["token_endpoint"], data=form | more, auth=auth)
        token = answer.get("id_token")
        if not isinstance(token, str) or token.count(".") != 2:
            raise OidcError("the identity provider gave no signed ID token")
        proven = await self._proven(token, nonce)
        return await self._more(described, answer.get("access_token"), proven) | proven

    async def _more(self, described: dict[str, Any], access: Any, proven: dict[str, Any]) -> dict[str, Any]:
        """The claims that are not in the token: those of the userinfo endpoint (section 5.3), if it has the same subject."""
        config = self.config
        wanted = {config.name_claim, config.shown_claim, *(rule.claim for rule in config.role)}
        where = described.get("userinfo_endpoint")
        if wanted <= set(proven) or not isinstance(access, str) or not is_safe(where):
            return {}
        found = await self._asked("GET", str(where), bearer=access)
        if found.get("sub") != proven["sub"]:
            raise OidcError("the identity provider tells of another account than the one that signed in")
        return {name: found[name] for name in wanted if name in found}

    def _credentials(self, described: dict[str, Any]) -> tuple[tuple[str, str] | None, dict[str, str]]:
        """How the client says who it is: HTTP Basic (encoded as RFC 6749, section 2.3.1, asks) or in the form."""
        if not self._secret:
            return None, {"client_id": self.config.client_id}
        ways = described.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if "client_secret_basic" in ways:
            return (quote(self.config.client_id, safe=""), quote(self._secret, safe="")), {}
        return None, {"client_id": self.config.client_id, "client_secret": self._secret}

    # -- the token --------------------------------------------------------------------------------------

    async def _proven(self, token: str, nonce: str) -> dict[str, Any]:
        try:
            read = jwt.decode(token, await self._keyset(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            read = self._decoded(token, await self._keyset(anew=True))
        except (JoseError, ValueError):
            raise _bad("its signature") from None
        self._check(read.claims, nonce)
        return read.claims

    def _decoded(self, token: str, keys: KeySet) -> jwt.Token:
        try:
            return jwt.decode(token, keys, algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            raise _bad("its signature") from None

    def _check(self, claims: dict[str, Any], nonce: str) -> None:
        """Core 1.0, section 3.1.3.7."""
        config, now = self.config, int(self._clock())
        registry = jwt.JWTClaimsRegistry(
            now=now,
            leeway=config.skew_seconds,
            iss={"essential": True, "value": config.issuer},
            aud={"essential": True, "value": config.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
        )
        try:
            registry.validate(claims)
        except JoseError as error:
            raise _bad(str(error)[:100]) from None
        if not 0 < len(claims["sub"]) <= 255:
            raise _bad("its subject")
        if claims["iat"] < now - config.skew_seconds - _OLDEST_SECONDS:
            raise _bad("its age")
        many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if (many or "azp" in claims) and claims.get("azp") != config.client_id:
            raise _bad("whom it is for")

    # -- what is fetched --------------------------------------------------------------------------------

    async def _described(self) -> dict[str, Any]:
        async with self._turn:
            if time.monotonic() - self._metadata_at > _FRESH_SECONDS:
                where = self.config.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = await self._asked("GET", where)
                if found.get("issuer") != self.config.issuer:
                    raise OidcError("the identity provider calls itself by another name than `issuer` says")
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                    if not is_safe(found.get(name)):
                        raise OidcError(f"the identity provider's {name} is no https:// address")
                self._metadata, self._metadata_at = found, time.monotonic()
            return self._metadata

    async def _keyset(self, anew: bool = False) -> KeySet:
        described = await self._described()
        async with self._turn:
            age = time.monotonic() - self._keys_at
            if age > (_AGAIN_SECONDS if anew else _FRESH_SECONDS):
                found = await self._asked("GET", described["jwks_uri"])
                given = found.get("keys")
                keys = [k for k in given if isinstance(k, dict)] if isinstance(given, list) else []
                signing = [k for k in keys if k.get("kty") != "oct" and k.get("use", "sig") == "sig"]
                try:
                    self._keys = KeySet.import_key_set({"keys": signing[:50]})
                except (JoseError, ValueError, KeyError, TypeError):
                    raise OidcError("the identity provider's keys cannot be read") from None
                self._keys_at = time.monotonic()
            return self._keys

    async def _asked(self, method: str, url: str, bearer: str = "", **more: Any) -> dict[str, Any]:
        """The JSON object that the provider answers.

        Raises:
            OidcError: it cannot be reached, is too slow, answers too much, no JSON, or an error.
        """
        body, headers = bytearray(), {"accept": "application/json"}
        if bearer:
            headers["authorization"] = f"Bearer {bearer}"
        try:
            async with (
                asyncio.timeout(_SECONDS),
                self._client.stream(method, url, headers=headers, **more) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _MOST:
                        raise OidcError("the identity provider answers too much")
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError):
            raise OidcError("the identity provider cannot be reached, or is too slow") from None
        try:
            found = msgspec.json.decode(bytes(body), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = {}
        if answer.status_code != 200 or not found:
            said = found.get("error")
            known = (
                said if isinstance(said, str) and said.isascii() and said.replace("_", "").isalpha() else ""
            )
            raise OidcError(f"the identity provider answered {answer.status_code} {known[:40]}".rstrip())
        return found


def _bad(what: str) -> OidcError:
    return OidcError(f"the ID token of the identity provider does not hold: {what}")
