"""Receipts: a signed word that *these* bytes were checked, when, with what result, and against what.

A receipt is a compact JWS (RFC 7515) signed with Ed25519 (RFC 8037, named as in RFC 9864). Who holds the bytes, the
receipt and the public key from `/v1/receipts/keys` can verify it with any JOSE library.
"""

import logging
import os
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import Struct

from underwing.model import MediaHashes, MediaMatch
from underwing.server.logs import note

ALGORITHM = "Ed25519"
TYPE = "underwing-receipt+jws"
Verdict = Literal["match", "clear", "unchecked"]


class ReceiptError(ValueError):
    """The signing key cannot be used; says which file and what to do."""


class CheckVersions(Struct, frozen=True):
    """Against what a file was checked: how it was decoded, and which state of the banks."""

    profile: str
    banks: str


class Receipt(Struct, frozen=True, kw_only=True):
    """What is signed. `at` is the time of the check, in whole seconds, UTC."""

    sha256: str
    at: str
    verdict: Verdict
    versions: CheckVersions


def verdict_of(hashes: MediaHashes, matches: tuple[MediaMatch, ...]) -> Verdict:
    """A match is one whatever else; a file with an error, or one of no known kind, was not checked.

    An entry that says `false_match` is no match.
    """
    if any(match.label != "false_match" for match in matches):
        return "match"
    return "unchecked" if hashes.error is not None else "clear"


class Signer:
    """Signs receipts with the key in a file, which is made (mode 0600) when it is not there.

    Raises:
        ReceiptError: the file cannot be made or read, is readable for others, or holds no Ed25519 key.
    """

    def __init__(self, path: Path | None) -> None:
        """`path` None: a key that lives as long as this object."""
        self._key = _new() if path is None else _kept(path)
        self._id = self._key.thumbprint()
        public = self._key.as_dict(private=False)
        self.jwks: bytes = msgspec.json.encode(
            {"keys": [{**public, "kid": self._id, "use": "sig", "alg": ALGORITHM}]}
        )
        """The public key as a JWK set."""
        self._heads: dict[str, str] = {}
        self._sign = _private(self._key).sign

    def sign(self, receipt: Struct, type: str = TYPE) -> str:
        """The receipt as a compact JWS (RFC 7515, 5.1)."""
        signed = f"{self._head(type)}.{_base64(msgspec.json.encode(receipt))}"
        return f"{signed}.{_base64(self._sign(signed.encode()))}"

    def _head(self, type: str) -> str:
        """The head is the same for every receipt of a type; the library makes it, once."""
        if type not in self._heads:
            head = {"alg": ALGORITHM, "kid": self._id, "typ": type}
            made = jws.serialize_compact(head, b"", self._key, algorithms=[ALGORITHM])
            self._heads[type] = made.partition(".")[0]
        return self._heads[type]


def _private(key: OKPKey) -> Ed25519PrivateKey:
    found = key.private_key
    assert isinstance(found, Ed25519PrivateKey)
    return found


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _new() -> OKPKey:
    return OKPKey.generate_key("Ed25519")


def _kept(path: Path) -> OKPKey:
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise ReceiptError(
            f"{path}: the key for receipts cannot be made: {error.strerror}; choose another path"
        ) from None
    key = _new()
    with os.fdopen(made, "wb") as file:
        file.write(key.as_pem(private=True))
        file.flush()
        os.fsync(file.fileno())
    note("receipt_key_made", logging.WARNING, kid=key.thumbprint())
    return key


def _read(path: Path) -> OKPKey:
    try:
        mode, data = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise ReceiptError(f"{path}: the key for receipts cannot be read: {error.strerror}") from None
    if os.name == "posix" and mode & 0o077:
        raise ReceiptError(f"{path}: others may read the key for receipts; chmod 600 it, or make a new one")
    try:
        key = OKPKey.import_key(data)
        if key.is_private and key.curve_name == "Ed25519":
            return key
    except (JoseError, ValueError):
        pass  # said below, and without the library's words: these may quote the file, and it may be another key
    raise ReceiptError(f"{path} holds no private Ed25519 key in PEM; move it away and a new one is made")
