"""The operator's file about an identity provider, and what its claims mean here. Pure but for reading the file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from underwing.casebook.database import CasebookError
from underwing.casebook.people import Identity, Role
from underwing.casebook.private import read_private
from underwing.server.oidc.errors import OidcError

_MOST_NAME = 64
_MOST_SHOWN = 80


class RoleRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whoever has `value` in `claim` (text, or a list of texts) has this role. The first rule that fits counts."""

    claim: str
    value: str
    role: Role


class OidcConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity provider.

    `amr` has no default on purpose: name the methods (RFC 8176, such as "mfa" or "otp") of which a sign-in must have used
    one, or write `amr = []` to leave the second factor to the provider. With rules for roles, somebody whom no rule fits is
    not let in and the role follows the provider at each sign-in; without, roles are given here. Accounts are made only
    with `create = true`, and then only for those whom a rule fits.
    """

    format: int
    issuer: str
    client_id: str
    redirect: str
    amr: tuple[str, ...]
    label: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid", "profile")
    skew_seconds: Annotated[int, Meta(ge=0, le=600)] = 60
    name_claim: str = "preferred_username"
    shown_claim: str = "name"
    create: bool = False
    role: tuple[RoleRule, ...] = ()


def load_oidc(path: Path) -> tuple[OidcConfig, str]:
    """The file's content, and the client's secret ("" for a client without).

    Raises:
        OidcError: the file or the secret's file cannot be used; says what to mend.
    """
    try:
        made = msgspec.convert(tomllib.loads(path.read_text("utf-8")), OidcConfig)
        secret = (
            read_private(path.parent / made.client_secret_file).decode("utf-8").strip()
            if made.client_secret_file
            else ""
        )
    except OSError as error:
        raise OidcError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, CasebookError) as error:
        raise OidcError(f"{path}: {error}") from None
    if made.format != 1:
        raise OidcError(f"{path}: format {made.format} is not known, this version reads format 1")
    if "openid" not in made.scopes:
        raise OidcError(f"{path}: scopes must hold openid")
    if made.create and not made.role:
        raise OidcError(f"{path}: create = true needs rules for roles, or nobody could be given one")
    for name in ("issuer", "redirect"):
        if not is_safe(getattr(made, name)):
            raise OidcError(f"{path}: {name} must be an https:// address (http:// on this machine only)")
    return made, secret


def is_safe(url: Any) -> bool:
    """Whether a URL is https, or http on this machine."""
    try:
        parts = urlsplit(url)
        if parts.username is not None or not parts.hostname or parts.fragment:
            return False
    except (ValueError, TypeError, AttributeError):
        return False
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return parts.scheme == "https" or (parts.scheme == "http" and local)


def identity(config: OidcConfig, claims: Mapping[str, Any]) -> Identity:
    """Who a proven token's claims say somebody is, and their role by the rules.

    Raises:
        OidcError: the second factor that is asked for was not used, or no rule gives a role.
    """
    used = claims.get("amr", [])
    if config.amr and not (
        isinstance(used, list) and set(config.amr) & {a for a in used if isinstance(a, str)}
    ):
        raise OidcError("the provider does not say that a second factor was used")
    role = next((rule.role for rule in config.role if rule.value in _texts(claims.get(rule.claim))), None)
    if config.role and role is None:
        raise OidcError("the provider gives this account no role here")
    subject = claims["sub"]
    name = claims.get(config.name_claim)
    shown = claims.get(config.shown_claim)
    return Identity(
        subject=f"{config.issuer} {subject}",
        name=(name if isinstance(name, str) and name else subject)[:_MOST_NAME],
        shown=_printable(shown if isinstance(shown, str) and shown.strip() else name or subject),
        role=role,
        create=config.create,
    )


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _printable(text: Any) -> str:
    return "".join(c for c in str(text) if c.isprintable())[:_MOST_SHOWN]
