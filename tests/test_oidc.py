"""Signing in through an identity provider: a certified one as it is, and a strict one whose tokens are made wrong."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from oidc_servers import REDIRECT, Strict, certified, hinted, keys_of, query_of
from underwing.casebook.people import Identity
from underwing.server.oidc import Flow, OidcConfig, OidcError, Provider, identity, load_oidc
from underwing.server.oidc.config import RoleRule, is_safe

STAFF = (
    RoleRule(claim="groups", value="seniors", role="senior"),
    RoleRule(claim="groups", value="staff", role="reviewer"),
)
SECRETS = {"basic": "only for tests: a:b %+", "posted": "only for tests", "public": ""}


def config(issuer: str, **more: Any) -> OidcConfig:
    values: dict[str, Any] = {
        "format": 1, "issuer": issuer, "client_id": "basic", "redirect": REDIRECT, "amr": (), "role": STAFF,
    }  # fmt: skip
    return OidcConfig(**{**values, **more})


T = TypeVar("T")


def run(made: OidcConfig, what: Callable[[Flow], Awaitable[T]], secret: str = "x", ahead: float = 0) -> T:
    """Do something with a fresh flow whose clock is so many seconds ahead."""

    async def inside() -> T:
        provider = Provider(made, secret, clock=lambda: time.time() + ahead)
        try:
            return await what(Flow(provider))
        finally:
            await provider.close()

    return asyncio.run(inside())


# -- the certified provider -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with certified() as running:
        yield running


async def browse(url: str) -> dict[str, str]:
    """What a browser with cookies brings back to the redirect address."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        for _ in range(10):
            answer = await browser.get(url)
            assert answer.status_code in (302, 303), answer.text
            url = str(answer.url.join(answer.headers["location"]))
            if url.startswith(REDIRECT):
                return query_of(url)
    raise AssertionError("too many redirects")


async def signs_in(flow: Flow, account: str) -> Identity:
    url, cookie = await flow.begin()
    return await flow.end(await browse(hinted(url, account)), cookie)


@pytest.mark.parametrize("client", SECRETS)
def test_a_real_sign_in(issuer: str, client: str) -> None:
    made = config(issuer, client_id=client, amr=("mfa",), create=True)
    who = run(made, lambda flow: signs_in(flow, "ida"), SECRETS[client])
    assert who == Identity(subject=f"{issuer} ida", name="ida", shown="Ida Ito", role="senior", create=True)


def test_real_accounts_that_are_not_let_in(issuer: str) -> None:
    asked = config(issuer, amr=("mfa", "otp"))
    for account, said in (("jo", "second factor"), ("kim", "no role"), ("nobody", "did not let")):
        with pytest.raises(OidcError, match=said):
            run(asked, lambda flow, a=account: signs_in(flow, a), SECRETS["basic"])  # type: ignore[misc]
    who = run(config(issuer), lambda flow: signs_in(flow, "jo"), SECRETS["basic"])
    assert (who.role, who.shown) == ("reviewer", "Jo  Jones"), "no direction character comes through"


def test_a_wrong_secret_and_a_code_twice(issuer: str) -> None:
    with pytest.raises(OidcError, match="401 invalid_client"):
        run(config(issuer), lambda flow: signs_in(flow, "ida"), "wrong")

    async def twice(flow: Flow) -> None:
        url, cookie = await flow.begin()
        back = await browse(hinted(url, "ida"))
        await flow.end(back, cookie)
        await flow.end(back, cookie)

    with pytest.raises(OidcError, match="400 invalid_grant"):
        run(config(issuer), twice, SECRETS["basic"])


def test_the_provider_holds_us_to_pkce(issuer: str) -> None:
    async def other_verifier(flow: Flow) -> None:
        url, _ = await flow.begin()
        back = await browse(hinted(url, "ida"))
        await flow.provider.claims(back["code"], "x" * 43, "nonce")

    with pytest.raises(OidcError, match="400 invalid_grant"):
        run(config(issuer), other_verifier, SECRETS["basic"])


# -- what a provider may not do -------------------------------------------------------------------------


@pytest.fixture
def strict() -> Iterator[Strict]:
    with Strict() as running:
        yield running


async def comes_back(strict: Strict, flow: Flow, **more: str) -> Identity:
    url, cookie = await flow.begin()
    return await flow.end(strict.authorise(url) | more, cookie)


def test_the_strict_provider_lets_in(strict: Strict) -> None:
    who = run(config(strict.issuer), lambda flow: comes_back(strict, flow))
    assert (who.subject, who.role) == (f"{strict.issuer} 7", "reviewer")


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"}, {"aud": "other"}, {"aud": ["basic", "other"]}, {"azp": "other"},
        {"nonce": "other"}, {"nonce": None}, {"sub": ""}, {"sub": None}, {"sub": 7}, {"sub": "x" * 256}, {"exp": None},
        {"exp": 1}, {"exp": "soon"}, {"iat": None}, {"iat": 4_000_000_000}, {"iat": 1_000_000_000}, {"nbf": 4_000_000_000},
    ],
)  # fmt: skip
def test_claims_that_do_not_hold(strict: Strict, change: dict[str, Any]) -> None:
    def apply(claims: dict[str, Any]) -> None:
        for name, value in change.items():
            if value is None:
                del claims[name]
            else:
                claims[name] = value

    strict.change = apply
    with pytest.raises(OidcError, match="does not hold") as refused:
        run(config(strict.issuer), lambda flow: comes_back(strict, flow))
    assert "other" not in str(refused.value)


def test_two_audiences_with_us_as_the_party(strict: Strict) -> None:
    strict.change = lambda claims: claims.update(aud=["basic", "other"], azp="basic")
    run(config(strict.issuer), lambda flow: comes_back(strict, flow))


@pytest.mark.parametrize(
    ("ahead", "good"), [(50, True), (-50, True), (-70, False), (355, True), (365, False)]
)
def test_clocks_may_differ_by_what_is_set(strict: Strict, ahead: float, good: bool) -> None:
    made = config(strict.issuer, skew_seconds=60)
    if good:
        run(made, lambda flow: comes_back(strict, flow), ahead=ahead)
    else:
        with pytest.raises(OidcError, match="does not hold"):
            run(made, lambda flow: comes_back(strict, flow), ahead=ahead)


def _by_hand(head: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A token as a forger makes it: unsigned, or signed with HMAC by a key that everybody knows."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    message = b".".join(parts)
    signature = hmac.digest(key, message, "sha256") if key else b""
    return (message + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_signatures_that_do_not_hold(strict: Strict) -> None:
    other, public = RSAKey.generate_key(2048), strict.key.as_pem(private=False)
    kid = strict.key.kid
    for sign in (
        lambda c: _by_hand({"alg": "none"}, c),
        lambda c: _by_hand({"alg": "none", "kid": kid}, c),
        lambda c: jwt.encode({"alg": "RS256", "kid": kid}, c, other),
        lambda c: _by_hand({"alg": "HS256", "kid": kid}, c, public),
        lambda c: jwt.encode({"alg": "RS256", "kid": kid}, c, strict.key)[:-6] + "AAAAAA",
        lambda c: "not.a.token",
        lambda c: "nothing",
        lambda c: "",
    ):
        strict.sign = sign
        with pytest.raises(OidcError, match=r"does not hold|no signed"):
            run(config(strict.issuer), lambda flow: comes_back(strict, flow))


def test_a_symmetric_key_among_the_keys_is_not_used(strict: Strict) -> None:
    shared = OctKey.import_key(
        {"kty": "oct", "k": "c2hhcmVkc2hhcmVkc2hhcmVkc2hhcmVk", "kid": "s", "alg": "HS256"}
    )
    strict.shown_keys.append(shared.as_dict(private=True))
    strict.sign = lambda c: jwt.encode({"alg": "HS256", "kid": "s"}, c, shared)
    with pytest.raises(OidcError, match="does not hold"):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow))


def test_new_keys_are_fetched_but_not_at_every_wish(strict: Strict) -> None:
    async def inside(flow: Flow) -> None:
        await comes_back(strict, flow)
        new = RSAKey.generate_key(2048, auto_kid=True)
        strict.shown_keys = keys_of(strict.key, new)
        strict.sign = lambda c: jwt.encode({"alg": "RS256", "kid": new.kid}, c, new)
        flow.provider._keys_at -= 31
        await comes_back(strict, flow)
        strict.sign = lambda c: jwt.encode({"alg": "RS256", "kid": "unknown"}, c, new)
        for _ in range(5):
            with pytest.raises(OidcError, match="does not hold"):
                await comes_back(strict, flow)

    run(config(strict.issuer), inside)
    assert strict.fetched.count("/keys") == 2


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        (
            "/.well-known/openid-configuration",
            (200, b'{"issuer": "https://other.example"}', {}),
            "another name",
        ),
        ("/.well-known/openid-configuration", (404, b"{}", {}), "answered 404"),
        ("/.well-known/openid-configuration", (200, b"<html>", {}), "answered 200"),
        ("/.well-known/openid-configuration", (200, b'"' + b"x" * 600_000 + b'"', {}), "too much"),
        ("/.well-known/openid-configuration", (302, b"{}", {"location": "/elsewhere"}), "answered 302"),
        ("/keys", (200, b'{"keys": []}', {}), "keys cannot be read"),
        ("/keys", (200, b'{"keys": [{"kty": "RSA"}]}', {}), "keys cannot be read"),
        ("/keys", (200, b'{"keys": 7}', {}), "keys cannot be read"),
        ("/token", (400, b'{"error": "invalid_<script>"}', {}), "answered 400$"),
        ("/token", (200, b'{"access_token": "x"}', {}), "no signed ID token"),
    ],
)
def test_answers_that_cannot_be_used(strict: Strict, path: str, answer: Any, said: str) -> None:
    strict.answers[path] = answer
    with pytest.raises(OidcError, match=said):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow))
    assert "/elsewhere" not in strict.fetched


def test_a_description_with_plain_http_elsewhere(strict: Strict) -> None:
    described = strict.description() | {"token_endpoint": "http://192.0.2.1/token"}
    strict.answers["/.well-known/openid-configuration"] = (200, str(described).replace("'", '"').encode(), {})
    with pytest.raises(OidcError, match="token_endpoint is no https"):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow))


def test_a_provider_that_is_away() -> None:
    with pytest.raises(OidcError, match="cannot be reached"):
        run(config("http://127.0.0.1:9"), lambda flow: flow.begin())


# -- the browser's part ---------------------------------------------------------------------------------


def test_only_the_browser_that_began_can_end(strict: Strict) -> None:
    async def crossed(flow: Flow) -> None:
        url, _ = await flow.begin()
        _, other = await flow.begin()
        await flow.end(strict.authorise(url), other)

    async def no_cookie(flow: Flow) -> None:
        url, _ = await flow.begin()
        await flow.end(strict.authorise(url), None)

    async def changed_cookie(flow: Flow) -> None:
        url, cookie = await flow.begin()
        await flow.end(strict.authorise(url), cookie[:-4] + "AAAA")

    for way in (crossed, no_cookie, changed_cookie):
        with pytest.raises(OidcError, match="not begun in this browser"):
            run(config(strict.issuer), way)


def test_a_sign_in_runs_out(strict: Strict) -> None:
    async def late(flow: Flow) -> None:
        url, cookie = await flow.begin()
        flow._clock = lambda: time.time() + 601
        await flow.end(strict.authorise(url), cookie)

    with pytest.raises(OidcError, match="too long"):
        run(config(strict.issuer), late)


def test_the_answer_names_its_issuer(strict: Strict) -> None:
    with pytest.raises(OidcError, match="not from the identity provider"):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow, iss="https://other.example"))
    run(config(strict.issuer), lambda flow: comes_back(strict, flow, iss=strict.issuer))
    described = strict.description() | {"authorization_response_iss_parameter_supported": True}
    body = str(described).replace("'", '"').replace("True", "true").encode()
    strict.answers["/.well-known/openid-configuration"] = (200, body, {})
    with pytest.raises(OidcError, match="not from the identity provider"):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow))


def test_a_refusal_of_the_provider(strict: Strict) -> None:
    with pytest.raises(OidcError, match="did not let"):
        run(config(strict.issuer), lambda flow: comes_back(strict, flow, error="access_denied"))


# -- what claims mean -----------------------------------------------------------------------------------


def test_claims_become_roles_by_the_first_rule() -> None:
    made = config("https://id.example", create=True)
    for groups, role in ((["staff", "seniors"], "senior"), ("staff", "reviewer"), (["staff", 7], "reviewer")):
        assert identity(made, {"sub": "1", "groups": groups}).role == role
    for groups in ([], None, 7, {"staff": 1}, ["Staff"]):
        with pytest.raises(OidcError, match="no role"):
            identity(made, {"sub": "1", "groups": groups})
    free = config("https://id.example", role=())
    assert identity(free, {"sub": "1"}) == Identity(subject="https://id.example 1", name="1", shown="1")


def test_the_operators_file(tmp_path: Path) -> None:
    path = tmp_path / "oidc.toml"
    good = """
format = 1
issuer = "https://id.example.org"
client_id = "underwing"
client_secret_file = "oidc.secret"
redirect = "https://underwing.example.org/console/sign-in/provider/back"
amr = ["mfa"]
create = true
[[role]]
claim = "groups"
value = "ts"
role = "reviewer"
"""
    path.write_text(good)
    with pytest.raises(OidcError, match=r"oidc\.secret cannot be read"):
        load_oidc(path)
    (tmp_path / "oidc.secret").write_text("s3\n")
    with pytest.raises(OidcError, match="chmod 600"):
        load_oidc(path)
    (tmp_path / "oidc.secret").chmod(0o600)
    made, secret = load_oidc(path)
    assert (made.create, secret) == (True, "s3")
    for old, new, said in (
        ('amr = ["mfa"]', "", "amr"),
        ("format = 1", "format = 2", "format 2"),
        ("https://id.example.org", "http://id.example.org", "issuer must be"),
        ('role = "reviewer"', 'role = "king"', "king"),
        ("create = true", "creat = true", "creat"),
        ('[[role]]\nclaim = "groups"\nvalue = "ts"\nrole = "reviewer"', "", "needs rules"),
        ('client_id = "underwing"', 'client_id = "underwing"\nscopes = ["profile"]', "openid"),
    ):
        path.write_text(good.replace(old, new))
        with pytest.raises(OidcError, match=said):
            load_oidc(path)
    with pytest.raises(OidcError, match="cannot be read"):
        load_oidc(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://id.example.org/a", True), ("http://127.0.0.1:1/", True), ("http://localhost/", True),
        ("http://id.example.org/", False), ("https://user@id.example.org/", False), ("https://id.example.org/#a", False),
        ("ftp://id.example.org/", False), ("https://", False), ("https://[", False), (None, False), (7, False),
    ],
)  # fmt: skip
def test_addresses(url: Any, safe: bool) -> None:
    assert is_safe(url) is safe
