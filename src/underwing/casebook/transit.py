"""A key-encryption key that never leaves a key service: the transit engine of OpenBao, or of HashiCorp Vault.

What is wrapped there is the key of a case, of a conversation or of a second factor, 32 bytes or little more; what it is for
goes along as associated data, so that it opens for that only. The service's key must be of a kind that authenticates (its
default, `aes256-gcm96`), and may be rotated there: what older versions wrapped still opens. API: `POST
<mount>/encrypt/<key>` and `<mount>/decrypt/<key>` with base64 in JSON (https://openbao.org/api-docs/secret/transit/).
"""

import base64
import os
from typing import Any
from urllib.parse import urlsplit

import httpx2

from underwing.casebook.errors import CasebookError
from underwing.casebook.keys import KeyRefused

TIMEOUT = 10.0
"""Seconds that the service may take; a case waits that long for its key."""
TOKENS = ("BAO_TOKEN", "VAULT_TOKEN")
"""Environment variables that may hold the token."""
_LARGEST = 65_536


class KeysAway(CasebookError):
    """The key service does not answer, or refuses to work for us; nothing is known of the key then."""

    key = "keys_away"


class Transit:
    """The port `Keys` over HTTP. `address` is `https://host:8200/v1/MOUNT/KEY`.

    Raises:
        CasebookError: the address cannot be used, or there is no token.
    """

    def __init__(self, address: str, token: str = "", *, timeout: float = TIMEOUT) -> None:
        url = urlsplit(address)
        parts = url.path.strip("/").split("/")
        local = url.hostname in ("127.0.0.1", "::1", "localhost")
        if url.scheme not in ("https", "http") or (url.scheme == "http" and not local) or url.username:
            raise CasebookError(
                "the key service's address begins with https:// and holds no name or password"
            )
        if len(parts) < 3 or parts[0] != "v1" or not all(parts):
            raise CasebookError("the key service's address ends with /v1/MOUNT/KEY")
        token = token or next((os.environ[name] for name in TOKENS if os.environ.get(name)), "")
        if not token:
            raise CasebookError(f"the key service's token is missing; give it as {TOKENS[0]}")
        self._mount, self._key = "/".join(parts[:-1]), parts[-1]
        self.id = "/".join(parts[1:])
        self._client = httpx2.Client(
            base_url=f"{url.scheme}://{url.netloc}", headers={"X-Vault-Token": token}, timeout=timeout,
            follow_redirects=False,
        )  # fmt: skip

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, sealed for this context.

        Raises:
            KeysAway: the service does not answer or refuses.
        """
        given = self._ask("encrypt", plaintext=_text(key), associated_data=_text(context))
        return _field(given, "ciphertext").encode()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again.

        Raises:
            KeyRefused: the service says that it is not what it wrapped for this context.
            KeysAway: it does not answer or refuses.
        """
        try:
            ciphertext = wrapped.decode("ascii")
        except UnicodeDecodeError:
            raise KeyRefused("a wrapped key was changed, or it is not the key service's") from None
        given = self._ask("decrypt", ciphertext=ciphertext, associated_data=_text(context))
        try:
            return base64.b64decode(_field(given, "plaintext"), validate=True)
        except ValueError:
            raise KeysAway("the key service's answer is not understood") from None

    def _ask(self, what: str, **fields: str) -> dict[str, Any]:
        try:
            answer = self._client.post(f"/{self._mount}/{what}/{self._key}", json=fields)
        except httpx2.HTTPError as error:
            raise KeysAway(f"the key service does not answer: {type(error).__name__}") from None
        if answer.status_code == 400 and what == "decrypt":
            raise KeyRefused("a wrapped key was changed, or it is not for this use or this key")
        if answer.status_code != 200 or len(answer.content) > _LARGEST:
            raise KeysAway(
                f"the key service answered {answer.status_code}; look at its log and the token's policy"
            )
        try:
            found: dict[str, Any] = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise KeysAway("the key service's answer is not understood") from None
        return found


def _field(given: dict[str, Any], name: str) -> str:
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, str):
        raise KeysAway("the key service's answer is not understood")
    return found


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
