"""The second factor: codes by time (RFC 6238), each good once, and recovery codes for when the device is lost. Pure.

Six digits, SHA-1 and 30 seconds are what every authenticator app speaks. A code is taken from its own step and one to either
side (RFC 6238, section 5.2), and only from a step after the last one used: who looks over a shoulder comes too late.
"""

import base64
import hashlib
import hmac
import re
import secrets

import pyotp

STEP = 30
_SIDE = 1
_CODE = re.compile(r"[0-9]{6}")
RECOVERY_CODES = 10
_RECOVERY_BYTES = 15
"""120 bits: with 112 and more a plain hash keeps them (NIST SP 800-63B-4, section 3.1.2.2)."""
_RECOVERY = re.compile(r"[A-Z2-7]{24}")


def new_secret() -> str:
    """160 random bits in base 32, as RFC 4226 recommends."""
    return pyotp.random_base32()


def uri(secret: str, name: str, issuer: str = "Underwing") -> str:
    """The `otpauth://` address that an app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)


def step_of(secret: str, typed: str, now: float, last: int) -> int | None:
    """The step that a code belongs to, when it is near `now` and above the `last` one used; else None."""
    code = typed.replace(" ", "")
    if not _CODE.fullmatch(code):
        return None
    made, at = pyotp.TOTP(secret), int(now) // STEP
    found = None
    for step in range(max(0, at - _SIDE), at + _SIDE + 1):
        if hmac.compare_digest(made.at(step * STEP), code) and step > last:
            found = step
    return found


def new_recovery() -> list[str]:
    """Fresh recovery codes, each six groups of four."""
    return [_grouped(secrets.token_bytes(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def recovery_hash(typed: str) -> bytes | None:
    """What is kept of a recovery code, however it was typed; None when it cannot be one."""
    code = re.sub(r"[\s-]", "", typed).upper()
    return (
        hashlib.sha256(b"underwing recovery " + code.encode()).digest() if _RECOVERY.fullmatch(code) else None
    )


def _grouped(random: bytes) -> str:
    text = base64.b32encode(random).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
